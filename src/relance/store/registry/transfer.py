"""Many blobs at once: threads that stop together, and what is told of how far they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Moved:
    """How far a transfer is: blobs and bytes, of how many; what was there already counts as done."""

    blobs: int
    of_blobs: int
    size: int
    of_size: int


Told = Callable[[Moved], None]


class Stopped(Exception):  # noqa: N818 - no error: another thread's error ended the work
    """The transfer ends because another part of it failed or the user stopped it."""


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


def in_parallel(items: Sequence[_Item], work: Callable[[_Item], None], tally: Tally, threads: int) -> None:
    """Do the work for each item in several threads; the first error ends all and is raised."""
    with ThreadPoolExecutor(max(1, threads), thread_name_prefix="transfer") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            tally.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        failed = [future for future in done if future.exception() is not None]
        if failed:
            tally.stop()
            pool.shutdown(wait=True, cancel_futures=True)
        errors = [future.exception() for future in futures if future.done() and not future.cancelled()]
        for error in errors:
            if error is not None and not isinstance(error, Stopped):
                raise error
