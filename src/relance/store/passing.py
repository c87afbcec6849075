"""Large files are read without pushing out of the machine's memory what others have there."""

from __future__ import annotations

import io
import os

_STEP = 1 << 23
"""Bytes after which what was read is forgotten; a file of fewer is left to the kernel."""


class Passing:
    """Lets the kernel forget what is read of a file, if the file wasn't in its memory before."""

    def __init__(self, source: io.FileIO, offset: int, length: int) -> None:
        """`length` bytes are going to be read from `offset` on."""
        self._file = source.fileno()
        self._forgotten = self._read = offset
        # Its beginning and end may be there since somebody looked what it is.
        self._forgets = length >= _STEP and not is_in_memory(source, offset + length // 2)

    def advance(self, count: int) -> None:
        """Hear that so many bytes more were read."""
        self._read += count
        if self._read - self._forgotten >= _STEP:
            self.end()

    def end(self) -> None:
        """Forget what was read until now."""
        if self._forgets and self._read > self._forgotten:  # a length of 0 would mean all that follows
            os.posix_fadvise(
                self._file, self._forgotten, self._read - self._forgotten, os.POSIX_FADV_DONTNEED
            )
        self._forgotten = self._read


def is_in_memory(source: io.FileIO, offset: int) -> bool:
    """Return whether a byte of a file can be had without its disk, or nobody can tell."""
    try:
        os.preadv(source.fileno(), [bytearray(1)], offset, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True  # the file system can't say
    return True
