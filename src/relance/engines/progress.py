"""The state of a run, put together from the events that the logger plugin writes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from relance.model import StepProgress, StepState

Event = Mapping[str, Any]

_TARGET = "all"  # what nearly every Snakefile calls the rule that only names what is wanted


@dataclass(frozen=True)
class Progress:
    """A run at one moment. `steps` holds every job that has started, in the order of their starts.

    A rule that only names what is wanted, such as `all`, is no step.
    """

    steps: tuple[StepProgress, ...]
    total: int
    """Steps that this run has to do; may grow after a checkpoint; 0 until known."""
    done: int
    planned: Mapping[str, int] = field(default_factory=dict)
    """How many steps each rule has in this run, as far as known."""

    @property
    def running(self) -> tuple[StepProgress, ...]:
        """The jobs that run now."""
        return tuple(step for step in self.steps if step.state is StepState.RUNNING)

    @property
    def failed(self) -> tuple[StepProgress, ...]:
        """The jobs that failed."""
        return tuple(step for step in self.steps if step.state is StepState.FAILED)

    def seconds_left(self, now: float, cores: int) -> float | None:
        """Estimate the time to the end, in seconds; None while nothing can be said.

        A step takes as long as the mean of its rule's that have finished, or of all where its rule has none
        yet; `cores` run at a time.
        """
        times: dict[str, list[float]] = {}
        for step in self.steps:
            if step.state is StepState.DONE and step.seconds is not None:
                times.setdefault(step.rule, []).append(step.seconds)
        left = self.total - self.done
        if not times or left <= 0:
            return None
        means = {rule: sum(taken) / len(taken) for rule, taken in times.items()}
        overall = sum(map(sum, times.values())) / sum(map(len, times.values()))
        running = [max(means.get(step.rule, overall) - (now - step.started), 0.0) for step in self.running]
        started = Counter(step.rule for step in self.steps)
        waiting = {rule: max(number - started[rule], 0) for rule, number in self.planned.items()}
        unknown = max(left - len(running) - sum(waiting.values()), 0)
        work = sum(number * means.get(rule, overall) for rule, number in waiting.items())
        return (sum(running) + work + unknown * overall) / max(1, min(cores, left))


class EventFile:
    """Reads the events of a file that is still being written, each once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def new(self) -> Iterator[Event]:
        """Yield the events written since the last call; a line not yet complete is left for the next."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._position)
                data = stream.read()
        except FileNotFoundError:
            return
        complete = data[: data.rfind(b"\n") + 1]
        self._position += len(complete)
        for line in complete.splitlines():
            yield json.loads(line)


class Tracker:
    """Keeps the state of a run up to date."""

    def __init__(self) -> None:
        self._steps: dict[int, StepProgress] = {}
        self._inputs: dict[int, tuple[str, ...]] = {}
        self._planned: dict[str, int] = {}
        self._total = 0
        self.errors: list[str] = []
        """What the engine said went wrong, apart from failing jobs."""

    @property
    def progress(self) -> Progress:
        """The state now."""
        targets = self._targets
        steps = tuple(step for step in self._steps.values() if step not in targets)
        done = sum(step.state is StepState.DONE for step in steps)
        rules = {step.rule for step in targets}
        # Until the last moment only its name tells that a job will be a target.
        expected = (
            0 if any(step.rule == _TARGET for step in self._steps.values()) else _TARGET in self._planned
        )
        total = max(self._total - len(targets) - expected, len(steps))
        planned = {rule: number for rule, number in self._planned.items() if rule not in {*rules, _TARGET}}
        return Progress(steps, total, done, planned)

    @property
    def _targets(self) -> list[StepProgress]:
        """The jobs that make nothing and do nothing: they only name what is wanted."""
        return [step for step in self._steps.values() if not step.outputs and not step.command]

    @property
    def results(self) -> tuple[str, ...]:
        """The final products: the inputs of target jobs, else what no job reads."""
        wanted = [path for step in self._targets for path in self._inputs[step.job]]
        if not wanted:
            read = {path for paths in self._inputs.values() for path in paths}
            wanted = [path for step in self._steps.values() for path in step.outputs if path not in read]
        return tuple(dict.fromkeys(wanted))

    def update(self, event: Event) -> None:
        """Take one event into account; unknown ones are skipped."""
        match event["event"]:
            case "run_info":
                self._planned = {rule: int(number) for rule, number in event["stats"].items()}
                self._total = max(self._total, self._planned.pop("total", 0))
            case "job_info":
                self._start(event)
            case "job_finished":
                self._finish(int(event["job_id"]), StepState.DONE, event["time"])
            case "job_error":
                self._finish(int(event["jobid"]), StepState.FAILED, event["time"])
                self._explain(int(event["jobid"]), event)
            case "progress":
                self._total = int(event["total"])
            case "error":
                self.errors.append(event["message"])
            case None if event["level"] in {"ERROR", "CRITICAL"}:
                self.errors.append(event["message"])

    def _start(self, event: Event) -> None:
        job = int(event["jobid"])
        self._steps.pop(job, None)  # a retry comes under the same number
        self._steps[job] = StepProgress(
            job=job,
            rule=event["rule_name"],
            wildcards={key: str(value) for key, value in (event["wildcards"] or {}).items()},
            state=StepState.RUNNING,
            started=event["time"],
            outputs=tuple(event["output"]),
            logs=tuple(event["log"]),
            command=event["shellcmd"] or "",
            reason=event["reason"] or "",
        )
        self._inputs[job] = tuple(event["input"])

    def _finish(self, job: int, state: StepState, now: float) -> None:
        step = self._steps.get(job)
        if step is not None:
            self._steps[job] = replace(step, state=state, seconds=now - step.started)

    def _explain(self, job: int, event: Event) -> None:
        """Note what a failure tells: on a batch system also where it noted what the job printed."""
        step = self._steps.get(job)
        if step is not None:
            logs = tuple(dict.fromkeys((*step.logs, *(event.get("log") or ()))))
            self._steps[job] = replace(step, logs=logs, message=event.get("rule_msg") or "")
