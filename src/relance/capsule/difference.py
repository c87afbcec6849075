"""What changed from one capsule to another."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from relance import digest
from relance.capsule import results
from relance.capsule.blobs import Blobs
from relance.capsule.model import Capsule, CapsuleFile, CapsuleJob, Role
from relance.capsule.replay import job_name
from relance.capsule.results import configuration
from relance.errors import InputError
from relance.model import UNKNOWN, ImageRecord
from relance.results import Result

_LARGEST_TEXT = 1 << 20  # bytes; what is larger is not read by people


@dataclass(frozen=True)
class Change:
    """Something that is another, or only in one of both."""

    name: str
    before: object
    """None: it was not there."""
    after: object
    """None: it is gone."""


@dataclass(frozen=True)
class JobChange:
    """A job that is another, or only in one of both."""

    name: str
    what: tuple[str, ...]
    """`added`, `removed`, or the parts that changed: command, parameters, code, image, inputs, outputs."""


@dataclass(frozen=True)
class Difference:
    """All that differs between two capsules; empty if nothing does."""

    specification: tuple[Change, ...]
    """Name, version, and the text by its digest."""
    code: tuple[Change, ...]
    """Sources, by their digests."""
    images: tuple[Change, ...]
    """By what rules write, with the digests of their configurations."""
    data: tuple[Change, ...]
    """Inputs, by their digests."""
    parameters: tuple[Change, ...]
    """Of the configuration, by their keys (`signal.mass`)."""
    jobs: tuple[JobChange, ...]
    results: tuple[Change, ...]
    """Products, by their digests."""
    run: tuple[Change, ...]
    """Engine, runtime and machine."""

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


def difference(before: Capsule, after: Capsule) -> Difference:
    """Return what changed from one capsule to another; logs and times don't count."""
    return Difference(
        specification=_changes(_identity(before), _identity(after)),
        code=_changes(_sources(before), _sources(after)),
        images=_changes(_images(before), _images(after)),
        data=_changes(_files(before, Role.INPUT), _files(after, Role.INPUT)),
        parameters=_changes(dict(_leaves(configuration(before))), dict(_leaves(configuration(after)))),
        jobs=_job_changes(before, after),
        results=_changes(_files(before, Role.PRODUCT), _files(after, Role.PRODUCT)),
        run=_changes(_run(before), _run(after)),
    )


def values(before: tuple[Blobs, Capsule], after: tuple[Blobs, Capsule]) -> tuple[Change, ...]:
    """Return the results of the interface whose values changed, as text with their units.

    What is blinded, and what a capsule knows by its digest alone, is left out.
    """
    old, new = (_values(blobs, capsule) for blobs, capsule in (before, after))
    found = []
    for name in sorted(old.keys() & new.keys()):
        one, other = old[name], new[name]
        if one.hidden or other.hidden or (one.value, one.unit) == (other.value, other.unit):
            continue
        texts = (str(one), str(other))
        if texts[0] == texts[1]:  # they differ in digits that nobody reads
            texts = (repr(one.value), repr(other.value))
        found.append(Change(name, *texts))
    return tuple(found)


def _values(blobs: Blobs, capsule: Capsule) -> Mapping[str, Result]:
    try:
        return results.read(blobs, capsule)
    except InputError:  # not all of its results are held
        return {}


