"""Layers unpacked from gzip and Zstandard, as far as they can be believed to be layers."""

from __future__ import annotations

import gzip
import zlib
from contextlib import AbstractContextManager, nullcontext
from typing import IO, BinaryIO, cast

import zstandard

from relance.errors import InputError
from relance.store.blobs import BlobWriter

_BLOCK = 1 << 20
_ALWAYS = 1 << 30
"""Bytes that a layer may have, however small it is packed."""
_MOST_TIMES = 100
"""Times that a larger one may grow; layers of real images grow up to 20 times."""
_WINDOW = 1 << 27  # bytes of memory that a hostile frame can ask for
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = tuple(bytes((low, 0x2A, 0x4D, 0x18)) for low in range(0x50, 0x60))


def unpack(packed: BinaryIO, size: int, output: BlobWriter, subject: str) -> None:
    """Write what a stream of `size` bytes unpacks to; how it is packed is told from how it begins.

    Raises:
        InputError: it is damaged, or unpacks to far more than a layer would; `subject` begins the message.
    """
    most = max(_ALWAYS, size * _MOST_TIMES)
    start = packed.read(4)
    packed.seek(0)
    try:
        with _plain(packed, start) as plain:
            while data := plain.read(_BLOCK):
                if output.size + len(data) > most:
                    raise _refusal(subject, f"at most {most} bytes, unpacked", "more, as if to fill the disk")
                output.write(data)
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise _refusal(subject, "whole gzip or Zstandard data", str(error)) from error


def plain(packed: BinaryIO) -> AbstractContextManager[IO[bytes]]:
    """Give what a seekable stream unpacks to, read as it comes; one that isn't packed gives itself."""
    start = packed.read(4)
    packed.seek(0)
    return _plain(packed, start)


def _plain(packed: BinaryIO, start: bytes) -> AbstractContextManager[IO[bytes]]:
    if start[:2] == _GZIP:
        return cast(IO[bytes], gzip.GzipFile(fileobj=packed))
    if start == _ZSTD or start in _SKIPPABLE:
        unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        return cast(IO[bytes], unpacker.stream_reader(packed, read_across_frames=True, closefd=False))
    return nullcontext(packed)


def _refusal(subject: str, expected: str, found: str) -> InputError:
    return InputError(
        f"{subject} can't be unpacked",
        expected=expected,
        found=found,
        next_step="get the image from its publisher again; if this stays, don't trust it",
    )
