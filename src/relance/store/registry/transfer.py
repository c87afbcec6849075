"""Many blobs at once: threads that stop together, and what is told of how far they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from relance.store.cutting import Stopped

_PATIENCE = 2.0  # seconds

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Moved:
    """How far a transfer is: blobs and bytes, of how many; what was there already counts as done."""

    blobs: int
    of_blobs: int
    size: int
    of_size: int


Told = Callable[[Moved], None]


class Tally:
    """Counts what threads move and tells it; raises in all of them once one has failed."""

    def __init__(self, blobs: int, size: int, told: Told) -> None:
        self._told = told
        self._lock = threading.Lock()
        self._now = Moved(0, blobs, 0, size)
        self._stop = threading.Event()

    def add(self, size: int = 0, blobs: int = 0) -> None:
        """Count bytes (fewer than none, if they have to be moved again) and whole blobs.

        Raises:
            Stopped: the work is over.
        """
        self.check()
        with self._lock:
            now = self._now
            self._now = Moved(now.blobs + blobs, now.of_blobs, now.size + size, now.of_size)
            self._told(self._now)

    def check(self) -> None:
        """Raise `Stopped` once the work is over."""
        if self._stop.is_set():
            raise Stopped

    def stop(self) -> None:
        """Let every thread end at its next count."""
        self._stop.set()


def in_parallel(
    items: Sequence[_Item],
    work: Callable[[_Item], None],
    tally: Tally,
    threads: int,
    cut: Callable[[], AbstractContextManager[None]],
) -> None:
    """Do the work for each item in several threads; the first error, or the user's wish, ends all.

    That one is raised: what the others raise comes of it. Who then looks up a name or makes a connection
    can't be woken, is left behind after two seconds, and ends by itself at the latest with the process.

    cut: a block in which no thread waits for a server.
    """
    left: SimpleQueue[_Item] = SimpleQueue()
    for item in items:
        left.put(item)
    ends: SimpleQueue[BaseException | None] = SimpleQueue()

    def run() -> None:
        try:
            for item in _rest(left):
                tally.check()
                work(item)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised in the caller's thread
            ends.put(error)
        else:
            ends.put(None)

    started: list[Thread] = []
    try:
        for _ in range(min(max(1, threads), len(items))):
            thread = Thread(target=run, name="transfer", daemon=True)
            thread.start()
            started.append(thread)
        for _ in started:
            if (error := ends.get()) is not None:
                raise error  # noqa: TRY301 - it ends as the user's wish does
    except BaseException:
        tally.stop()
        with cut():
            latest = time.monotonic() + _PATIENCE
            for thread in started:
                thread.join(max(0.0, latest - time.monotonic()))
        raise


def _rest(left: SimpleQueue[_Item]) -> Iterator[_Item]:
    while True:
        try:
            yield left.get_nowait()
        except Empty:
            return
