"""What `relance export --as` is given: the folder of an analysis, or a capsule that was checked out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relance.capsule.checkout import checkout
from relance.capsule.model import Capsule, Role
from relance.capture import sources
from relance.cli import capsules, values
from relance.drafting import graph
from relance.drafting.graph import Job
from relance.engines import images, snakemake
from relance.errors import InputError
from relance.languages.writing import settings
from relance.languages.writing.jobs import Slotted
from relance.languages.writing.settings import Sought
from relance.model import UNKNOWN, ImageRecord, ImageRef
from relance.specification import reading
from relance.specification.model import Specification
from relance.store import images as built

_OWN = ".relance"
_ROLES = (Role.SOURCE, Role.INPUT)
_AS_THEY_RAN = "the capsule tells its jobs as they ran; check it out and export the folder to change them"


@dataclass(frozen=True)
class Source:
    """An analysis with its jobs."""

    folder: Path
    name: str
    jobs: tuple[Job, ...]
    results: tuple[str, ...]
    files: tuple[str, ...]
    """Its own, relative to the folder."""
    sought: Sought
    images: tuple[ImageRef, ...]


@contextmanager
def opened(
    text: str,
    configuration: str | None,
    environment: Mapping[str, str],
    chosen_store: Path | None,
    *,
    fixed: bool,
) -> Iterator[Source]:
    """Give the analysis of a folder, or of a capsule, in a folder that is there as long as it is open.

    `fixed`: whether no parameter is to become a setting.

    Raises:
        InputError: there is neither, or it can't be read.
    """
    folder = Path(text)
    if folder.is_dir() and not (folder / "oci-layout").is_file():
        yield of_folder(folder, configuration, environment, Path.cwd(), fixed=fixed)
        return
    if configuration is not None:
        raise InputError(
            f"--config {configuration}",
            expected="the folder of an analysis",
            found=f"{text}, a capsule, whose jobs are known",
            next_step="leave --config out",
        )
    store, described, capsule = capsules.opened(text, environment, chosen_store)
    with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
        place = Path(scratch) / "analysis"
        out = checkout(store.layout, capsule, place, roles=_ROLES, known_as=described.digest, papers=False)
        if out.missing:
            raise InputError(
                f"{text} doesn't hold all of its inputs",
                expected="every file that its jobs read",
                found=f"{out.missing[0].path} by reference",
                next_step="check it out with --fetch, and export the folder",
            )
        yield of_capsule(capsule, place)


def of_folder(
    folder: Path,
    configuration: str | None,
    environment: Mapping[str, str],
    here: Path,
    *,
    fixed: bool = False,
) -> Source:
    """Return the analysis of a folder; its Snakefile's Python runs, no job does.

    Raises:
        InputError: Snakemake refuses it.
    """
    folder = folder.resolve()
    snakefile = snakemake.snakefile(folder)
    specification = _specification(folder)
    given = values.configuration(configuration, folder, here) if configuration else None
    if given is None and specification is not None and specification.workflow.configuration:
        given = folder / specification.workflow.configuration
    found = graph.read(folder, snakefile, given, environment)

    def planned(changed: Mapping[str, Any]) -> tuple[Job, ...]:
        with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
            path = Path(scratch) / "configuration.json"
            path.write_text(json.dumps(changed), encoding="utf-8")
            return graph.read(folder, snakefile, path, environment).jobs

    parameters = specification.interface.parameters if specification and not fixed else {}
    return Source(
        folder=folder,
        name=specification.identity.name if specification else folder.name,
        jobs=found.jobs,
        results=found.final,
        files=_files(folder, specification, found.jobs),
        sought=settings.sought(parameters, found.configuration, found.jobs, planned),
        images=images.of_analysis(folder),
    )


def of_capsule(capsule: Capsule, folder: Path) -> Source:
    """Return the analysis of a capsule whose sources and inputs lie in a folder; no Snakefile is run."""
    return Source(
        folder=folder,
        name=capsule.specification.identity.name,
        jobs=tuple(_recorded(capsule)),
        results=capsule.run.targets,
        files=tuple(path.relative_to(folder).as_posix() for path in _below(folder)),
        sought=Sought(Slotted(), {}, dict.fromkeys(capsule.specification.interface.parameters, _AS_THEY_RAN)),
        images=tuple(ImageRef(one.config, one.written, one.config, None) for one in capsule.images),
    )


def _recorded(capsule: Capsule) -> Iterator[Job]:
    for job in capsule.jobs:
        record = job.record
        wildcards = {} if isinstance(record.wildcards, str) else record.wildcards
        yield Job(
            rule=record.rule,
            inputs=record.inputs,
            outputs=record.outputs,
            folders=frozenset(() if isinstance(record.directories, str) else record.directories),
            patterns=(),
            wildcards=tuple(wildcards),
            image=record.image.written if isinstance(record.image, ImageRecord) else None,
            command="",
            values=tuple(wildcards.values()),
            logs=record.logs,
            resolved=None if record.command == UNKNOWN else record.command,
        )


def _files(folder: Path, specification: Specification | None, jobs: tuple[Job, ...]) -> tuple[str, ...]:
    """Return the analysis's own files: its sources, and what jobs read and none makes."""
    outputs = {path for job in jobs for path in job.outputs}
    made = outputs | {path for job in jobs for path in job.logs} | {_OWN}
    wanted = specification.workflow.sources if specification else ()
    # Images that were built here are of no use elsewhere.
    listed = sources.listed(folder, wanted, made | {str(built.LOCAL)})
    named = {path for job in jobs for path in job.inputs if not sources.within(path, outputs)}
    read = {path for one in named for path in _inside(folder, one)}
    return tuple(sorted({*listed.files, *(link.path for link in listed.links), *read}))


def _inside(folder: Path, path: str) -> Iterator[str]:
    """Give the files that a job reads if it reads a file or folder."""
    if not (folder / path).is_dir():
        yield path
        return
    for file in _below(folder / path):
        yield file.relative_to(folder).as_posix()


def _specification(folder: Path) -> Specification | None:
    found = [path for path in sorted((folder / "specs").glob("*.yaml")) if reading.is_specification(path)]
    return reading.load(found[0]) if len(found) == 1 else None


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() or path.is_symlink():
            yield path
