"""What Snakemake notes of outputs below `.snakemake`: forgotten where it is right no more."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MARK = ".snakemake_timestamp"
"""The file in a folder that a job made, whose time Snakemake takes for that of the folder."""

_LONGEST_NAME = 254  # longer names are split into folders that begin with @


def forget(analysis: Path, outputs: Iterable[str]) -> None:
    """Remove Snakemake's notes on outputs: how they were made, and that they are incomplete."""
    for output in outputs:
        for kind in ("metadata", "incomplete"):
            with suppress(FileNotFoundError, NotADirectoryError):
                _note(analysis, kind, output).unlink()


def incomplete(analysis: Path, output: str) -> bool:
    """Return whether Snakemake holds an output for half-written."""
    return _note(analysis, "incomplete", output).exists()


def made(analysis: Path, output: str) -> bool:
    """Return whether Snakemake knows how an output was made; of what was restored it doesn't."""
    return _note(analysis, "metadata", output).exists()


def locked(analysis: Path) -> bool:
    """Return whether Snakemake works in a folder, or was killed there."""
    locks = analysis / ".snakemake" / "locks"
    return locks.is_dir() and any(locks.iterdir())


def _note(analysis: Path, kind: str, output: str) -> Path:
    name = base64.urlsafe_b64encode(output.encode()).decode()
    folder = analysis / ".snakemake" / kind
    while len(name) > _LONGEST_NAME:
        folder, name = folder / f"@{name[:_LONGEST_NAME]}", name[_LONGEST_NAME:]
    return folder / name
