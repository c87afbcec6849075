"""Locked environments for plain processes: what `envs/<image>.txt` lists, in a virtual environment."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from relance import digest
from relance.errors import MissingPartError
from relance.model import Digest

_COMPLETE = "relance-complete"  # a file in the environment, written last


@dataclass(frozen=True)
class Environment:
    """The environment of one image, made or not."""

    name: str
    requirements: Path
    folder: Path

    @property
    def programs(self) -> Path:
        """The folder that goes first on PATH."""
        return self.folder / "bin"

    @property
    def made(self) -> bool:
        """Whether it is there, complete."""
        return (self.folder / _COMPLETE).exists()


def of_analysis(analysis: Path, root: Path) -> tuple[Environment, ...]:
    """Return the environments that `envs/*.txt` of an analysis ask for, below `root`; none is made here."""
    return tuple(_environment(path, root) for path in sorted(analysis.glob("envs/*.txt")))


def root_for(analysis: Path, cache: Path, may: Callable[[Path, int], bool] = os.access) -> Path:
    """Return where environments go: `.envs` of the analysis, or of the cache folder if that is read-only."""
    return (analysis if may(analysis, os.W_OK) else cache / "relance") / ".envs"


def make(environment: Environment, say: Callable[[str], None], python: str = sys.executable) -> None:
    """Make an environment with exactly the locked packages; one that is there and complete is left as it is.

    Two runs that need the same one wait for each other; what an interrupted one left is removed first.

    Raises:
        MissingPartError: pip could not install the packages; its log is named.
    """
    environment.folder.parent.mkdir(parents=True, exist_ok=True)
    log = environment.folder.with_suffix(".log")
    with _alone(environment.folder.with_suffix(".lock")):
        if environment.made:
            return
        say(f"making the environment '{environment.name}' from {environment.requirements} (once)")
        shutil.rmtree(environment.folder, ignore_errors=True)
        installer = str(environment.programs / "python")
        options = ["--require-hashes", "--no-input", "--disable-pip-version-check"]
        steps = (
            [python, "-m", "venv", str(environment.folder)],
            [installer, "-m", "pip", "install", *options, "-r", str(environment.requirements)],
        )
        with log.open("wb") as output:
            for step in steps:
                done = subprocess.run(
                    step, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False
                )
                if done.returncode != 0:
                    shutil.rmtree(environment.folder, ignore_errors=True)
                    raise _failure(environment, log)
        (environment.folder / _COMPLETE).touch()


def _environment(requirements: Path, root: Path) -> Environment:
    key = _key(requirements).removeprefix("sha256:")[:16]
    return Environment(requirements.stem, requirements, root / f"{requirements.stem}-{key}")


def _key(requirements: Path) -> Digest:
    """Return what an environment's content depends on: its packages, the Python, the machine."""
    return digest.of_json([digest.of_file(requirements), platform.python_version(), platform.machine()])


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _failure(environment: Environment, log: Path) -> MissingPartError:
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if "ERROR" in line]
    return MissingPartError(
        f"the environment '{environment.name}' can't be made",
        expected=f"every package of {environment.requirements}, at its locked hash",
        found=lines[-1].strip() if lines else "a failure of pip",
        next_step=f"read {log}; packages come from the network, images built before don't need it",
    )
