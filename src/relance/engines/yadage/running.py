"""One run of a workflow in yadage, and what came of it."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any, Literal

from relance.engines import process
from relance.engines.yadage.containers import Containers
from relance.errors import AnalysisError
from relance.languages.model import Json

_PROGRAM = Path(__file__).with_name("program.py")
_LAST_LINES = 12
_HEAD = re.compile(r"^[-\d]+ [\d:,]+ \|[^|]*\|[^|]*\| (?:b')?")
"""Stands before each line of a job's log."""
_CHATTER = ("|   INFO |", "|  DEBUG |")


@dataclass(frozen=True)
class Request:
    """What to run. Paths are absolute."""

    toplevel: Path
    workflow: str
    """Relative to the toplevel."""
    parameters: Mapping[str, Json]
    folder: Path
    """Of all jobs."""
    init: Path
    """Of the given files."""
    cores: int
    """Most jobs at once."""


@dataclass(frozen=True)
class Job:
    """A job, as yadage tells it."""

    stage: str
    folder: str
    """Relative to that of all jobs."""
    status: Literal["ok", "failed", "not run"]
    started: float | None
    """Unix time, s."""
    ended: float | None
    parameters: Json
    """With its files as absolute paths."""
    command: str | None
    """Without a command it only publishes."""
    image: str | None
    error: str
    """Why it failed, in yadage's words; empty if it didn't."""


@dataclass(frozen=True)
class Waiting:
    """A stage that made no job."""

    stage: str
    dependencies: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    jobs: tuple[Job, ...]
    waiting: tuple[Waiting, ...]
    empty: tuple[str, ...]
    """Stages that had nothing to scatter."""
    error: str
    """What yadage ended with; empty if it was content, which doesn't mean that all is done."""
    stopped_by: Signals | None

    @property
    def done(self) -> bool:
        """Whether every stage made its jobs and all of them ended well."""
        well = all(job.status == "ok" for job in self.jobs)
        return well and not self.waiting and not self.empty and not self.error and self.stopped_by is None


def run(
    request: Request,
    *,
    python: Path,
    containers: Containers,
    environment: Mapping[str, str],
    console: Path,
    stop: Callable[[], Signals | None],
) -> Outcome:
    """Run a workflow to its end.

    Args:
        request: what.
        python: yadage's.
        containers: what containers run in.
        environment: of the process.
        console: file that yadage's own words go to.
        stop: asked often; a signal makes it end the run as that signal would.

    Raises:
        AnalysisError: yadage ended without saying what became of the workflow.
    """
    with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
        programs = Path(scratch) / "bin"
        programs.mkdir()
        for name, program in containers.commands.items():
            (programs / name).symlink_to(program)
        asked, answer = Path(scratch) / "request.json", Path(scratch) / "answer.json"
        asked.write_text(json.dumps(_told(request)), encoding="utf-8")
        ending = process.run(
            [str(python), str(_PROGRAM), str(asked), str(answer)],
            folder=request.folder,
            environment={
                **environment,
                **containers.variables,
                "PATH": f"{programs}{os.pathsep}{environment.get('PATH', os.defpath)}",
            },
            console=console,
            beat=lambda: None,
            stop=stop,
        )
        if answer.is_file():
            return _outcome(request, json.loads(answer.read_text(encoding="utf-8")), ending.stopped_by)
    if ending.stopped_by is not None:
        return Outcome((), (), (), "", ending.stopped_by)
    raise AnalysisError(
        "yadage broke off",
        expected="what became of each stage",
        found=_last(console) or f"exit status {ending.status}",
        next_step=f"read {console}",
    )


def reason(job: Job, folder: Path) -> str:
    """Return what a failed job said last; yadage tells no more than that it failed."""
    logs = sorted((folder / job.folder / "_packtivity").glob("*.run.log"))
    logs += sorted((folder / job.folder / "_packtivity").glob("*.step.log"))
    for log in logs:
        lines = [_HEAD.sub("", line) for line in log.read_text("utf-8", "replace").splitlines()]
        lines = [line.strip() for line in lines if line.strip(" '")]
        said = [line for line in lines if "Error: " in line] or lines
        if said:
            own = [line for line in said if not line.startswith("RuntimeError: failed")]
            return (own or said)[-1].rstrip("'")
    return job.error


def _told(request: Request) -> dict[str, Any]:
    return {
        "toplevel": str(request.toplevel),
        "workflow": request.workflow,
        "parameters": dict(request.parameters),
        "folder": str(request.folder),
        "init": str(request.init),
        "cores": request.cores,
    }


def _outcome(request: Request, told: Mapping[str, Any], stopped_by: Signals | None) -> Outcome:
    jobs = tuple(_job(request, one) for one in told["jobs"])
    waiting = tuple(Waiting(_named(one), tuple(map(str, one["for"]))) for one in told["waiting"])
    return Outcome(jobs, waiting, tuple(map(_named, told["empty"])), told["error"] or "", stopped_by)


def _named(told: Mapping[str, Any]) -> str:
    return "/".join(filter(None, (told["offset"].strip("/"), told["stage"])))


def _job(request: Request, told: Mapping[str, Any]) -> Job:
    status: Literal["ok", "failed", "not run"] = "not run"
    if told["state"] in {"success", "failed"}:
        status = "ok" if told["state"] == "success" else "failed"
    folder = Path(told["folder"]) if told["folder"] else request.folder
    return Job(
        stage=told["stage"],
        folder=folder.relative_to(request.folder).as_posix(),
        status=status,
        started=told["started"],
        ended=told["ended"],
        parameters=told["parameters"],
        command=told["command"],
        image=told["image"],
        error=told["error"] or "",
    )


def _last(console: Path) -> str:
    lines = console.read_text("utf-8", "replace").splitlines() if console.is_file() else []
    told = [line.strip() for line in lines if line.strip() and not any(one in line for one in _CHATTER)]
    return "; ".join(told[-_LAST_LINES:])
