"""Content that is kept in several blobs, read as the one file that it is."""

from __future__ import annotations

import io
import os
from itertools import accumulate

from relance.model import Stored


class Joined(io.RawIOBase):
    """Blobs read one after the other as one file.

    streams: of the blobs, in their order; whoever opened them closes them.
    """

    def __init__(self, streams: list[io.FileIO], stored: Stored) -> None:
        self._pieces = list(zip(streams, stored.blobs, offsets(stored), strict=True))
        self._size = stored.size
        self._at = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that any place of it can be read."""
        return True

    def tell(self) -> int:
        """Return the place that is read next, in bytes from the beginning."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Choose the place that is read next, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # any buffer that readers give
        """Read into a buffer, up to the end of a blob; return the number of bytes."""
        for stream, part, begin in self._pieces:
            if begin <= self._at < begin + part.size:
                stream.seek(self._at - begin)
                count = stream.readinto(memoryview(buffer)[: begin + part.size - self._at]) or 0
                self._at += count
                return count
        return 0


def offsets(stored: Stored) -> list[int]:
    """Return where in the file each blob begins, in bytes."""
    return [0, *accumulate(part.size for part in stored.blobs[:-1])]
