"""Compressed text streams, chosen by suffix: .gz, .zst, .zstd, or plain for any other."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import zstandard

from dilepton.errors import AnalysisError

_GZIP = (".gz",)
_ZSTANDARD = (".zst", ".zstd")
_GZIP_LEVEL = 4
_ZSTANDARD_LEVEL = 3
_PACKED = 1 << 14
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTANDARD_MAGIC = b"\x28\xb5\x2f\xfd"


class CompressionError(AnalysisError):
    """A compressed file that cannot be read to its end."""


@contextmanager
def appended(raw: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    """A stream that appends one compressed member (gzip) or frame (zstd) to `raw`, or plain bytes.

    Members carry neither a time nor a name: equal contents are equal bytes. Several members one after
    another read as their concatenation.
    """
    if suffix in _GZIP:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=raw, mtime=0) as stream:
            yield cast(BinaryIO, stream)
    elif suffix in _ZSTANDARD:
        compressor = zstandard.ZstdCompressor(level=_ZSTANDARD_LEVEL)
        with compressor.stream_writer(raw, closefd=False) as stream:
            yield cast(BinaryIO, stream)
    else:
        yield raw


class Source:
    """A file read once from start to end, decompressed by what it holds, whatever its name."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be opened.
        """
        self._path = path
        self._raw = path.open("rb")
        magic = self._raw.read(4)
        self._raw.seek(0)
        self._stream = _decompressed(self._raw, magic)

    def read(self, size: int) -> bytes:
        """At least one byte and at most `size`; none at the end.

        Raises:
            CompressionError: the compressed data end too soon or are damaged.
        """
        try:
            return self._stream.read(size)
        except (EOFError, zlib.error, OSError, zstandard.ZstdError) as error:
            raise CompressionError(
                f"'{self._path}': expected a complete file, found that it is cut off or damaged ({error}); "
                "make it or copy it again"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._raw.close()


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _decompressed(raw: BinaryIO, magic: bytes) -> _Readable:
    if magic.startswith(_GZIP_MAGIC):
        return gzip.GzipFile(fileobj=raw, mode="rb")
    if magic.startswith(_ZSTANDARD_MAGIC):
        return _Frames(raw)
    return raw


class _Frames:
    """Zstandard frames one after another; unlike the library's reader, it tells when the last is cut off."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._inside = False
        self._ready = b""

    def read(self, size: int, /) -> bytes:
        while not self._ready:
            packed = (self._frame.unused_data if self._frame.eof else b"") or self._raw.read(_PACKED)
            if not packed:
                if self._inside:
                    raise EOFError("compressed data ended before the end of their frame")
                return b""
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._ready = self._frame.decompress(packed)
            self._inside = not self._frame.eof
        given, self._ready = self._ready[:size], self._ready[size:]
        return given
