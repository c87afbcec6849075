"""Locks between processes, and folders that a group shares."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_GROUP = stat.S_IRWXG | stat.S_ISGID


@contextmanager
def locked(path: Path, *, shared: bool, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of a file, which is made where there is none, during the block.

    The system gives it up when the process ends, however it ends. It excludes other threads too, since each
    call opens the file anew. `waiting` is called once if somebody else holds it.
    """
    make_folder(path.parent)
    handle = _open(path)
    try:
        wanted = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        if not _taken(handle, wanted | fcntl.LOCK_NB):
            waiting()
            _taken(handle, wanted)
        yield
    finally:
        os.close(handle)


def hold(handle: int) -> None:
    """Lock an open file for as long as it is open; where the file system knows no locks, nothing happens."""
    _taken(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def wait_for(handle: int) -> None:
    """Lock an open file for as long as it is open, once nobody else holds its lock."""
    _taken(handle, fcntl.LOCK_EX)


def held(path: Path) -> bool:
    """Tell whether some process holds the lock of a file.

    Raises:
        FileNotFoundError: it is gone.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return not _taken(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; each new one gives the group the rights that its parent gives."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        shared = new.parent.stat().st_mode & _GROUP
        new.mkdir(exist_ok=True)
        mode = stat.S_IMODE(new.stat().st_mode)
        if shared & stat.S_IWGRP and mode | shared != mode:
            try:
                new.chmod(mode | shared)
            except PermissionError:  # another user made it at the same moment, and gives it these rights
                continue


def group_writable(folder: Path) -> bool:
    """Tell whether the group of a folder may write in it."""
    return bool(folder.stat().st_mode & stat.S_IWGRP)


def _open(path: Path) -> int:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError:
        # Another user's, of a folder that no group shares or made a moment ago: reading is enough for flock.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if group_writable(path.parent) and os.fstat(handle).st_uid == os.geteuid():
            os.fchmod(handle, 0o664)
    except OSError:
        os.close(handle)
        raise
    return handle


def _taken(handle: int, wanted: int) -> bool:
    try:
        fcntl.flock(handle, wanted)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        if error.errno in {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}:
            return True
        raise
    return True
