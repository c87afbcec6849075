"""Files packed with gzip or zstd, unpacked to be compared."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import zstandard

from relance.compare.model import UnreadableError

_CHUNK = 1 << 20
_ZSTD_WINDOW = 1 << 27
_MOST_RATIO = 200
_FREE = 1 << 28

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"


def packed(path: Path) -> str:
    """Return what a file is packed with: `gzip`, `zstd` or nothing."""
    with path.open("rb") as stream:
        mark = stream.read(4)
    return "gzip" if mark.startswith(GZIP) else "zstd" if mark == ZSTD else ""


@contextmanager
def unpacked(path: Path, scratch: Path, name: str) -> Iterator[Path]:
    """Give a file's content, unpacked to `name` in a scratch folder, which is removed afterwards.

    Raises:
        UnreadableError: it is damaged, or unpacks to more than any honest file does.
    """
    target = scratch / name
    try:
        _unpack(path, target)
        yield target
    finally:
        target.unlink(missing_ok=True)


def _unpack(path: Path, target: Path) -> None:
    most = _FREE + _MOST_RATIO * path.stat().st_size
    try:
        with path.open("rb") as source, target.open("wb") as output, _stream(source, packed(path)) as content:
            written = 0
            while part := content.read(_CHUNK):
                written += len(part)
                if written > most:
                    raise UnreadableError(f"it unpacks to more than {most} bytes")
                output.write(part)
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise UnreadableError(f"it can't be unpacked: {error}") from error


def _stream(source: IO[bytes], how: str) -> IO[bytes]:
    if how == "gzip":
        return cast(IO[bytes], gzip.open(source))
    machine = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    return cast(IO[bytes], machine.stream_reader(source, read_across_frames=True))
