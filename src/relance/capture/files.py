"""What each file of a run is to the analysis, and whether a capsule holds it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from relance.capsule.model import Role
from relance.capture import recorded
from relance.capture.sources import Listed, within
from relance.model import UNKNOWN, FileDigest, RunRecord
from relance.results import reading as results
from relance.specification import patterns
from relance.specification.model import ExternalData, Specification, Visibility
from relance.store.hashing import contents

_Looks = Callable[[str], os.stat_result | None]

_RUN = "{run}"
_SNAKEMAKE_MARK = ".snakemake_timestamp"
_STRICTEST = (Visibility.PUBLIC, Visibility.COLLABORATION, Visibility.BLINDED)


@dataclass(frozen=True)
class Candidate:
    """A file that a capsule tells of."""

    path: str
    place: str
    """Where it lies; absolute, and plain text since there are tens of thousands."""
    size: int | None
    """Bytes it has now; None if it is not there."""
    role: Role
    kept: bool
    """Whether its content goes in; of what is kept by reference or by digest alone it doesn't."""
    visibility: Visibility
    external: ExternalData | None = None
    executable: bool = False
    """Whether its owner may execute it."""


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
    folder = os.fspath(analysis)
    look = _looking(folder)

    def candidate(
        path: str, role: Role, kept: bool, visibility: Visibility, data: ExternalData | None = None
    ) -> Candidate:
        status = look(path)
        size = None if status is None else status.st_size
        executable = status is not None and bool(status.st_mode & stat.S_IXUSR)
        return Candidate(path, _placed(folder, path), size, role, kept, visibility, data, executable)

    found: dict[str, Candidate] = {}
    listed_files = frozenset(listed.files)
    given = {*listed_files, *code, *_files(look, folder, raw), *_lost(look, record, raw)}
    for path in given:
        is_data = path not in code and (path in raw or path not in listed_files)
        role = Role.INPUT if is_data else Role.SOURCE
        data = external.get(path)
        found[path] = candidate(path, role, data is None, specification.visibility.specification, data)
    seen = _visibilities(record, specification)
    for path in _files(look, folder, made):
        role = Role.LOG if path in logs else Role.PRODUCT
        visibility = seen.get(path, specification.visibility.products)
        wanted = role is Role.LOG or bool(kept.fullmatch(path))
        found[path] = candidate(path, role, wanted, visibility)
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


def _files(look: _Looks, folder: str, paths: Iterable[str]) -> Iterator[str]:
    """Yield the files there are of these paths; of a folder those in it."""
    for path in paths:
        status = look(path)
        mode = status.st_mode if status else 0
        if stat.S_ISDIR(mode):
            place = Path(_placed(folder, path))
            for file in contents(place):
                if file.name != _SNAKEMAKE_MARK:
                    yield f"{path.rstrip('/')}/{file.relative_to(place).as_posix()}"
        elif stat.S_ISREG(mode):
            yield path


def _lost(look: _Looks, record: RunRecord, raw: Set[str]) -> Iterator[str]:
    """Yield the raw inputs that were there when the run was recorded, and are no more."""
    for file in record.files:
        if file.path in raw and file.kind != "gone" and look(file.path) is None:
            yield file.path


def _looking(folder: str) -> _Looks:
    """Return what tells the status of a file in a folder, whatever links lead to it; None if it isn't there.

    Each is looked at once.
    """

    @cache
    def look(path: str) -> os.stat_result | None:
        try:
            return os.stat(_placed(folder, path))  # noqa: PTH116 - tens of thousands, in plain text
        except (FileNotFoundError, NotADirectoryError):
            return None

    return look


def _placed(folder: str, path: str) -> str:
    return path if path.startswith("/") else f"{folder}/{path}"


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
