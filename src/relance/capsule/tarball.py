"""Tar files that capsules travel in, read without trust: plain files, each once, found by headers alone.

Only what this needs of the format (POSIX.1-1988, with GNU's numbers above 8 GiB): no links, devices, sparse
files or extended headers, so that nothing in it can mean anything but a name and bytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from relance.errors import InputError

_BLOCK = 512
_MOST_ENTRIES = 4_000_000
_FILES = (b"0", b"\0")
_FOLDER = b"5"
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"S": "a sparse file",
    b"x": "an extended header",
    b"g": "an extended header",
    b"L": "a long name",
    b"K": "a long link",
}


@dataclass(frozen=True)
class Member:
    """Where a file's bytes lie in the tar, and how many there are."""

    offset: int
    size: int


def members(path: Path, stream: BinaryIO) -> dict[str, Member]:
    """Return the files of a tar by name; `path` is for messages.

    Raises:
        InputError: it is no tar, ends too early, or holds anything but files and folders with plain names
            below it, each once.
    """
    found: dict[str, Member] = {}
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise _refusal(path, "a file", "a folder, pipe or device")
    for name, kind, member in _headers(path, stream, status.st_size):
        if kind == _FOLDER:
            if member.size:
                raise _refusal(path, "folders without content", ascii(name))
        elif kind not in _FILES:
            raise _refusal(path, "files and folders", f"{_KINDS.get(kind, 'something else')}, {name!a}")
        elif name in found:
            raise _refusal(path, "each file once", f"two of the name {name}")
        else:
            found[name] = member
        if len(found) > _MOST_ENTRIES:
            raise _refusal(path, f"at most {_MOST_ENTRIES} files", "more")
    return found


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for `members`, not waiting for a pipe's other end.

    Raises:
        InputError: it can't be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        stream = os.fdopen(handle, "rb")
    except OSError as error:
        raise InputError(
            f"{path} can't be read",
            expected="a file",
            found=error.strerror or str(error),
            next_step="check the name and the permissions",
        ) from error
    with stream:
        yield stream


def _headers(path: Path, stream: BinaryIO, end: int) -> Iterator[tuple[str, bytes, Member]]:
    at = 0
    while True:
        stream.seek(at)
        header = stream.read(_BLOCK)
        if len(header) < _BLOCK:
            raise _refusal(path, "a whole tar", f"its end after {at} bytes, without the mark of the end")
        if not any(header):
            return
        # The sum counts its own field as spaces.
        if _number(header[148:156]) != sum(header[:148]) + sum(header[156:]) + 8 * ord(" "):
            raise _refusal(
                path,
                "a tar that isn't compressed" if at == 0 else "a header",
                f"something else at byte {at}",
            )
        size = _number(header[124:136])
        offset = at + _BLOCK
        name = _name(path, header)
        if size is None or offset + size > end:
            raise _refusal(path, "a whole tar", f"only a part of {name!a}")
        yield name, header[156:157], Member(offset, size)
        at = offset + -(-size // _BLOCK) * _BLOCK


def _name(path: Path, header: bytes) -> str:
    raw = header[:100].partition(b"\0")[0]
    before = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    try:
        text = b"/".join(part for part in (before, raw) if part).decode("ascii")
    except UnicodeDecodeError:
        raise _refusal(path, "names in ASCII", ascii(raw)) from None
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if text.startswith("/") or ".." in parts or not text.isprintable() or "\\" in text:
        raise _refusal(path, "names below the tar", ascii(text))
    return "/".join(parts)


def _number(field: bytes) -> int | None:
    if field[0] == 0x80:  # GNU's way to write what eleven octal digits can't
        return int.from_bytes(field[1:], "big")
    text = field.rstrip(b" \0").lstrip(b" ")
    if not text:
        return 0
    return int(text, 8) if all(digit in b"01234567" for digit in text) else None


def _refusal(path: Path, expected: str, found: str) -> InputError:
    return InputError(
        f"{path} can't be read as a capsule's tar file",
        expected=expected,
        found=found,
        next_step="get it again; if it stays like this, don't trust it",
    )
