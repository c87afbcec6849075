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
        "shellcmd": "true" if outputs else None,
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
    (step,) = tracker.progress.steps
    assert (step.name, step.state, step.seconds) == ("reduce sample=ttbar", StepState.DONE, 4.0)
    assert (tracker.progress.done, tracker.progress.total) == (1, 1)
    assert tracker.results == ("a.root",)


@pytest.mark.parametrize("target", ["all", "paper"])
def test_the_rule_that_only_names_what_is_wanted_is_no_step(target: str) -> None:
    events = [
        event("run_info", stats={"fit": 2, target: 1, "total": 3}),
        info(1, "fit", 1.0, outputs=("a",)),
        info(2, "fit", 1.0, outputs=("b",)),
        event("job_finished", 2.0, job_id=1),
        event("job_finished", 2.0, job_id=2),
        event("progress", done=2, total=3),
        info(0, target, 3.0, inputs=("a", "b")),
        event("job_finished", 3.0, job_id=0),
        event("progress", done=3, total=3),
    ]
    # A target of another name is known when its turn comes.
    assert tracked(*events[:1]).progress.total == (2 if target == "all" else 3)
    progress = tracked(*events).progress
    assert (progress.done, progress.total, len(progress.steps)) == (2, 2, 2)


def test_a_rule_that_does_something_without_an_output_is_a_step() -> None:
    copy = {**info(0, "all", 1.0), "shellcmd": "cp a b"}
    tracker = tracked(event("run_info", stats={"all": 1, "total": 1}), copy)
    assert (len(tracker.progress.steps), tracker.progress.total) == (1, 1)


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


def test_the_time_left_knows_that_rules_differ() -> None:
    tracker = tracked(
        event("run_info", stats={"generate": 3, "fit": 1, "total": 4}),
        info(1, "fit", 0.0, outputs=("x",)),
        event("job_finished", 100.0, job_id=1),
        info(2, "generate", 100.0, outputs=("y",)),
        event("job_finished", 102.0, job_id=2),
        info(3, "generate", 102.0, outputs=("z",)),
        event("progress", done=2, total=4),
    )
    assert tracker.progress.seconds_left(103.0, 1) == 3.0


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


def test_a_failure_tells_where_a_batch_system_noted_what_the_job_printed() -> None:
    failure = event("job_error", 3.0, jobid=1, log=["fit.log", "/run/7.log"], rule_msg="SLURM-job '7' failed")
    tracker = tracked({**info(1, "fit", 1.0, outputs=("a",)), "log": ["fit.log"]}, failure)
    (step,) = tracker.progress.failed
    assert (step.logs, step.message) == (("fit.log", "/run/7.log"), "SLURM-job '7' failed")
