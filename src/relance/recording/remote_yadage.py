"""The jobs of a run in yadage on a server, with their files, as yadage noted them in the workspace."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from relance.engines.leavings import printable
from relance.engines.reana import paths
from relance.engines.reana.model import JobLog
from relance.languages.model import Json
from relance.model import UNKNOWN, CodeRecord, JobRecord, JobTimes, Parameter, RunRecord
from relance.recording import remote
from relance.recording.remote import Told

SNAPSHOT = "_yadage/yadage_snapshot_workflow.json"
"""What yadage notes of its jobs, relative to the workspace."""

_OWN = "/_packtivity/"
"""Folder in which yadage keeps its own files of a job."""


@dataclass(frozen=True)
class _Node:
    """A job as yadage notes it; paths are relative to the workspace."""

    stage: str
    folder: str
    parameters: dict[str, Json]
    job: str
    """The server's identifier of it."""


def known(
    analysis: Path,
    snapshot: Json,
    listed: Collection[str],
    told: Told,
    *,
    cache: Path,
    others: Collection[str] = (),
) -> tuple[RunRecord, Told] | None:
    """Return a run's jobs with their files, and what the server tells, under the names of their stages.

    A job's inputs are the files among its parameters, its outputs those of its own folder, as in a run of
    yadage on this machine. None if the snapshot isn't one of yadage that names this run's workspace.

    Args:
        analysis: holds what the run was given and what was fetched of it.
        snapshot: yadage's; a job could have written it.
        listed: all files of the workspace.
        told: by the server.
        cache: file that remembers digests.
        others: further files and folders that the run was given or made.

    Raises:
        InputError: a file can't be read.
    """
    try:
        nodes = tuple(_nodes(snapshot, told.state.workflow.id))
    except (LookupError, TypeError, AttributeError):
        return None
    logs = {log.id: log for log in told.logs.jobs}
    jobs = tuple(_job(node, logs.get(node.job), listed) for node in nodes)
    if not jobs:
        return None
    stages = {node.job: node.stage for node in nodes}
    renamed = tuple(replace(log, name=stages.get(log.id, log.name)) for log in told.logs.jobs)
    read = {path for job in jobs for path in job.inputs}
    made = {path for job in jobs for path in job.outputs}
    record = remote.none(analysis, {*read, *made, *others}, cache)
    run = replace(record.run, targets=tuple(sorted(made - read)))
    times = tuple(JobTimes(UNKNOWN, UNKNOWN, UNKNOWN) for _ in jobs)
    whole = replace(record, run=run, jobs=jobs, times=times)
    return whole, replace(told, logs=replace(told.logs, jobs=renamed))


def _nodes(snapshot: Any, run: str) -> Iterator[_Node]:
    for node in snapshot["dag"]["nodes"]:
        task = node["task"]
        if task["spec"]["process"] is None or node["proxy"] is None:
            continue  # it only publishes, or it never ran
        place = task["state"]["readwrite"][0]
        folder = _inside(place["path"] if isinstance(place, dict) else place, run)
        if folder is None:
            raise LookupError(run)
        parameters = {printable(str(name)): _moved(value, run) for name, value in task["parameters"].items()}
        job = node["proxy"]["proxydetails"]["jobproxy"]["job_id"]
        yield _Node(printable(str(task["metadata"]["wflow_stage"])), folder, parameters, str(job))


def _job(node: _Node, log: JobLog | None, listed: Collection[str]) -> JobRecord:
    own = [path for path in sorted(listed) if path.startswith(f"{node.folder}/")]
    read = {path for path in _texts(node.parameters) if path in listed and path not in own}
    command = log.command if log is not None else ""
    return JobRecord(
        rule=node.stage,
        wildcards={},
        status=UNKNOWN,
        exit=UNKNOWN,
        attempts=UNKNOWN,
        command=command or UNKNOWN,
        parameters=tuple(
            Parameter(name, value, exact=True) for name, value in sorted(node.parameters.items())
        ),
        code=CodeRecord("shell" if command else UNKNOWN),
        image=UNKNOWN,
        inputs=tuple(sorted(read)),
        outputs=tuple(path for path in own if _OWN not in path),
        logs=tuple(path for path in own if _OWN in path),
    )


def _inside(path: str, run: str) -> str | None:
    """Return a path relative to the workspace, which is a folder of the run's identifier."""
    _, found, inside = path.partition(f"/{run}/")
    return inside if found and paths.is_safe(inside) else None


def _moved(value: Json, run: str) -> Json:
    if isinstance(value, str):
        return _inside(value, run) or printable(value)
    if isinstance(value, dict):
        return {printable(key): _moved(one, run) for key, one in value.items()}
    return [_moved(one, run) for one in value] if isinstance(value, list) else value


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
