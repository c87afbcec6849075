"""Bytes from one open file to another: hashed on the way, shared on disk where the file system can."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Protocol

from relance.model import Digest
from relance.store.hashing import unreadable
from relance.store.passing import Passing

CHUNK = 1 << 17
"""Bytes read at once; a chunk stays in the processor's cache between reading, hashing and writing."""

_LARGE_CHUNK = 1 << 22  # where two threads work on a chunk, waiting for each other should be seldom
_CLONE_RANGE = 0x4020940D  # FICLONERANGE of linux/fs.h
_CANNOT_CLONE = {
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.EXDEV,
    errno.EINVAL,
    errno.EPERM,
    errno.ENOSYS,
    errno.EACCES,
    errno.EBADF,
    errno.EISDIR,
}

Told = Callable[[int], None]
"""Hears the bytes as they are done."""


class _Updating(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...


def filled(  # noqa: PLR0917 - one transfer, said whole
    target: BinaryIO,
    source: io.FileIO,
    offset: int,
    length: int,
    whole: _Updating | None,
    told: Told,
) -> tuple[Digest, int]:
    """Copy bytes of a file; return their digest and number, which is less than `length` at the file's end.

    whole: digest of all of the file, which these bytes go into too.

    Raises:
        InputError: the file can't be read.
    """
    state = hashlib.sha256()
    states: list[_Updating] = [state] if whole is None else [state, whole]
    if cloned(source, offset, length, target, 0):
        # What was cloned is read, not the file: that one may change from now on.
        with io.FileIO(os.open(f"/proc/self/fd/{target.fileno()}", os.O_RDONLY | os.O_CLOEXEC)) as clone:
            size = copied(clone, None, None, states, told)
    else:
        source.seek(offset)
        size = copied(source, target, length, states, told)
    return Digest(f"sha256:{state.hexdigest()}"), size


def copied(
    source: io.FileIO,
    target: BinaryIO | io.RawIOBase | None,
    length: int | None,
    states: list[_Updating],
    told: Told,
) -> int:
    """Read to the end, or `length` bytes, once; hash and write them; return how many there were.

    Raises:
        InputError: the source can't be read.
    """
    first, *others = states
    buffer = memoryview(bytearray(_LARGE_CHUNK if others else CHUNK))
    done = 0
    start = source.tell()
    passing = Passing(source, start, os.fstat(source.fileno()).st_size - start if length is None else length)
    with ExitStack() as stack:
        # A second digest is made beside the first, on a processor core of its own.
        beside = stack.enter_context(ThreadPoolExecutor(len(others))) if others else None
        while count := _read(source, buffer if length is None else buffer[: length - done]):
            data = buffer[:count]
            hashing = [beside.submit(state.update, data) for state in others] if beside else []
            first.update(data)
            _write(target, data)
            for one in hashing:
                one.result()
            done += count
            passing.advance(count)
            told(count)
    passing.end()
    return done


def _read(source: io.FileIO, buffer: memoryview) -> int:
    try:
        return source.readinto(buffer) or 0
    except OSError as error:
        raise unreadable(Path(str(source.name)), error.strerror or str(error)) from error


def _write(target: BinaryIO | io.RawIOBase | None, data: memoryview) -> None:
    # Megabytes at once take several times as long, for the kernel then makes large pieces of its cache.
    while target is not None and data:
        data = data[target.write(data[:CHUNK]) or 0 :]


def cloned(
    source: io.FileIO | BinaryIO, offset: int, length: int, target: io.FileIO | BinaryIO, at: int
) -> bool:
    """Let a range of a file share its blocks with another, copied on write; return whether that worked."""
    if not length:
        return False
    try:
        # An aligned range, or one to the end of the file, which is told by the length 0.
        reach = 0 if offset + length == os.fstat(source.fileno()).st_size else length
        fcntl.ioctl(target.fileno(), _CLONE_RANGE, struct.pack("qQQQ", source.fileno(), offset, reach, at))
    except OSError as error:
        if error.errno in _CANNOT_CLONE:
            return False
        raise
    return True


def hashed(stream: io.FileIO, told: Told) -> Digest:
    """Return the digest of all of a file."""
    stream.seek(0)
    state = hashlib.sha256()
    copied(stream, None, None, [state], told)
    return Digest(f"sha256:{state.hexdigest()}")
