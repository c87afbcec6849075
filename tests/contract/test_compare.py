"""`relance compare` as users type it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def compare(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "relance", "compare", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name, limit in (("kept", 1.0), ("made", 1.001)):
        (tmp_path / name / "fit").mkdir(parents=True)
        (tmp_path / name / "fit" / "limit.json").write_text(json.dumps({"limit": limit}))
        (tmp_path / name / "table.csv").write_text("x,y\n1,2\n3,4\n" if name == "kept" else "x,y\n3,4\n1,2\n")
    return tmp_path


def test_what_differs_is_told_with_both_values(folders: Path) -> None:
    done = compare(folders, "kept", "made")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "  fit/limit.json  different (json)",
        "      /limit: 1.0 → 1.001",
        "  table.csv       unordered (text)",
        "2 files: 1 unordered, 1 different",
    ]


def test_a_tolerance_given_on_the_command_line_lets_it_pass(folders: Path) -> None:
    done = compare(folders, "kept", "made", "--relative", "0.01", "--json")
    assert done.returncode == 0, done.stderr
    assert {one["path"]: one["tier"] for one in json.loads(done.stdout)} == {
        "fit/limit.json": "tolerance",
        "table.csv": "unordered",
    }


def test_two_files_are_compared_whatever_they_are_called(folders: Path) -> None:
    (folders / "copy.json").write_text('{ "limit": 1 }')
    done = compare(folders, "kept/fit/limit.json", "copy.json", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("arguments", [("kept", "nowhere"), ("kept", "made/table.csv")])
def test_what_cannot_be_compared_is_an_error_of_the_user(folders: Path, arguments: tuple[str, str]) -> None:
    done = compare(folders, *arguments)
    assert (done.returncode, done.stderr.startswith("error: ")) == (2, True)
    assert "Traceback" not in done.stderr


def test_without_numpy_an_array_of_other_bytes_is_undecided(folders: Path) -> None:
    for name, data in (("kept", b"\x93NUMPY1"), ("made", b"\x93NUMPY2")):
        (folders / f"{name}.npy").write_bytes(data)
    program = "import sys; sys.modules['numpy'] = None\nfrom relance.compare import files\n"
    program += "from pathlib import Path\n"
    program += "print(files.product('x.npy', Path('kept.npy'), Path('made.npy')).tier)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folders, capture_output=True, text=True, check=True
    )
    assert done.stdout == "undecided\n"
