"""The programs of the analysis as tests call them: as a user does, one process each."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest

# Matrices of a hundred rows: threads of the linear algebra only wait for each other, most of all under load.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = Path(__file__).parents[2]
ANALYSIS = ROOT / "workflows/dilepton"
DETECTOR = ANALYSIS / "detector.yaml"

Program = Callable[..., subprocess.CompletedProcess[str]]
Generate = Callable[..., Path]


@pytest.fixture(scope="module", autouse=True)
def unmeasured() -> Iterator[None]:
    """Nothing of the package is called here, and what measures it makes the analysis half as slow again."""
    measuring = coverage.Coverage.current()
    if measuring is not None:
        measuring.stop()
    yield
    if measuring is not None:
        measuring.start()


@pytest.fixture(scope="session")
def program() -> Program:
    """Run one program of the analysis with options; gives its exit code and what it said."""

    def run(name: str, *options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ANALYSIS / "scripts" / f"{name}.py"), *map(str, options)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def generate(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Generate:
    """Generate a sample once for all tests that ask for the same options."""
    folder = tmp_path_factory.mktemp("generated")
    made: dict[tuple[str, ...], Path] = {}

    def sample(
        process: str, *options: object, events: int, seed: int = 1, suffix: str = ".hepmc.zst"
    ) -> Path:
        key = (process, *map(str, options), str(events), str(seed), suffix)
        if key not in made:
            output = folder / f"sample{len(made)}{suffix}"
            done = program(
                "generate", "--process", process, "--events", events, "--seed", seed,
                "--no-multiple-interactions", "--output", output, *options,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            made[key] = output
        return made[key]

    return sample


@dataclass(frozen=True)
class Refusal:
    """How a program ended that should not have liked its input."""

    message: str
    left_behind: list[str]


@pytest.fixture
def refused(program: Program, tmp_path: Path) -> Callable[..., Refusal]:
    """Run a program that must fail as a user's error does; `OUTPUT` stands for its output file."""

    def run(name: str, *options: object) -> Refusal:
        folder = tmp_path / "output"
        folder.mkdir()
        given = [folder / option if str(option).startswith("OUTPUT") else option for option in options]
        done = program(name, *given)
        assert done.returncode == 2, (done.returncode, done.stderr)
        assert "Traceback" not in done.stderr
        return Refusal(done.stderr, sorted(path.name for path in folder.iterdir()))

    return run
