from pathlib import Path

import pytest

from relance.engines.standin import measured
from relance.model import UNKNOWN, CodeRecord, JobRecord, JobTimes
from relance.recording import memory
from relance.recording.jobs import FoundJob


def found(command: str | None, peak: int | str = UNKNOWN, output: str = "a") -> FoundJob:
    of = UNKNOWN if peak == UNKNOWN else "all processes"
    record = JobRecord(
        rule="r",
        wildcards={},
        status="ok",
        exit=0,
        attempts=1,
        command=command,
        parameters=(),
        code=CodeRecord("shell"),
        image=None,
        inputs=(),
        outputs=(output,),
        logs=(),
    )
    return FoundJob(record, JobTimes(0.0, 1.0, peak, of), None, None, None, None)


def peaks(jobs: list[FoundJob], *notes: tuple[str, int]) -> list[tuple[int | str, str]]:
    noted = {measured.digest(command): peak for command, peak in notes}
    return [(job.times.peak_memory, job.times.peak_memory_of) for job in memory.told(jobs, noted)]


def test_a_job_has_what_was_noted_of_its_command() -> None:
    jobs = [found("\n    x\n    y\n"), found("z")]
    assert peaks(jobs, ("x\n    y", 7)) == [(7, "largest process"), (UNKNOWN, UNKNOWN)]


def test_a_benchmark_goes_before_it() -> None:
    assert peaks([found("x", 9)], ("x", 7)) == [(9, "all processes")]


def test_jobs_with_one_command_are_not_told_apart() -> None:
    assert peaks([found("x"), found("x", output="b")], ("x", 7)) == [(UNKNOWN, UNKNOWN)] * 2


@pytest.mark.parametrize("command", [None, UNKNOWN, ""])
def test_a_job_without_a_command_takes_nobodys(command: str | None) -> None:
    assert peaks([found(command)], ("", 7), ("None", 7), (UNKNOWN, 7)) == [(UNKNOWN, UNKNOWN)]


def test_of_several_attempts_the_largest_counts_and_other_lines_do_not(tmp_path: Path) -> None:
    file = tmp_path / "memory.tsv"
    file.write_bytes(b"a\t5\na\t3\nb\tmany\nc\n\xff\t\n")
    assert memory.read(file) == {"a": 5}
    assert memory.read(tmp_path / "none") == {}
