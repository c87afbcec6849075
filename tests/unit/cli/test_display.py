import io
import os
import pty
import threading
from collections.abc import Mapping

import pytest

from relance.cli import display
from relance.engines.progress import Progress
from relance.model import StepProgress, StepState


def step(job: int, state: StepState, seconds: float | None = None, **wildcards: str) -> StepProgress:
    named: Mapping[str, str] = wildcards
    return StepProgress(job, "reduce", named, state, 100.0, seconds, outputs=(f"{job}.root",))


RUNNING = step(1, StepState.RUNNING, sample="ttbar")
DONE = step(1, StepState.DONE, 12.0, sample="ttbar")
FAILED = step(2, StepState.FAILED, 3.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (185, "3 min 05 s"),
        (59.6, "1 min 00 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_a_time_is_written_as_people_say_it(seconds: float, text: str) -> None:
    assert display.duration(seconds) == text


def test_lines_tell_each_start_and_end_once() -> None:
    stream = io.StringIO()
    show = display.Lines(stream, cores=1, clock=lambda: 112.0)
    for progress in (
        Progress((RUNNING,), total=3, done=0),
        Progress((RUNNING,), total=3, done=0),
        Progress((DONE,), total=3, done=1),
        Progress((DONE, FAILED), total=3, done=1),
    ):
        show(progress)
    assert stream.getvalue().splitlines() == [
        "      reduce sample=ttbar",
        "[1/3] reduce sample=ttbar: done in 12 s; about 24 s left",
        "      reduce",
        "[1/3] reduce: FAILED after 3.0 s",
    ]


def test_quiet_shows_nothing() -> None:
    stream = io.StringIO()
    with display.showing(stream, 1, quiet=True) as show:
        show(Progress((DONE,), 1, 1))
    assert stream.getvalue() == ""


def test_a_terminal_sees_finished_and_running_steps_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    master, slave = pty.openpty()
    read: list[bytes] = []

    def drain() -> None:
        try:
            while data := os.read(master, 4096):
                read.append(data)
        except OSError:  # Linux says so at the end
            return

    reader = threading.Thread(target=drain)
    reader.start()
    with os.fdopen(slave, "w") as stream, display.showing(stream, 1, quiet=False) as show:
        show(Progress((), 0, 0))
        show(Progress((DONE, step(3, StepState.RUNNING, sample="dy")), total=3, done=1))
    reader.join(10)
    os.close(master)
    text = b"".join(read).decode()
    for part in ("✓ reduce sample=ttbar  12 s", "reduce sample=dy", "1 of 3 steps", "left"):
        assert part in text
