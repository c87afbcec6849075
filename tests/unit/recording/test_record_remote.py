"""What a server tells of a run, beside what is known of its jobs: nothing is claimed that neither says."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import capsules

from relance.engines.reana.model import (
    JobLog,
    Login,
    Logs,
    Protocol,
    Server,
    State,
    Status,
    Workflow,
)
from relance.model import UNKNOWN, ImageRecord, JobRecord, JobTimes, RunRecord
from relance.recording import remote
from relance.recording.remote import Told

SERVER = Server("https://reana.example.org", Protocol.JSON, Login.QUERY, None, "jane")
RUN = Workflow("0" * 8 + "-0000-0000-0000-" + "0" * 12, "small.1")
DIGEST = "sha256:" + "a" * 64


def log(name: str, command: str = "", status: str = "finished", **more: object) -> JobLog:
    made = JobLog(f"{name} {command} {more}", name, status, "", command, "")
    return replace(made, **more)


def told(*logs: JobLog, status: Status = Status.FINISHED) -> Told:
    return Told(SERVER, State(RUN, status), Logs("", logs), "9.27.1")


def known(*jobs: JobRecord) -> RunRecord:
    times = tuple(JobTimes(1.0, 2.0, 3) for _ in jobs)
    return RunRecord(capsules.facts(), jobs, (), 1.0, 2.0, times)


def count(sample: str) -> JobRecord:
    return capsules.job("count", f"count {sample}", (), (f"{sample}.txt",))


def statuses(record: RunRecord) -> list[str]:
    return [job.status for job in record.jobs]


def test_jobs_of_a_rule_are_told_apart_by_their_commands() -> None:
    logs = (log("count", "count a"), log("count", "cd /workspace && count b", "failed"))
    made = remote.completed(known(count("a"), count("b")), told(*logs, status=Status.FAILED))
    assert statuses(made) == ["ok", "failed"]
    assert [job.exit for job in made.jobs] == [0, UNKNOWN]
    assert made.run.status == "failed"


def test_the_last_of_several_attempts_counts() -> None:
    logs = (
        log("count", "count a", "finished", started=30.0, ended=40.0),
        log("count", "count a", "failed", started=10.0, ended=20.0),
    )
    made = remote.completed(known(count("a")), told(*logs))
    assert (made.jobs[0].status, made.jobs[0].attempts) == ("ok", 2)
    assert made.times == (JobTimes(30.0, 40.0, UNKNOWN),)
    assert (made.started, made.ended) == (30.0, 40.0)


def test_without_commands_jobs_of_one_rule_are_unknown_and_a_lone_one_is_not() -> None:
    lone = capsules.job("sum", None, (), ("sum.txt",))
    made = remote.completed(known(count("a"), count("b"), lone), told(log("count"), log("count"), log("sum")))
    assert statuses(made) == [UNKNOWN, UNKNOWN, "ok"]
    assert made.times[0] == JobTimes(UNKNOWN, UNKNOWN, UNKNOWN)


@pytest.mark.parametrize(("status", "job"), [(Status.FINISHED, UNKNOWN), (Status.STOPPED, "not run")])
def test_a_job_that_the_server_does_not_tell_of_is_not_said_to_be_done(status: Status, job: str) -> None:
    assert statuses(remote.completed(known(count("a")), told(status=status))) == [job]


def test_a_job_that_only_the_server_knows_is_added_without_files() -> None:
    made = remote.completed(known(), told(log("scattered", "work 7")))
    assert [(job.rule, job.command, job.inputs, job.outputs) for job in made.jobs] == [
        ("scattered", "work 7", (), ())
    ]


def test_the_image_that_the_server_ran_is_the_one_that_is_recorded() -> None:
    job = replace(count("a"), image=ImageRecord("docker://bash:5", config=DIGEST, resolved="run"))
    same = remote.completed(known(job), told(log("count", "count a", image="bash:5")))
    assert same.jobs[0].image == job.image
    other = remote.completed(known(job), told(log("count", "count a", image=f"host/bash@{DIGEST}")))
    assert other.jobs[0].image == ImageRecord(f"docker://host/bash@{DIGEST}", DIGEST, resolved="run")
    tagged = remote.completed(known(job), told(log("count", "count a", image="host/bash:6")))
    assert tagged.jobs[0].image == ImageRecord("docker://host/bash:6")


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["finished", "failed", "running", "odd"]))),
    st.sampled_from(list(Status)),
)
def test_nothing_of_this_machine_and_no_unheard_success_is_recorded(
    said: list[tuple[str, str]], status: Status
) -> None:
    logs = [log("count", f"count {name}", how, id=str(number)) for number, (name, how) in enumerate(said)]
    made = remote.completed(known(count("a"), count("b")), told(*logs, status=status))
    done = {name for name, how in said if how == "finished"}
    for job, name in zip(made.jobs, "ab", strict=False):
        assert job.status != "ok" or name in done
    assert {made.run.platform, made.run.processor, made.run.libc} == {UNKNOWN}
    assert all(times.peak_memory == UNKNOWN for times in made.times)
    assert len(made.times) == len(made.jobs)


def test_what_lies_in_a_folder_is_hashed_and_what_does_not_is_gone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "f").mkdir()
    found = remote.digests(tmp_path, ["f", "a", "b"], tmp_path / "cache.json")
    assert [(file.path, file.kind) for file in found] == [("a", "file"), ("b", "gone"), ("f", "folder")]
    assert found[1].digest == UNKNOWN
