"""Ctrl-C and the signals of batch systems, so that what a command does is ended in order, and once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from relance.errors import ExitCode

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HELD = 10.0  # seconds in which what tidies up isn't interrupted by an impatient second signal
_PRINTED = (1, 2)

_Handler = Callable[[int, FrameType | None], None]


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


class _Raising:
    """Raises an exception for a signal, unless the command is already ending because of one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held = float("-inf")
        self._terminal = _on_terminal()

    def __call__(self, number: int, _: FrameType | None) -> None:
        if self._clock() >= self._held:
            self.hold(number)
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    def hold(self, number: int) -> None:
        """Take a signal as heard: those that follow soon raise nothing."""
        self._held = self._clock() + _HELD
        if number == signal.SIGHUP:
            _leave(self._terminal)


@contextmanager
def raising(clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Turn signals inside the block into an exception, as Python does with Ctrl-C.

    A second one within ten seconds does nothing: it would keep from tidying up what the first one ended.
    Within another such block, or after `raise_until_exit`, what was heard there counts here, and the
    other way round.
    """
    if isinstance(signal.getsignal(signal.SIGINT), _Raising):
        yield
        return
    with _handled(_Raising(clock)):
        yield


def raise_until_exit() -> None:
    """Do as `raising` for all that the process does from now on, what it does between such blocks too."""
    handler = _Raising(time.monotonic)
    for number in _ENDING:
        signal.signal(number, handler)


def ignore() -> None:
    """Let signals do nothing more: the process is about to exit, with a status that should be the one seen.

    Python puts back what kills a process while it shuts down, unless signals are ignored.
    """
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def noting(on_first: Callable[[], None]) -> Iterator[Noted]:
    """Note signals inside the block instead of letting them end the process; `on_first` is called once.

    After the block, too, one that follows soon does nothing in a block of `raising` around it.
    """
    noted = Noted()
    terminal = _on_terminal()
    around = signal.getsignal(signal.SIGINT)

    def note(number: int, _: FrameType | None) -> None:
        if isinstance(around, _Raising):
            around.hold(number)
        if number == signal.SIGHUP:
            _leave(terminal)
        if noted.first is None:
            noted.first = signal.Signals(number)
            on_first()

    with _handled(note):
        yield noted


@contextmanager
def _handled(handler: _Handler, numbers: Iterable[signal.Signals] = _ENDING) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _on_terminal() -> tuple[int, ...]:
    """Return which of the descriptors that are printed to lead to a terminal."""
    return tuple(number for number in _PRINTED if os.isatty(number))


def _leave(terminal: Iterable[int]) -> None:
    """Print nowhere any more if the terminal is gone: the error would cut the end short."""
    for number in terminal:
        if not os.isatty(number):
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)