def patch(before: tuple[Blobs, Capsule], after: tuple[Blobs, Capsule]) -> Iterator[str]:
    """Return the lines of a unified diff of the sources; of what is no text it says that it differs.

    Raises:
        InputError: a blob is missing or damaged.
    """
    old, new = ({file.path: file for file in capsule.files} for _, capsule in (before, after))
    for change in _changes(_files(before[1], Role.SOURCE), _files(after[1], Role.SOURCE)):
        one = _text(before[0], old.get(change.name))
        other = _text(after[0], new.get(change.name))
        if one is None or other is None:
            yield f"{change.name} differs, and is no text that can be shown"
            continue
        before_name = "/dev/null" if change.before is None else f"a/{change.name}"
        after_name = "/dev/null" if change.after is None else f"b/{change.name}"
        yield from difflib.unified_diff(one, other, before_name, after_name, lineterm="")


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Change, ...]:
    return tuple(
        Change(name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if name not in before or name not in after or before[name] != after[name]
    )


def _identity(capsule: Capsule) -> dict[str, object]:
    identity = capsule.specification.identity
    return {
        "name": identity.name,
        "version": identity.version,
        "text": digest.of_bytes(capsule.specification_text),
    }


def _files(capsule: Capsule, role: Role) -> dict[str, object]:
    return {file.path: file.digest for file in capsule.files if file.role is role}


def _sources(capsule: Capsule) -> dict[str, object]:
    executable = {file.path for file in capsule.files if file.executable}
    files = {
        path: f"{found}{' executable' if path in executable else ''}"
        for path, found in _files(capsule, Role.SOURCE).items()
    }
    links = {link.path: f"link to {link.target}" for link in capsule.links}
    return {**files, **links}


def _images(capsule: Capsule) -> dict[str, object]:
    return {written: image.config for image in capsule.images for written in image.written}


def _leaves(values: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _run(capsule: Capsule) -> dict[str, object]:
    run = capsule.run
    return {
        "relance": run.relance,
        "snakemake": run.snakemake,
        "runtime": f"{run.runtime} {run.runtime_version}".strip(),
        "platform": run.platform,
        "processor": run.processor,
        "libc": run.libc,
    }


def _image(capsule: Capsule, job: CapsuleJob) -> object:
    """Return the identity of a job's image, which the capsule knows where the record doesn't."""
    image = job.record.image
    if not isinstance(image, ImageRecord):
        return image
    return _images(capsule).get(image.written, UNKNOWN) if image.config == UNKNOWN else image.config


def _code(capsule: Capsule, job: CapsuleJob) -> object:
    """Return the source files that a job reaches, with their digests; unknown if nobody knows them."""
    files = job.record.code.files
    if files == UNKNOWN:
        return UNKNOWN
    sources = _files(capsule, Role.SOURCE)
    return {path: sources.get(path) for path in files}


_PARTS: Mapping[str, tuple[Callable[[Capsule, CapsuleJob], object], ...]] = {
    "command": (lambda _, job: job.record.command,),
    "parameters": (lambda _, job: job.record.parameters,),
    "code": (lambda _, job: job.record.code.kind, lambda _, job: job.record.code.digest, _code),
    "image": (_image,),
    "inputs": (lambda _, job: job.record.inputs,),
    "outputs": (lambda _, job: job.record.outputs,),
    "threads": (lambda _, job: job.record.threads,),
}


def _job_changes(before: Capsule, after: Capsule) -> tuple[JobChange, ...]:
    old, new = (_named(capsule.jobs) for capsule in (before, after))
    found = []
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            found.append(JobChange(name, ("added" if name in new else "removed",)))
            continue
        what = tuple(
            part
            for part, aspects in _PARTS.items()
            if any(_differ(of(before, old[name]), of(after, new[name])) for of in aspects)
        )
        if what:
            found.append(JobChange(name, what))
    return tuple(found)


def _differ(one: object, other: object) -> bool:
    """Return whether two facts differ; what nobody knows is no difference."""
    return UNKNOWN not in {str(one), str(other)} and one != other


def _named(jobs: Iterable[CapsuleJob]) -> dict[str, CapsuleJob]:
    """Return jobs by name; several of one name are numbered."""
    named: dict[str, CapsuleJob] = {}
    for job in jobs:
        name = base = job_name(job.record)
        number = 1
        while name in named:
            number += 1
            name = f"{base} ({number})"
        named[name] = job
    return named


def _text(blobs: Blobs, file: CapsuleFile | None) -> list[str] | None:
    """Return the lines of a file, none of one that isn't there; None if it is no text."""
    if file is None:
        return []
    if file.stored is None or file.size > _LARGEST_TEXT:
        return None
    try:
        data = b"".join(blobs.read(part.digest, largest=part.size) for part in file.stored.blobs)
        return data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return None
