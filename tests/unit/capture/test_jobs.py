"""The order of a captured run's jobs."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from relance.capture import jobs
from relance.model import CodeRecord, JobRecord, JobTimes, RunFacts, RunRecord

FACTS = RunFacts(
    made="during the run", graph=True, status="ok", relance="0", snakemake="9", command=(),
    snakefile="unknown", included=(), configuration_files=(), configuration={},
    configuration_digest="unknown",
    platform="Linux", processor="x", libc="glibc", runtime="podman", runtime_version="4", targets=(),
)  # fmt: skip


def job(rule: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> JobRecord:
    return JobRecord(
        rule=rule, wildcards={}, status="ok", exit=0, attempts=1, command="true", parameters=(),
        code=CodeRecord("shell"), image=None, inputs=inputs, outputs=outputs, logs=(),
    )  # fmt: skip


def record(*found: JobRecord) -> RunRecord:
    times = tuple(JobTimes(0.0, 1.0, "unknown") for _ in found)
    return RunRecord(FACTS, found, (), 0.0, 1.0, times)


def test_a_job_comes_after_what_it_reads_and_names_its_makers() -> None:
    found = jobs.ordered(
        record(job("fit", ("h/a", "h/b"), ("limit",)), job("fill", ("raw",), ("h/a", "h/b")))
    )
    assert [one.record.rule for one in found] == ["fill", "fit"]
    assert found[1].needs == (0,)


def test_a_file_in_a_folder_that_a_job_makes_comes_from_that_job() -> None:
    found = jobs.ordered(record(job("a", ("made/deep/file",), ("x",)), job("z", (), ("made",))))
    assert found[1].needs == (0,)


@given(st.permutations(range(8)), st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_every_order_of_the_record_gives_an_order_that_can_be_run(
    order: list[int], pairs: set[tuple[int, int]]
) -> None:
    edges = {(low, high) for low, high in pairs if low < high}
    made = [
        job(f"r{number}", tuple(f"o{low}" for low, high in sorted(edges) if high == number), (f"o{number}",))
        for number in range(8)
    ]
    found = jobs.ordered(record(*(made[number] for number in order)))
    done: set[str] = set()
    for place, one in enumerate(found):
        assert set(one.record.inputs) <= done
        assert all(needed < place for needed in one.needs)
        done |= set(one.record.outputs)
    assert len(found) == 8


def test_times_stay_with_their_jobs() -> None:
    given_record = record(job("b", ("x",), ("y",)), job("a", (), ("x",)))
    given_record = dataclasses.replace(given_record, times=(JobTimes(5.0, 6.0, 1), JobTimes(2.0, 3.0, 2)))
    found = jobs.ordered(given_record)
    assert [(one.record.rule, one.times.started) for one in found] == [("a", 2.0), ("b", 5.0)]
