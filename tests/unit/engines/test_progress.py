import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.engines.progress import EventFile, Tracker
from relance.model import StepState


def info(
    job: int, rule: str, time: float, *, inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = ()
) -> dict:
    return {
        "event": "job_info",
        "level": "INFO",
        "jobid": job,
        "rule_name": rule,
        "time": time,
        "input": inputs,
        "output": outputs,
        "log": [],
        "wildcards": {"sample": "ttbar"} if outputs else {},
        "shellcmd": "true",
        "reason": "Missing output files",
        "message": "",
    }


def event(kind: str | None, time: float = 0.0, **fields: object) -> dict:
    return {"event": kind, "level": "INFO", "time": time, "message": "", **fields}


def tracked(*events: dict) -> Tracker:
    tracker = Tracker()
    for item in events:
        tracker.update(item)
    return tracker


def test_a_run_is_followed_from_its_events() -> None:
    tracker = tracked(
        event("run_info", stats={"reduce": 1, "all": 1, "total": 2}),
        info(1, "reduce", 10.0, outputs=("a.root",)),
        event("job_finished", 14.0, job_id=1),
        event("progress", done=1, total=2),
        info(0, "all", 15.0, inputs=("a.root",)),
    )
    first, second = tracker.progress.steps
    assert (first.name, first.state, first.seconds) == ("reduce sample=ttbar", StepState.DONE, 4.0)
    assert tracker.progress.running == (second,)
    assert (tracker.progress.done, tracker.progress.total) == (1, 2)
    assert tracker.results == ("a.root",)


def test_a_failed_step_is_known() -> None:
    tracker = tracked(info(1, "fit", 1.0, outputs=("r.json",)), event("job_error", 3.0, jobid=1))
    assert [step.rule for step in tracker.progress.failed] == ["fit"]
    assert tracker.progress.running == ()


def test_a_retried_step_counts_once() -> None:
    tracker = tracked(
        info(1, "fit", 1.0, outputs=("r.json",)),
        event("job_error", 3.0, jobid=1),
        info(1, "fit", 4.0, outputs=("r.json",)),
        event("job_finished", 5.0, job_id=1),
    )
    assert [(step.state, step.seconds) for step in tracker.progress.steps] == [(StepState.DONE, 1.0)]
    assert tracker.progress.failed == ()


def test_errors_that_belong_to_no_step_are_kept() -> None:
    tracker = tracked(
        event("error", message="no rule"), {**event(None), "level": "ERROR", "message": "no space"}
    )
    assert tracker.errors == ["no rule", "no space"]


def test_without_a_target_the_results_are_what_nothing_reads() -> None:
    tracker = tracked(info(1, "a", 0.0, outputs=("x",)), info(2, "b", 1.0, inputs=("x",), outputs=("y",)))
    assert tracker.results == ("y",)


@pytest.mark.parametrize(("cores", "left"), [(1, 30.0), (2, 15.0), (8, 10.0)])
def test_the_time_left_is_the_mean_of_what_has_finished(cores: int, left: float) -> None:
    tracker = tracked(
        info(1, "a", 0.0, outputs=("x",)),
        event("job_finished", 10.0, job_id=1),
        event("progress", done=1, total=4),
    )
    assert tracker.progress.seconds_left(10.0, cores) == left


def test_nothing_is_said_about_the_time_left_before_anything_has_finished() -> None:
    assert tracked(info(1, "a", 0.0, outputs=("x",))).progress.seconds_left(5.0, 1) is None


@given(st.lists(st.text(), max_size=8), st.lists(st.integers(1, 40), max_size=30))
def test_each_event_is_read_once_however_the_file_grows(
    tmp_path_factory, texts: list[str], cuts: list[int]
) -> None:
    path: Path = tmp_path_factory.mktemp("events") / "events.jsonl"
    data = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)
    events = EventFile(path)
    read = list(events.new())
    position = 0
    with path.open("ab", buffering=0) as stream:
        for cut in [*cuts, len(data)]:
            stream.write(data[position : position + cut])
            position += cut
            read += events.new()
    assert [item["text"] for item in read] == texts
