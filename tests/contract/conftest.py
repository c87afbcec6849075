"""A small analysis to run, and `relance` as users run it: in a process of its own."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ANALYSES = Path(__file__).parents[1] / "analyses"


@dataclass(frozen=True)
class Relance:
    """The command `relance`, called in one folder."""

    folder: Path

    def __call__(self, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments), cwd=self.folder, capture_output=True, text=True, check=False, **options
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "relance", *arguments]

    def start(self, *arguments: str, **options: object) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, stdout=pipe, stderr=pipe, text=True, **options
        )


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the environments of all analyses of a test session: each is made once."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def analysis(tmp_path: Path, environments: Path) -> Callable[[str], Relance]:
    """Copies an analysis of tests/analyses and returns the command in it."""

    def copy(name: str) -> Relance:
        folder = tmp_path / name
        shutil.copytree(ANALYSES / name, folder)
        (folder / ".envs").symlink_to(environments)
        return Relance(folder)

    return copy


@pytest.fixture
def toy(analysis: Callable[[str], Relance]) -> Iterator[Relance]:
    yield analysis("toy")
