import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from relance.engines import process

STUBBORN = "trap '' INT TERM; sleep 60 & echo $! > child; touch ready; wait; wait"
OBEDIENT = "trap 'touch tidied; exit 1' INT; touch ready; while true; do sleep 0.05; done"


def run(
    folder: Path, script: str, number: signal.Signals | None, patience: process.Patience
) -> process.Ending:
    ready = folder / "ready"
    return process.run(
        ["bash", "-c", script],
        folder=folder,
        environment=os.environ,
        console=folder / "console",
        beat=lambda: None,
        stop=lambda: number if ready.exists() else None,
        patience=patience,
    )


def gone(pid: int) -> bool:
    """Whether a process ends; a killed one whose parent has ended too takes a moment to."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid):
            return True
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        time.sleep(0.01)
    return False


def test_a_process_runs_to_its_end_and_its_output_is_kept(tmp_path: Path) -> None:
    beats: list[int] = []

    def beat() -> None:
        beats.append(len(beats))
        if len(beats) == 3:
            (tmp_path / "enough").touch()

    ending = process.run(
        ["/bin/sh", "-c", "echo out; while [ ! -e enough ]; do sleep 0.05; done; exit 3"],
        folder=tmp_path,
        environment={"PATH": os.environ["PATH"]},
        console=tmp_path / "console",
        beat=beat,
        stop=lambda: None,
    )
    assert ending == process.Ending(3, None, killed=False)
    assert (tmp_path / "console").read_text() == "out\n"
    assert len(beats) >= 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_process_may_tidy_up(tmp_path: Path, number: signal.Signals) -> None:
    ending = run(tmp_path, OBEDIENT, number, process.Patience())
    assert ending == process.Ending(1, number, killed=False)
    assert (tmp_path / "tidied").exists()


def test_a_process_that_does_not_listen_is_killed_with_its_children(tmp_path: Path) -> None:
    ending = run(tmp_path, STUBBORN, signal.SIGINT, process.Patience(interrupt=0.2, terminate=0.2))
    assert ending == process.Ending(-signal.SIGKILL, signal.SIGINT, killed=True)
    assert gone(int((tmp_path / "child").read_text()))


def test_an_error_of_the_caller_ends_the_process(tmp_path: Path) -> None:
    before = set(psutil.Process().children())

    def beat() -> None:
        raise RuntimeError("a display that breaks")

    with pytest.raises(RuntimeError, match="breaks"):
        process.run(
            ["sleep", "60"],
            folder=tmp_path,
            environment=os.environ,
            console=tmp_path / "console",
            beat=beat,
            stop=lambda: None,
        )
    assert not set(psutil.Process().children()) - before
