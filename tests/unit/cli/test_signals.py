"""Signals end a command in order: the first is heard, and tidying up isn't cut short by a second."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from relance import __version__
from relance.cli import signals


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("number", "raised"),
    [
        (signal.SIGINT, KeyboardInterrupt),
        (signal.SIGTERM, signals.Terminated),
        (signal.SIGHUP, signals.Terminated),
    ],
)
def test_a_second_signal_does_not_keep_from_tidying_up(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    tidied = False
    with pytest.raises(raised), signals.raising():
        try:
            send(number)
        finally:
            send(signal.SIGINT)
            send(signal.SIGTERM)
            tidied = True
    assert tidied


def test_a_signal_that_comes_much_later_is_heard_again() -> None:
    now = 0.0
    with signals.raising(lambda: now):
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        now = 9.0
        send(signal.SIGINT)
        now = 11.0
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_what_follows_a_noted_signal_does_not_interrupt_either() -> None:
    said: list[str] = []
    with signals.raising():
        with signals.noting(lambda: said.append("stopping")) as noted:
            send(signal.SIGTERM)
            send(signal.SIGINT)
        send(signal.SIGINT)
    assert (noted.first, said) == (signal.SIGTERM, ["stopping"])


ENDING = """
import atexit, os, signal, sys
from relance import cli

def again(*_, **__):
    os.kill(os.getpid(), signal.SIGTERM)

class Telling:  # an impatient signal while the end is told
    def write(self, text):
        again()
        sys.__stdout__.write(text)
    def flush(self):
        sys.__stdout__.flush()

if sys.argv.pop() == "interrupted":
    cli.relance.main = again
sys.stderr = Telling()
atexit.register(again)
cli.main()
"""


@pytest.mark.parametrize(
    ("case", "told", "status"),
    [
        ("interrupted", "error: terminated; type the same command to go on\n", 143),
        ("done", f"relance {__version__}\n", 0),
    ],
)
def test_a_signal_while_the_process_ends_does_not_change_its_status(
    case: str, told: str, status: int
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDING, "--version", case], capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == (told, "", status)


def test_a_block_within_another_hears_what_was_heard_around_it() -> None:
    with signals.raising():
        with pytest.raises(signals.Terminated):
            send(signal.SIGTERM)
        with signals.raising():
            send(signal.SIGTERM)
        send(signal.SIGTERM)


HUNG_UP = """
import os, signal, sys
from pathlib import Path
from relance.cli import signals
with signals.noting(lambda: print("stopping", file=sys.stderr, flush=True)) as noted:
    print("ready", flush=True)
    while noted.first is None:
        signal.pause()
    print("tidied", flush=True)
    Path(sys.argv[1]).write_text(noted.first.name)
"""


def test_what_is_printed_to_a_terminal_that_hung_up_is_no_error(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", HUNG_UP, str(tmp_path / "heard")],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - its own terminal
    ) as running:  # fmt: skip
        os.close(theirs)
        assert os.read(ours, 100).startswith(b"ready")
        os.close(ours)
        assert running.wait() == 0
    assert (tmp_path / "heard").read_text() == "SIGHUP"
