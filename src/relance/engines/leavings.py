"""What an untrusted program leaves in a folder that it could write to, made safe to look at."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


def settle(folder: Path) -> tuple[str, ...]:
    """Remove what would lead a reader or writer of a folder out of it: links and what is no file or folder.

    No program that could write there may run any more. A link that leads elsewhere in the folder stays. Then
    every folder in it can be entered, and no program in it runs as its owner for somebody else. Returns the
    paths that were removed, relative to the folder.
    """
    root = os.path.realpath(folder)
    # All are looked at before one is removed, since links lead by way of others.
    found = [path for path in _suspects(folder) if not (path.is_symlink() and _inside(path, root))]
    for path in found:
        path.unlink()
    return tuple(sorted(str(path.relative_to(folder)) for path in found))


def taken(path: Path, target: Path, limit: int) -> bool:
    """Move a file that an untrusted program wrote; return whether there was one, not above `limit` bytes."""
    try:
        found = path.lstat()
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
        return False
    path.replace(target)
    return True


def printable(value: Any) -> Any:
    """Return text, or what JSON holds of it, without what could steer the terminal that it is printed on."""
    if isinstance(value, str):
        return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in value)
    if isinstance(value, dict):
        return {key: printable(item) for key, item in value.items()}
    return [printable(item) for item in value] if isinstance(value, list) else value


def remove(path: Path, root: Path) -> None:
    """Remove a file, link or folder that lies in `root` whatever its name says, if it does."""
    if not _inside(path.parent, os.path.realpath(root)) or path.name in {"", ".", ".."}:
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _suspects(folder: Path) -> Iterator[Path]:
    """Yield all below a folder that is neither a file nor a folder."""
    for base, folders, files in os.walk(folder, onerror=None):
        for name in folders + files:
            path = Path(base, name)
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                if mode & stat.S_IRWXU != stat.S_IRWXU:
                    with suppress(OSError):
                        path.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)
            elif not stat.S_ISREG(mode):
                yield path
            elif mode & (stat.S_ISUID | stat.S_ISGID):
                path.chmod(stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID))


def _inside(path: Path, root: str) -> bool:
    real = os.path.realpath(path)
    return real == root or real.startswith(f"{root}/")
