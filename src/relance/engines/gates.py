"""A gate that a started Snakemake waits at until it may begin; `observer.py` is its other side.

Snakemake takes longer to load than most else that comes before a run. So it is started first, and waits at a
named pipe in a folder that only relance can write to. An empty line opens the gate. The end of the input,
which also comes when relance is killed, means that nothing is to be run. Before the gate nothing of the
analysis is read or imported: who plans and restores there meanwhile is alone with it.

Who waits there can also be asked for the graph of jobs: a copy of the process reads the analysis, and ends.
That is for analyses that are trusted, since it is in no sandbox that would end what it leaves running.
"""

from __future__ import annotations

import json
import os
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOOK = 200  # milliseconds between two looks at whether anybody is still there


@dataclass(frozen=True)
class Answer:
    """What came of a graph that was asked for."""

    status: int
    """Exit status of the copy; minus the signal's number if a signal ended it."""
    said: str
    """What it printed."""


class Gate:
    """A gate, shut at first."""

    def __init__(self, path: Path, end: int) -> None:
        self._path = path
        self._end: int | None = end
        self.opened = False
        """Whether it was ever opened."""

    def open(self) -> None:
        """Let Snakemake begin, at once or when it comes to the gate."""
        if self._end is not None:
            os.write(self._end, b"\n")
            self.opened = True

    def ask(self, words: Sequence[str], alive: Callable[[], bool]) -> Answer:
        """Let a copy of what waits read the graph, and wait for its end.

        Args:
            words: those of `observer.py`, as `snakemake.observed` has them.
            alive: whether anybody waits, or will come to wait.
        """
        asked, answer, said = (_beside(self._path, name) for name in ("asked", "answer", "said"))
        asked.write_text(json.dumps([*words]), encoding="utf-8")
        said.unlink(missing_ok=True)
        os.mkfifo(answer, 0o600)
        end = os.open(answer, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if self._end is not None:
                os.write(self._end, b"graph\n")
            status = _read(end, alive)
        finally:
            os.close(end)
            answer.unlink()
        return Answer(status, said.read_text("utf-8", "replace") if said.exists() else "")

    def give_up(self) -> None:
        """End who waits at it or will come to it, if it wasn't opened."""
        if self._end is not None:
            os.close(self._end)
            self._end = None


@contextmanager
def made(path: Path) -> Iterator[Gate]:
    """Make a gate in a folder that is there; it is given up when the block ends."""
    os.mkfifo(path, 0o600)
    # Open for both: so there is a writer as long as this process lives, and the line waits for its reader.
    gate = Gate(path, os.open(path, os.O_RDWR | os.O_CLOEXEC))
    try:
        yield gate
    finally:
        gate.give_up()


def _beside(gate: Path, name: str) -> Path:
    return gate.with_name(f"{gate.name}-{name}")


def _read(end: int, alive: Callable[[], bool]) -> int:
    """Return the status that is told; 1 if nobody is there to tell it."""
    poll = select.poll()
    poll.register(end, select.POLLIN)
    while not poll.poll(_LOOK):
        if not alive():
            return 1
    told = os.read(end, 64)
    return int(told) if told.strip() else 1
