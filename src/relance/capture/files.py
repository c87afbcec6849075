"""What each file of a run is to the analysis, and whether a capsule holds it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from relance.capsule.model import Role
from relance.capture import recorded
from relance.capture.sources import Listed, within
from relance.model import UNKNOWN, FileDigest, RunRecord
from relance.results import reading as results
from relance.specification import patterns
from relance.specification.model import ExternalData, Specification, Visibility
from relance.store.hashing import contents

_RUN = "{run}"
_SNAKEMAKE_MARK = ".snakemake_timestamp"
_STRICTEST = (Visibility.PUBLIC, Visibility.COLLABORATION, Visibility.BLINDED)


@dataclass(frozen=True)
class Candidate:
    """A file that a capsule tells of."""

    path: str
    place: Path
    """Where it lies; absolute."""
    size: int | None
    """Bytes it has now; None if it is not there."""
    role: Role
    kept: bool
    """Whether its content goes in; of what is kept by reference or by digest alone it doesn't."""
    visibility: Visibility
    external: ExternalData | None = None


def candidates(
    analysis: Path, record: RunRecord, specification: Specification, listed: Listed
) -> tuple[Candidate, ...]:
    """Return every file of a run once, by path.

    Raises:
        InputError: the specification names a path with a key that the configuration lacks.
    """
    made = recorded.products(record)
    code = set(_code(record))
    external = {data.path: data for data in specification.products.external}
    raw = {path for job in record.jobs for path in job.inputs if not within(path, made)}
    kept = _kept(record, specification)
    logs = {path for job in record.jobs for path in job.logs}
    found: dict[str, Candidate] = {}
    for path in sorted({*listed.files, *code, *_files(analysis, raw), *_lost(analysis, record, raw)}):
        is_data = (path in raw and path not in code) or (path not in listed.files and path not in code)
        role = Role.INPUT if is_data else Role.SOURCE
        data = external.get(path)
        place = analysis / path
        found[path] = Candidate(
            path, place, _size(place), role, data is None, specification.visibility.specification, data
        )
    seen = _visibilities(record, specification)
    for path in sorted(_files(analysis, made)):
        role = Role.LOG if path in logs else Role.PRODUCT
        visibility = seen.get(path, specification.visibility.products)
        wanted = role is Role.LOG or bool(kept.fullmatch(path))
        place = analysis / path
        found[path] = Candidate(path, place, _size(place), role, wanted, visibility)
    return tuple(found[path] for path in sorted(found))


def gone(analysis: Path, record: RunRecord, specification: Specification) -> tuple[str, ...]:
    """Return products that the specification wants kept and that aren't there, temporary ones left out."""
    kept = _kept(record, specification)
    return tuple(
        path
        for job in record.jobs
        for path in job.outputs
        if kept.fullmatch(path) and path not in job.temporary and not (analysis / path).exists()
    )


def _files(analysis: Path, paths: Iterable[str]) -> Iterator[str]:
    """Yield the files there are of these paths; of a folder those in it."""
    for path in paths:
        place = analysis / path
        status = _status(place)
        mode = status.st_mode if status else 0
        if stat.S_ISDIR(mode):
            for file in contents(place):
                if file.name != _SNAKEMAKE_MARK:
                    yield f"{path.rstrip('/')}/{file.relative_to(place).as_posix()}"
        elif stat.S_ISREG(mode):
            yield path


def _lost(analysis: Path, record: RunRecord, raw: Set[str]) -> Iterator[str]:
    """Yield the raw inputs that were there when the run was recorded, and are no more."""
    for file in record.files:
        if file.path in raw and file.kind != "gone" and _status(analysis / file.path) is None:
            yield file.path


def _size(place: Path) -> int | None:
    status = _status(place)
    return status.st_size if status else None


def _status(place: Path) -> os.stat_result | None:
    """Return the status of a file, whatever links lead to it; None if it is not there."""
    try:
        return place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _code(record: RunRecord) -> Iterator[str]:
    """Yield what was read to know the jobs, and what they execute, as far as it lies in the analysis."""
    run = record.run
    known: list[FileDigest] = [] if run.snakefile == UNKNOWN else [run.snakefile]
    for files in (run.included, run.configuration_files, run.read):
        known += () if files == UNKNOWN else files
    paths = [file.path for file in known if file.kind == "file"]
    for job in record.jobs:
        paths += () if job.code.files == UNKNOWN else job.code.files
        paths += [job.code.path] if job.code.path else []
    yield from (path for path in paths if not path.startswith((_RUN, "/")))


def _kept(record: RunRecord, specification: Specification) -> re.Pattern[str]:
    configuration = _configuration(record)
    wanted = [kept.path for kept in specification.products.keep]
    wanted += [result.file for result in specification.interface.results.values()]
    return patterns.matcher(
        [results.placed(path, configuration, "what the specification keeps") for path in wanted]
    )


def _visibilities(record: RunRecord, specification: Specification) -> dict[str, Visibility]:
    """Return who may see the files that hold results: those who may see all that is in them."""
    configuration = _configuration(record)
    found: dict[str, Visibility] = {}
    for name, result in specification.interface.results.items():
        path = results.placed(result.file, configuration, f"result '{name}'")
        visibility = specification.visibility_of(name)
        found[path] = max(visibility, found.get(path, visibility), key=_STRICTEST.index)
    return found


def _configuration(record: RunRecord) -> Mapping[str, object]:
    return {} if record.run.configuration == UNKNOWN else record.run.configuration
