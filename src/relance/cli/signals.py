"""Ctrl-C and the signals of batch systems, noted so that a run can be ended in order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from relance.errors import ExitCode

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Noted:
    """The first signal that came, if any."""

    def __init__(self) -> None:
        self.first: signal.Signals | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit status by which the caller's shell sees that a signal ended the command."""
        return ExitCode.INTERRUPTED if self.first in {None, signal.SIGINT} else ExitCode.TERMINATED


@contextmanager
def noting(on_first: Callable[[], None]) -> Iterator[Noted]:
    """Note signals inside the block instead of letting them end the process; `on_first` is called once."""
    noted = Noted()

    def note(number: int, _: FrameType | None) -> None:
        if noted.first is None:
            noted.first = signal.Signals(number)
            on_first()

    before = {number: signal.signal(number, note) for number in _ENDING}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
