"""The folder of a recast: one process at a time, and only that recast."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relance.errors import InputError
from relance.recast import record

_LOCK = "lock"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make the folder of a recast and keep others out of it for as long as the block runs."""
    if folder.exists() and not (folder / record.NAME).exists() and set(_names(folder)) - {_LOCK}:
        raise InputError(
            f"{folder} can't be the folder of a recast",
            expected="a new or empty folder, or that of the same recast",
            found="other files",
            next_step="name another with -o DIR",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"{folder} is in use",
                expected="no other recast in it",
                found="one that goes on",
                next_step="wait for it, or name another folder with -o DIR",
            ) from error
        try:
            yield
        finally:
            if _names(folder) == [_LOCK]:
                shutil.rmtree(folder, ignore_errors=True)


def former(folder: Path, beginning: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what an earlier call of the same recast left in its folder.

    Raises:
        InputError: another recast lies there.
    """
    found = record.read(folder)
    told = ("parent", "changes")
    if found is not None and record.same(found, beginning, told):
        return found
    if found is not None:
        raise InputError(
            f"{folder} holds another recast",
            expected="the same capsule and changes",
            found=f"{found['parent']['name']} with {json.dumps(found['changes']['settings'])}"[:200],
            next_step="name another folder with -o DIR",
        )
    return None


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else [folder.name]
