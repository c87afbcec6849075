"""Folders of runs: those that go on are left alone, and what did nothing pushes nothing out."""

import os
from pathlib import Path

from relance.engines import folders


def made(parent: Path, number: int, *, recorded: bool) -> Path:
    folder = parent / f"run-{number}"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    if recorded:
        (folder / "record.json").touch()
    os.utime(folder, (number, number))
    return folder


def test_runs_without_a_record_do_not_push_out_those_that_have_one(tmp_path: Path) -> None:
    good = made(tmp_path, 1, recorded=True)
    idle = [made(tmp_path, number, recorded=False) for number in range(2, 30)]
    folders.new(tmp_path, "analysis")
    assert good.is_dir()
    assert [folder.is_dir() for folder in idle] == [False] * 8 + [True] * 20


def test_a_run_goes_on_for_as_long_as_its_folder_is_held(tmp_path: Path) -> None:
    assert not folders.goes_on(tmp_path)
    with folders.held(tmp_path):
        assert folders.goes_on(tmp_path)
    assert not folders.goes_on(tmp_path)
