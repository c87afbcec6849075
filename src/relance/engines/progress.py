"""The state of a run, put together from the events that the logger plugin writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from relance.model import StepProgress, StepState

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Progress:
    """A run at one moment. `steps` holds every job that has started, in the order of their starts."""

    steps: tuple[StepProgress, ...]
    total: int
    """Jobs that this run has to do; may grow after a checkpoint; 0 until known."""
    done: int

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

        A job still to come takes as long as the mean of those that have finished; `cores` run at a time.
        """
        times = [step.seconds for step in self.steps if step.seconds is not None and step.outputs]
        left = self.total - self.done
        if not times or left <= 0:
            return None
        mean = sum(times) / len(times)
        spent = sum(min(now - step.started, mean) for step in self.running)
        return max(left * mean - spent, 0.0) / max(1, min(cores, left))


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
        self._total = 0
        self._done = 0
        self.errors: list[str] = []
        """What the engine said went wrong, apart from failing jobs."""

    @property
    def progress(self) -> Progress:
        """The state now."""
        return Progress(tuple(self._steps.values()), self._total, self._done)

    @property
    def results(self) -> tuple[str, ...]:
        """The final products: the inputs of target jobs (those that make nothing), else what no job reads."""
        targets = [job for job, step in self._steps.items() if not step.outputs]
        wanted = [path for job in targets for path in self._inputs[job]]
        if not wanted:
            read = {path for paths in self._inputs.values() for path in paths}
            wanted = [path for step in self._steps.values() for path in step.outputs if path not in read]
        return tuple(dict.fromkeys(wanted))

    def update(self, event: Event) -> None:
        """Take one event into account; unknown ones are skipped."""
        match event["event"]:
            case "run_info":
                self._total = max(self._total, int(event["stats"].get("total", 0)))
            case "job_info":
                self._start(event)
            case "job_finished":
                self._finish(int(event["job_id"]), StepState.DONE, event["time"])
            case "job_error":
                self._finish(int(event["jobid"]), StepState.FAILED, event["time"])
            case "progress":
                self._done, self._total = int(event["done"]), int(event["total"])
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
