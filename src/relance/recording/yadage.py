"""The record of a run in yadage: its jobs as yadage tells them, their files as they lie there."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from relance.digest import of_json
from relance.engines.yadage.running import Job, Outcome, Request
from relance.languages.model import Json
from relance.model import (
    UNKNOWN,
    CodeRecord,
    ImageRecord,
    JobRecord,
    JobTimes,
    Parameter,
    RunRecord,
    Runtime,
    Unknown,
)
from relance.recording import redaction, remote

_OWN = "_packtivity"
"""Folder in which yadage keeps its own files of a job."""
_EXIT: Mapping[str, int | Unknown | None] = {"ok": 0, "failed": UNKNOWN, "not run": None}
"""yadage doesn't tell with what status a job failed."""


def record(request: Request, outcome: Outcome, runtime: Runtime, version: str, cache: Path) -> RunRecord:
    """Return the record of a run; what yadage doesn't tell is `unknown`.

    Args:
        request: what was run.
        outcome: what came of it.
        runtime: what its containers ran in.
        version: yadage's.
        cache: file that remembers digests.

    Raises:
        InputError: a file can't be read.
    """
    jobs = tuple(_job(request, one) for one in outcome.jobs)
    paths = {path for job in jobs for path in (*job.inputs, *job.outputs)}
    known = remote.none(request.folder, paths, cache)
    read = {path for job in jobs for path in job.inputs}
    run = replace(
        known.run,
        made="during the run",
        status="ok" if outcome.done else "failed" if outcome.stopped_by is None else "unfinished",
        command=("yadage", version, request.workflow),
        configuration=dict(request.parameters),
        configuration_digest=of_json(dict(request.parameters)),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        libc=" ".join(platform.libc_ver()).strip() or UNKNOWN,
        runtime=str(runtime.kind),
        runtime_version=runtime.version or UNKNOWN,
        targets=tuple(sorted(path for job in jobs for path in job.outputs if path not in read)),
    )
    times = tuple(JobTimes(one.started or UNKNOWN, one.ended or UNKNOWN, UNKNOWN) for one in outcome.jobs)
    began = [one.started for one in outcome.jobs if one.started]
    ended = [one.ended for one in outcome.jobs if one.ended]
    whole = replace(
        known,
        run=run,
        jobs=jobs,
        times=times,
        started=min(began, default=UNKNOWN),
        ended=max(ended, default=UNKNOWN),
    )
    return redaction.redacted(whole)


def _job(request: Request, job: Job) -> JobRecord:
    folder = request.folder / job.folder
    parameters = job.parameters if isinstance(job.parameters, dict) else {}
    read = {path for path in _files(request, job.parameters) if not path.startswith(f"{job.folder}/")}
    named = tuple(Parameter(name, value, exact=True) for name, value in sorted(parameters.items()))
    written = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    inside = [(path.relative_to(request.folder).as_posix(), _OWN in path.parts) for path in written]
    return JobRecord(
        rule=job.stage,
        wildcards={},
        status=job.status,
        exit=_EXIT[job.status],
        attempts=1 if job.status != "not run" else 0,
        command=job.command,
        parameters=named if job.parameters is not None else UNKNOWN,
        code=CodeRecord("shell" if job.command else "other"),
        image=ImageRecord(f"docker://{job.image}") if job.image else None,
        inputs=tuple(sorted(read)),
        outputs=tuple(path for path, own in inside if not own),
        logs=tuple(path for path, own in inside if own),
    )


def _files(request: Request, value: Json) -> Iterator[str]:
    """Give the files among a job's parameters, relative to the folder of all jobs where they lie in it."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _files(request, one)
    elif isinstance(value, str) and value.startswith("/") and Path(value).is_file():
        path = Path(value)
        within = path.is_relative_to(request.folder)
        yield path.relative_to(request.folder).as_posix() if within else value
