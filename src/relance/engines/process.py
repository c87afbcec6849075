"""A long-running child process with all its descendants, ended as a whole when it must stop."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

_BEAT = 0.1  # seconds between two looks

# Reads the group's number, then waits: a line means that the run ended in order, the end of the input that
# relance was killed. The arguments are the patience after SIGINT and after SIGTERM in tenths of a second.
_WATCHDOG = """
read -r group || exit 0
read -r _ && exit 0
for signal in INT TERM KILL; do
    kill -s "$signal" -- "-$group" 2>/dev/null || exit 0
    left=${1:-0}; shift
    while [ "$left" -gt 0 ]; do
        kill -s 0 -- "-$group" 2>/dev/null || exit 0
        sleep 0.1
        left=$((left - 1))
    done
done
"""


@dataclass(frozen=True)
class Patience:
    """How long a stopped process may take, in seconds, before a harder signal is sent."""

    interrupt: float = 15.0
    """After SIGINT, on which Snakemake removes what is half-written."""
    terminate: float = 5.0
    """After SIGTERM; then comes SIGKILL."""


@dataclass(frozen=True)
class Ending:
    """How a process ended."""

    status: int
    """Exit status; minus the signal's number if a signal ended it."""
    stopped_by: signal.Signals | None
    """The signal that the caller asked to stop it with, if any."""
    killed: bool
    """Whether it had to be killed, so that it could not tidy up."""


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    console: Path,
    beat: Callable[[], None],
    stop: Callable[[], signal.Signals | None],
    patience: Patience = Patience(),
) -> Ending:
    """Run a command to its end, calling `beat` ten times a second and `stop` to learn whether to end it.

    `stop` returns the signal that it is ended for: SIGKILL ends it at once, others give it time to tidy up.

    The command is the leader of a process group of its own: a signal for it reaches every job at once, as
    Ctrl-C in a terminal would, and no other signal of the terminal does. When this process is killed, the
    command is ended in the same way.
    """
    with started(
        command, folder=folder, environment=environment, console=console, patience=patience
    ) as child:
        return child.attend(beat, stop)


@contextmanager
def started(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    console: Path,
    patience: Patience = Patience(),
) -> Iterator[Child]:
    """Start a command as `run` does; if nobody has attended to its end when the block ends, it is killed."""
    with _watchdog(patience) as tell, console.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        tell(str(process.pid))
        try:
            yield Child(process, patience)
        finally:
            if process.poll() is None:
                _signal_group(process.pid, signal.SIGKILL)
                process.wait()
            tell("the end")


@dataclass(frozen=True)
class Child:
    """A command that was started."""

    process: subprocess.Popen[bytes]
    patience: Patience

    def attend(self, beat: Callable[[], None], stop: Callable[[], signal.Signals | None]) -> Ending:
        """Wait for its end; `beat` and `stop` are as in `run`."""
        asked, last_word = _attend(self.process, beat, stop, self.patience)
        if asked is not None:
            _signal_group(self.process.pid, signal.SIGTERM)  # whatever a job left behind
        beat()
        return Ending(self.process.returncode, asked, last_word is signal.SIGKILL)

    def leave(self, seconds: float) -> None:
        """Give it some time to end by itself."""
        _wait(self.process, seconds)


def _attend(
    child: subprocess.Popen[bytes],
    beat: Callable[[], None],
    stop: Callable[[], signal.Signals | None],
    patience: Patience,
) -> tuple[signal.Signals | None, signal.Signals | None]:
    """Wait for the end; return what the caller asked to stop with and the last signal sent."""
    asked: signal.Signals | None = None
    last_word: signal.Signals | None = None
    deadline = 0.0
    try:
        while child.poll() is None:
            beat()
            asked = asked or stop()
            if asked is not None and time.monotonic() >= deadline:
                last_word, pause = _next_signal(last_word if asked is not signal.SIGKILL else asked, patience)
                deadline = time.monotonic() + pause
                _signal_group(child.pid, last_word)
            _wait(child, _BEAT)
    except BaseException:
        _signal_group(child.pid, signal.SIGKILL)
        child.wait()
        raise
    return asked, last_word


@contextmanager
def _watchdog(patience: Patience) -> Iterator[Callable[[str], None]]:
    """Start a process that outlives this one if this one is killed; give a function that tells it a line."""
    tenths = [str(round(10 * seconds)) for seconds in (patience.interrupt, patience.terminate)]
    with subprocess.Popen(
        ["/bin/sh", "-c", _WATCHDOG, "relance-watchdog", *tenths],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as guard:

        def tell(line: str) -> None:
            stream = cast(IO[bytes], guard.stdin)
            with suppress(BrokenPipeError):  # killed by someone: the run goes on without it
                stream.write(f"{line}\n".encode())
                stream.flush()

        yield tell


def _next_signal(last: signal.Signals | None, patience: Patience) -> tuple[signal.Signals, float]:
    if last is None:
        return signal.SIGINT, patience.interrupt
    if last is signal.SIGINT:
        return signal.SIGTERM, patience.terminate
    return signal.SIGKILL, patience.terminate


def _signal_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return


def _wait(child: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return
