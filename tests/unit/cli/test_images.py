"""`relance images` says what is wrong with what it is given, and does nothing then."""

from pathlib import Path

import pytest

from relance.cli import run_command_line


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "repository" / "containers" / "fit"
    place.mkdir(parents=True)
    (place / "Containerfile").write_text("ARG BASE=a\nFROM ${BASE}\nRUN true\n", "utf-8")
    return tmp_path / "repository"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("build", "fti"), "expected one of fit"),
        (("build", "--dry-run", "--base", "host/base:1"), "'host/base:1' is not pinned"),
        (("lock",), "Missing argument 'NAME=REF...'"),
        (("lock", "fit"), "found 'fit', expected NAME=REF with NAME one of fit"),
        (("lock", "fti=host/fit@sha256:0"), "expected NAME=REF with NAME one of fit"),
        (("lock", "fit=host/fit:1"), "'host/fit:1' is not pinned"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_input_is_refused(
    repository: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert run_command_line(["images", *words, "-C", str(repository)]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert sorted(path.name for path in (repository / "containers").iterdir()) == ["fit"]


@pytest.mark.parametrize("command", ["build", "list"])
def test_a_folder_without_images_is_no_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run_command_line(["images", command, "-C", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"no images to build in {tmp_path}: found none, expected containers/NAME/Containerfile; " in said


def test_nothing_is_pruned_from_a_store_in_which_nothing_was_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["images", "prune", "--store", str(tmp_path / "store")]) == 0
    assert capsys.readouterr().out == "every image that was built here is used\n"
    assert not (tmp_path / "store").exists()
