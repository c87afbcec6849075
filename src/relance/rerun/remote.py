"""The jobs of a captured run as another run of the capsule has them; nobody reads its Snakefile for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from relance import digest
from relance.capsule.model import Capsule
from relance.model import UNKNOWN, FileDigest, JobRecord, RunRecord, Unknown
from relance.recording import remote

_COMMAND = ("--configfile", "{run}/settings.json")
"""The server gives the whole configuration as values."""


def expected(capsule: Capsule, analysis: Path, chosen: Mapping[str, object], cache: Path) -> RunRecord:
    """Return the record of a capsule's run with a configuration, of what lies in a folder.

    With another one than was captured, the commands and parameters of jobs are unknown until a server tells
    them, and nobody knows the jobs that it adds or leaves out.

    Args:
        capsule: that was run.
        analysis: holds what the run was given and what it made.
        chosen: the whole configuration.
        cache: file that remembers digests.

    Raises:
        InputError: a file can't be read.
    """
    jobs = [job.record for job in capsule.jobs]
    paths = {path for job in jobs for path in (*job.inputs, *job.outputs) if not path.startswith("/")}
    for job in jobs:
        paths |= set(job.code.files) if job.code.files != UNKNOWN else set()
    run = capsule.run
    changed = run.configuration == UNKNOWN or dict(chosen) != dict(run.configuration)
    now = replace(
        run,
        command=_COMMAND,
        configuration=chosen,
        configuration_digest=digest.of_json(chosen),
        snakefile=_one(run.snakefile, analysis, cache),
        included=_again(run.included, analysis, cache),
        configuration_files=_again(run.configuration_files, analysis, cache),
        read=_again(run.read, analysis, cache),
    )
    return RunRecord(
        now,
        tuple(_job(job, changed=changed) for job in jobs),
        remote.digests(analysis, paths, cache),
        UNKNOWN,
        UNKNOWN,
        tuple(job.times for job in capsule.jobs),
    )


def _job(job: JobRecord, *, changed: bool) -> JobRecord:
    if not changed:
        return job
    return replace(job, command=UNKNOWN if job.command is not None else None, parameters=UNKNOWN)


def _again(
    files: tuple[FileDigest, ...] | Unknown, analysis: Path, cache: Path
) -> tuple[FileDigest, ...] | Unknown:
    """Return files as they lie in a folder; those of the run itself stay as they were."""
    if files == UNKNOWN:
        return UNKNOWN
    return tuple(_now(file, analysis, cache) for file in files)


def _one(file: FileDigest | Unknown, analysis: Path, cache: Path) -> FileDigest | Unknown:
    return UNKNOWN if file == UNKNOWN else _now(file, analysis, cache)


def _now(file: FileDigest, analysis: Path, cache: Path) -> FileDigest:
    if file.path.startswith(("/", "{")):
        return file
    return remote.digests(analysis, (file.path,), cache)[0]
