"""What a run may take, with a machine whose readings the test gives, and real processes with real bounds."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.engines import limits
from relance.engines.limits import UNLIMITED, Guard, Limits, Reading

FREE = Reading(seconds=100.0, memory=8_000_000_000, disk=50_000_000_000, processes=200)


def guard(most: Limits, *later: Reading) -> Guard:
    readings = iter([FREE, *later])
    return Guard(most, lambda: next(readings))


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (Reading(86501.0, FREE.memory, FREE.disk, 200), "at most 24.0 h of time"),
        (Reading(101.0, 700_000_000, FREE.disk, 200), "at most 7.2 GB of memory"),
        (Reading(101.0, FREE.memory, 4_900_000_000, 200), "at most 45.0 GB of disk"),
        (Reading(101.0, FREE.memory, FREE.disk, 4201), "at most 4000 of processes"),
    ],
)
def test_who_takes_most_of_a_machine_is_ended_and_told_why(later: Reading, words: str) -> None:
    watching = guard(Limits(), FREE, later)
    assert not watching.watch()
    assert watching.watch()
    assert watching.problem is not None
    assert words in f"{watching.problem.expected}"
    assert "--limit" in watching.problem.next_step
    assert watching.watch()  # without looking again: it is told once


@given(
    st.builds(
        Reading,
        st.floats(100, 1e12),
        st.integers(0, 1 << 50),
        st.integers(0, 1 << 50),
        st.integers(0, 1 << 22),
    )
)
def test_what_has_no_limit_is_never_ended(later: Reading) -> None:
    assert not guard(UNLIMITED, later).watch()


def test_others_who_give_memory_back_do_no_harm() -> None:
    assert not guard(Limits(memory=1), Reading(101.0, FREE.memory + 5, FREE.disk, 1)).watch()


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    found = limits.read(tmp_path)
    assert min(found.memory, found.disk, found.processes) > 0


def bounded(most: Limits, command: str) -> "subprocess.CompletedProcess[str]":
    line = limits.bounded(most, ["/bin/bash", "-c", command])
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_no_process_writes_a_larger_file_or_takes_more_memory(tmp_path: Path) -> None:
    most = Limits(disk=1_000_000, memory=100_000_000)
    file = tmp_path / "file"
    assert bounded(most, f"head -c 2000000 /dev/zero > {file}").returncode != 0
    assert file.stat().st_size <= 1_000_000
    assert bounded(most, "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}").returncode != 0
    told = bounded(most, 'cat /proc/self/oom_score_adj; ulimit -c; echo "$0 $1"')
    assert told.stdout.split()[:2] == ["1000", "0"]


@pytest.mark.parametrize("option", ["-f", "-d"])
def test_what_has_no_limit_has_the_bounds_that_it_had(option: str) -> None:
    asked = ["/bin/bash", "-c", f"ulimit {option}"]
    before = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert bounded(UNLIMITED, asked[2]).stdout == before
