"""What a capsule holds and says, in short."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relance.capsule import images
from relance.capsule.blobs import Blobs
from relance.capsule.model import Capsule, CapsuleJob, Parent, Role
from relance.capsule.replay import job_name, verdicts
from relance.capsule.results import configuration
from relance.model import UNKNOWN, Digest, RunFacts
from relance.specification.model import Parameter, Visibility
from relance.store.descriptors import Descriptor


@dataclass(frozen=True)
class Holding:
    """Files of one role; sizes in bytes."""

    role: Role
    files: int
    size: int
    """Of those that the capsule holds."""
    known_files: int
    """Files that the capsule knows but doesn't hold."""
    known_size: int


@dataclass(frozen=True)
class ImageFacts:
    """An image; size in bytes, of manifest, configuration and layers."""

    written: tuple[str, ...]
    config: Digest
    manifest: Digest
    size: int
    architecture: str
    stands_for: str | None
    resolved: str


@dataclass(frozen=True)
class JobFacts:
    """A job, as people tell jobs apart."""

    name: str
    status: str
    seconds: float | None
    outputs: tuple[str, ...]
    not_replayed: str
    """Why replay.sh can't run it; empty if it can."""


@dataclass(frozen=True)
class ParameterFacts:
    """A value that may be changed."""

    title: str
    type: str
    unit: str | None
    range: str
    """In words, in the unit; empty if anything goes."""
    value: object
    """That of the captured run; None if the configuration leaves it out."""


@dataclass(frozen=True)
class InputFacts:
    """A file that may be given."""

    title: str
    formats: tuple[str, ...]


@dataclass(frozen=True)
class ResultFacts:
    """What the analysis is run for."""

    title: str
    type: str
    unit: str | None
    file: str
    visibility: Visibility


@dataclass(frozen=True)
class Inspection:
    """All that `relance inspect` tells."""

    digest: Digest
    name: str
    title: str
    version: str
    authors: tuple[str, ...]
    format_version: int
    relance: str
    snakemake: str
    runtime: str
    status: str
    started: float | None
    """Unix time, s."""
    ended: float | None
    holdings: tuple[Holding, ...]
    images: tuple[ImageFacts, ...]
    jobs: tuple[JobFacts, ...]
    parameters: Mapping[str, ParameterFacts]
    inputs: Mapping[str, InputFacts]
    results: Mapping[str, ResultFacts]
    unknown: tuple[str, ...]
    not_closed: tuple[str, ...]
    parent: Parent | None
    reports: tuple[Descriptor, ...]
    """Artifacts that refer to the capsule."""

    @property
    def size(self) -> int:
        """Bytes of all files and images that the capsule holds; what they share is counted twice."""
        return sum(one.size for one in self.holdings) + sum(one.size for one in self.images)


def inspect(
    blobs: Blobs, described: Descriptor, capsule: Capsule, reports: tuple[Descriptor, ...] = ()
) -> Inspection:
    """Say what a capsule holds; `reports` are the artifacts that refer to it.

    Raises:
        InputError: an image's manifest or configuration is missing or damaged.
    """
    specification = capsule.specification
    identity, interface = specification.identity, specification.interface
    values = configuration(capsule)
    return Inspection(
        digest=described.digest,
        name=identity.name,
        title=identity.title,
        version=identity.version,
        authors=tuple(author.name for author in identity.authors),
        format_version=capsule.format_version,
        relance=capsule.run.relance,
        snakemake=capsule.run.snakemake,
        runtime=runtime(capsule.run),
        status=capsule.run.status,
        started=capsule.started,
        ended=capsule.ended,
        holdings=tuple(_holding(capsule, role) for role in Role),
        images=_images(blobs, capsule),
        jobs=tuple(
            _job(job, verdict.reason) for job, verdict in zip(capsule.jobs, verdicts(capsule), strict=True)
        ),
        parameters={
            name: ParameterFacts(one.title, one.type, one.unit, allowed(one), _looked_up(values, one.key))
            for name, one in interface.parameters.items()
        },
        inputs={
            name: InputFacts(one.title, tuple(text for form in one.forms for text in form.formats))
            for name, one in interface.inputs.items()
        },
        results={
            name: ResultFacts(one.title, one.type, one.unit, one.file, specification.visibility_of(name))
            for name, one in interface.results.items()
        },
        unknown=capsule.unknown,
        not_closed=capsule.not_closed,
        parent=capsule.parent,
        reports=reports,
    )


def allowed(parameter: Parameter) -> str:
    """Return in words what values a parameter may have, in its unit; empty if anything goes."""
    if parameter.choices:
        return f"one of {', '.join(map(str, parameter.choices))}"
    bounds = (
        ("at least", parameter.minimum),
        ("more than", parameter.above),
        ("at most", parameter.maximum),
        ("less than", parameter.below),
    )
    return ", ".join(f"{words} {bound:g}" for words, bound in bounds if bound is not None)


def _holding(capsule: Capsule, role: Role) -> Holding:
    files = [file for file in capsule.files if file.role is role]
    held = [file.size for file in files if file.stored is not None]
    known = [file.size for file in files if file.stored is None]
    return Holding(role, len(held), sum(held), len(known), sum(known))


def runtime(run: RunFacts) -> str:
    """Return what jobs of a run ran in, with its version if that is known."""
    known = (part for part in (run.runtime, run.runtime_version) if part and part != UNKNOWN)
    return " ".join(known) or UNKNOWN


def _images(blobs: Blobs, capsule: Capsule) -> tuple[ImageFacts, ...]:
    held = images.held(blobs, capsule)
    return tuple(
        ImageFacts(
            image.written,
            image.config,
            image.manifest,
            held[image.manifest].size,
            str((held[image.manifest].manifest.platform or {}).get("architecture")),
            image.stands_for,
            image.resolved,
        )
        for image in capsule.images
    )


def _job(job: CapsuleJob, reason: str) -> JobFacts:
    times = job.times
    known = not isinstance(times.started, str) and not isinstance(times.ended, str)
    seconds = times.ended - times.started if known else None  # type: ignore[operator]
    return JobFacts(job_name(job.record), job.record.status, seconds, job.record.outputs, reason)


def _looked_up(values: Mapping[str, object], key: str) -> object:
    found: object = values
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return None if found == UNKNOWN else found
