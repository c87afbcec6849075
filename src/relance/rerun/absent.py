"""Inputs kept elsewhere that nobody needs: a place is held for each, so that the workflow can be read.

Snakemake asks for every input, also for those of jobs that it won't run. The place is an empty folder:
whoever opens it as a file, unasked, gets an error and never another content.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath

from relance.capsule.model import Capsule, CapsuleFile, Role
from relance.model import UNKNOWN, Digest, FileDigest, RunRecord
from relance.rerun.folder import Work


def may_be(capsule: Capsule) -> tuple[CapsuleFile, ...]:
    """Return the inputs that a capsule keeps by reference and that are not read to know the jobs."""
    read = {file.path for file in capsule.run.read} if capsule.run.read != UNKNOWN else set()
    return tuple(
        file
        for file in capsule.files
        if file.role is Role.INPUT
        and file.stored is None
        and file.locations
        and file.path not in read
        and not file.path.startswith("/")
    )


def hold(work: Work) -> None:
    """Hold the places of those inputs that are not there."""
    for file in may_be(work.capsule):
        place = work.lies(file.path)
        if place is not None and not place.exists():
            place.mkdir(parents=True)


def held(work: Work) -> tuple[CapsuleFile, ...]:
    """Return the inputs of which only the place is held."""
    places = ((file, work.lies(file.path)) for file in may_be(work.capsule))
    return tuple(file for file, place in places if place is not None and place.is_dir())


def release(work: Work) -> None:
    """Give up the places that are held."""
    for file in held(work):
        with suppress(OSError):  # something was put into it
            (work.analysis / file.path).rmdir()


def digests(work: Work) -> Mapping[str, Digest]:
    """Return the digests of inputs of which only the place is held, and of folders that they lie in."""
    files = {file.path: file.digest for file in held(work)}
    above = {str(folder) for path in files for folder in PurePosixPath(path).parents}
    return {**files, **{path: known for path, known in work.capsule.trees.items() if path in above}}


def as_captured(record: RunRecord, work: Work) -> RunRecord:
    """Return a run's record with what the capsule knows of inputs of which only the place was held."""
    known = digests(work)
    sizes = {file.path: file.size for file in held(work)}

    def told(file: FileDigest) -> FileDigest:
        if file.path in sizes:
            return FileDigest(file.path, "file", known[file.path], sizes[file.path], "none")
        return replace(file, digest=known[file.path], source="none") if file.path in known else file

    return replace(record, files=tuple(map(told, record.files))) if known else record
