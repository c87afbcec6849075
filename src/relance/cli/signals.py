"""Ctrl-C and the signals of batch systems, noted so that a run can be ended in order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from relance.errors import ExitCode

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminated(BaseException):
    """SIGTERM or SIGHUP came; like KeyboardInterrupt, no handler of errors should take it."""


class Noted:
    """The first signal that came, if any."""

    def __init__(self) -> None:
        self.first: signal.Signals | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit status by which the caller's shell sees that a signal ended the command."""
        return ExitCode.INTERRUPTED if self.first in {None, signal.SIGINT} else ExitCode.TERMINATED


@contextmanager
def raising() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP inside the block into an exception, as Python does with Ctrl-C."""

    def end(_number: int, _: FrameType | None) -> None:
        raise Terminated

    with _handled(end, _ENDING[1:]):
        yield


@contextmanager
def noting(on_first: Callable[[], None]) -> Iterator[Noted]:
    """Note signals inside the block instead of letting them end the process; `on_first` is called once."""
    noted = Noted()

    def note(number: int, _: FrameType | None) -> None:
        if noted.first is None:
            noted.first = signal.Signals(number)
            on_first()

    with _handled(note, _ENDING):
        yield noted


@contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], None], numbers: Iterable[signal.Signals]
) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
