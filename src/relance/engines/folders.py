"""The folders of runs: one each, the latest kept, never touched while its run goes on."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from relance.engines.snakemake import RunFolder
from relance.errors import InputError
from relance.store import locking

_RECORDS_KEPT = 20
_MARK = "lock"
_RECORD = "record.json"
_BEGINNING = 60.0  # seconds in which a run that begins has marked its folder


def new(parent: Path, subject: str) -> RunFolder:
    """Make the folder of a new run, and remove all but the latest others and what killed runs left.

    Raises:
        InputError: `subject` can't be run, since nothing can be written there.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _forget_old(parent)
        return RunFolder(Path(tempfile.mkdtemp(prefix="run-", dir=parent)))
    except OSError as error:
        raise InputError(
            f"{subject} can't be run in place",
            expected="a folder that you may write to",
            found=error.strerror or str(error),
            next_step="copy it to a folder of yours and run it there",
        ) from error


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Mark a folder as that of a run that goes on; the mark is gone when this process is, however it ends."""
    with (folder / _MARK).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def goes_on(folder: Path) -> bool:
    """Return whether a run that marked its folder still goes on."""
    try:
        return locking.held(folder / _MARK)
    except FileNotFoundError:
        return False


def remove(path: Path) -> None:
    """Remove a file, link or folder, if it is there and can be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108 - a name that may be gone already


def _forget_old(parent: Path) -> None:
    """Remove all but the latest records, and what killed runs left; runs that go on hold their folders."""
    finished = [folder for folder in parent.glob("run-*") if not _is_held(folder)]
    for folder in finished:
        for left in ("scratch", "bin"):
            shutil.rmtree(folder / left, ignore_errors=True)
    finished.sort(key=lambda folder: folder.stat().st_mtime)
    # Dry runs and refused ones leave no record, and must not push out those that did something.
    recorded = [folder for folder in finished if (folder / _RECORD).is_file()]
    others = [folder for folder in finished if folder not in recorded]
    for folder in (*recorded[:-_RECORDS_KEPT], *others[:-_RECORDS_KEPT]):
        shutil.rmtree(folder, ignore_errors=True)


def _is_held(folder: Path) -> bool:
    try:
        with (folder / _MARK).open("r") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime < _BEGINNING
    except OSError:
        return True
    return False
