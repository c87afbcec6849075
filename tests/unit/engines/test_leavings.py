"""What an untrusted program left is made safe to look at, and to clean up."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.engines import leavings


def test_what_is_left_leads_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "kept.txt").write_text("x")
    (folder / "inside").symlink_to("results/kept.txt")
    (folder / "outside").symlink_to("/etc")
    (folder / "results" / "up").symlink_to("../..")
    (folder / "by-another").symlink_to("outside/passwd")
    os.mkfifo(folder / "pipe")
    (folder / "results" / "kept.txt").chmod(0o4755)
    assert leavings.settle(folder) == ("by-another", "outside", "pipe", "results/up")
    assert (folder / "inside").read_text() == "x"
    assert (folder / "results" / "kept.txt").stat().st_mode & 0o7777 == 0o755


PARTS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3)
TARGETS = st.lists(st.sampled_from(["a", "b", "c", "..", "/", "/etc", "."]), min_size=1, max_size=4)


@settings(max_examples=60)
@given(st.lists(st.tuples(PARTS, st.none() | TARGETS), max_size=8))
def test_after_settling_no_path_leads_out(entries: list[tuple[list[str], list[str] | None]]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "work")
        folder.mkdir()
        outside = Path(scratch, "precious")
        outside.write_text("x")
        for parts, target in entries:
            path = folder.joinpath(*parts)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if not os.path.realpath(path.parent).startswith(f"{os.path.realpath(folder)}"):
                    continue
                if target is None:
                    path.write_text("x")
                else:
                    path.symlink_to(str(Path(*target)))
            except OSError:
                continue
        leavings.settle(folder)
        root = os.path.realpath(folder)
        for base, folders, files in os.walk(folder):
            for name in folders + files:
                real = os.path.realpath(Path(base, name))
                assert real == root or real.startswith(f"{root}/")
        assert outside.read_text() == "x"


def test_only_a_file_of_a_sensible_size_is_taken(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 11)
    (tmp_path / "right").write_bytes(b"x" * 10)
    for name in ("link", "pipe", "large", "missing", "."):
        assert not leavings.taken(tmp_path / name, target, 10), name
    assert leavings.taken(tmp_path / "right", target, 10)
    assert target.read_bytes() == b"x" * 10


@pytest.mark.parametrize("name", ["../precious", "way/precious", "..", ".", "way/../precious"])
def test_nothing_outside_is_removed_whatever_its_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "kept").write_text("x")
    (folder / "way").symlink_to("..")
    (tmp_path / "precious").write_text("x")
    leavings.remove(folder / name, folder)
    leavings.remove(tmp_path / "precious", folder)
    assert (tmp_path / "precious").exists()
    assert (folder / "kept").exists()


def test_what_is_inside_is_removed(tmp_path: Path) -> None:
    (tmp_path / "results" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("/etc")
    leavings.remove(tmp_path / "results", tmp_path)
    leavings.remove(tmp_path / "link", tmp_path)
    leavings.remove(tmp_path / "never", tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert Path("/etc").is_dir()


def test_text_keeps_its_letters_and_loses_its_controls() -> None:
    said = {"a": ["µ → σ\n", "\x1b[31mred", 3, None], "b": "\u202egnp"}
    assert leavings.printable(said) == {"a": ["µ → σ\n", "\ufffd[31mred", 3, None], "b": "\ufffdgnp"}
