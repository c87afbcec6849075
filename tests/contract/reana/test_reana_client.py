"""reana-client's own `validate`, in an environment of its own, on what we send and write for REANA."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from relance.cli import run_command_line

ROOT = Path(__file__).parents[3]
DILEPTON = ("Snakefile", "reana.yaml", "workflows", "containers", "envs", "specs")


@pytest.fixture(scope="module")
def client() -> Path:
    made = subprocess.run(
        [ROOT / "tests/machine/reana.sh"],
        check=True,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    return Path(made.stdout.strip())


def validated(client: Path, folder: Path) -> str:
    """Validate a folder's reana.yaml with no server and no token; return what was said."""
    outer = {key: value for key, value in os.environ.items() if not key.startswith(("REANA", "PYTHON"))}
    done = subprocess.run(
        [client, "validate", "--file", "reana.yaml"],
        cwd=folder,
        env={**outer, "PATH": f"{client.parent}:{outer['PATH']}", "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_dilepton_analysis_is_valid_as_it_is(client: Path, tmp_path: Path) -> None:
    for part in DILEPTON:
        source = ROOT / part
        ignored = shutil.ignore_patterns("__pycache__", "images.local.yaml")
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / part, **({"ignore": ignored} if source.is_dir() else {}))
    said = validated(client, tmp_path)
    assert "Valid REANA specification file" in said
    assert "ERROR" not in said


@pytest.mark.parametrize("form", ["yadage", "reana"])
def test_an_analysis_exported_to_another_language_is_valid(
    form: str, client: Path, remote: Path, tmp_path: Path
) -> None:
    target = tmp_path / form
    assert run_command_line(["export", "--as", form, str(remote), str(target), "--fixed", "-q"]) == 0
    assert "ERROR" not in validated(client, target)


def test_a_wrong_specification_is_told(client: Path, remote: Path) -> None:
    declared = remote / "reana.yaml"
    declared.write_text(declared.read_text().replace("type: snakemake", "type: snakes"))
    with pytest.raises(AssertionError):
        validated(client, remote)
