"""What is said of a job where its run and the workflow as it is now tell different things."""

from pathlib import Path
from typing import Any

import pytest

from relance.model import UNKNOWN
from relance.recording import jobs
from relance.recording.jobs import FoundJob
from relance.recording.sources import EventJob, Events, Graph, Metadata

NOW: dict[str, Any] = {
    "rule": "count",
    "input": ["data.txt"],
    "output": ["count.txt"],
    "log": [],
    "wildcards": {},
    "params": [{"name": "least", "value": 3, "exact": True}],
    "benchmark": None,
    "shellcmd": "count --least 3",
    "kind": "shell",
    "image": "docker://count:2",
    "script": None,
    "environment": None,
    "temporary": [],
    "protected": [],
    "directories": [],
    "threads": 1,
}


def found(
    folder: Path,
    command: str,
    *,
    failed: bool = False,
    ended: float | None = 2.0,
    metadata: Metadata | None = None,
) -> FoundJob:
    """Return a job that ran with a command, in a workflow that now has another or the same."""
    fields = {**NOW, "rule_name": "count", "shellcmd": command}
    event = EventJob(fields, 1, 1.0, ended, failed, 7 if failed else None)
    graph, events = Graph((NOW,), "Snakefile", (), {}, ()), Events((event,), {}, (), None, 1.0, 2.0)
    (job,) = jobs.find(folder, graph, events, metadata or Metadata())
    return job


def test_of_a_job_that_ran_otherwise_than_the_workflow_says_now_its_image_is_unknown(tmp_path: Path) -> None:
    same = found(tmp_path, "count --least 3")
    assert (same.image, same.record.threads) == ("docker://count:2", 1)
    assert same.record.parameters != UNKNOWN
    other = found(tmp_path, "count --least 2")
    assert (other.record.command, other.image) == ("count --least 2", UNKNOWN)
    assert (other.record.parameters, other.record.temporary) == (UNKNOWN, UNKNOWN)


@pytest.mark.parametrize(
    ("failed", "ended", "status", "code"),
    [(False, 2.0, "ok", 0), (True, 2.0, "failed", 7), (False, None, "unfinished", None)],
)
def test_a_job_ended_as_its_events_say(
    tmp_path: Path, failed: bool, ended: float | None, status: str, code: int | None
) -> None:
    job = found(tmp_path, NOW["shellcmd"], failed=failed, ended=ended)
    assert (job.record.status, job.record.exit) == (status, code)


def test_where_no_end_is_told_a_job_ended_well_if_it_was_noted_and_its_results_are_there(
    tmp_path: Path,
) -> None:
    noted = Metadata({"count.txt": {"rule": "count", "input": ["data.txt"], "endtime": 2.0}})
    gone = found(tmp_path, NOW["shellcmd"], ended=None, metadata=noted)
    (tmp_path / "count.txt").touch()
    there = found(tmp_path, NOW["shellcmd"], ended=None, metadata=noted)
    assert (gone.record.status, there.record.status) == ("unfinished", "ok")
