"""A gate that a started Snakemake waits at until it may begin; `observer.py` is its other side.

Snakemake takes longer to load than most else that comes before a run. So it is started first, and waits at a
named pipe in a folder that only relance can write to. A byte opens the gate. The end of the input, which also
comes when relance is killed, means that nothing is to be run. Before the gate nothing of the analysis is read
or imported: who plans and restores there meanwhile is alone with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Gate:
    """A gate, shut at first."""

    def __init__(self, end: int) -> None:
        self._end: int | None = end
        self.opened = False
        """Whether it was ever opened."""

    def open(self) -> None:
        """Let Snakemake begin, at once or when it comes to the gate."""
        if self._end is not None:
            os.write(self._end, b"\n")
            self.opened = True

    def give_up(self) -> None:
        """End who waits at it or will come to it, if it wasn't opened."""
        if self._end is not None:
            os.close(self._end)
            self._end = None


@contextmanager
def made(path: Path) -> Iterator[Gate]:
    """Make a gate in a folder that is there; it is given up when the block ends."""
    os.mkfifo(path, 0o600)
    # Open for both: so there is a writer as long as this process lives, and the byte waits for its reader.
    gate = Gate(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    try:
        yield gate
    finally:
        gate.give_up()
