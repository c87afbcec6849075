"""Compressed text streams, chosen by suffix: .gz, .zst, .zstd, or plain for any other."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from dilepton.errors import AnalysisError

_GZIP = (".gz",)
_ZSTANDARD = (".zst", ".zstd")
_GZIP_LEVEL = 4
_ZSTANDARD_LEVEL = 3
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
    """A file read once from start to end, decompressed by what it holds, whatever its name.

    Attributes:
        tail: the last bytes read so far, at most TAIL.
        error: why reading stopped before the end, if it did; pyhepmc swallows what `readinto` raises.
    """

    TAIL = 4096

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
        self._pending = b""
        self.tail = b""
        self.error: CompressionError | None = None

    def peek(self, size: int) -> bytes:
        """The first bytes, before anything is read; they will be read again."""
        self._pending = self._read(size)
        return self._pending

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as the file goes; 0 at its end, and where it cannot be read further."""
        data, self._pending = self._pending[: len(buffer)], self._pending[len(buffer) :]
        data = data or self._read(len(buffer))
        buffer[: len(data)] = data
        if data:
            self.tail = (self.tail + data)[-self.TAIL :]
        return len(data)

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except (EOFError, zlib.error, OSError, zstandard.ZstdError) as error:
            self.error = CompressionError(
                f"'{self._path}': expected a complete file, found that it is cut off or damaged ({error}); "
                "make it or copy it again"
            )
            return b""

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._raw.close()


def _decompressed(raw: BinaryIO, magic: bytes) -> BinaryIO:
    if magic.startswith(_GZIP_MAGIC):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw, mode="rb"))
    if magic.startswith(_ZSTANDARD_MAGIC):
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=False)
        return cast(BinaryIO, reader)
    return raw
