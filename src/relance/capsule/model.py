"""What a capsule holds, as frozen dataclasses; docs/capsule.md tells how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from relance.model import Digest, JobRecord, JobTimes, RunFacts, Stored
from relance.specification.model import Specification, Value, Visibility

FORMAT_VERSION = 1
"""Changes when a reader of the old format would misread the new."""


class Role(StrEnum):
    """What a file is to the analysis."""

    SOURCE = "source"
    """Comes with the analysis: workflow, configuration, programs."""
    INPUT = "input"
    """Data that jobs read and none made."""
    PRODUCT = "product"
    """Made by a job."""
    LOG = "log"


@dataclass(frozen=True)
class CapsuleFile:
    """A file of the analysis as the run found or left it."""

    path: str
    """Relative to the analysis, parts joined by `/`, none of them `..`; an input elsewhere: absolute."""
    role: Role
    digest: Digest
    size: int
    """Bytes."""
    stored: Stored | None
    """None: the capsule knows the file but doesn't hold it."""
    executable: bool = False
    locations: tuple[str, ...] = ()
    """Where a file that is kept by reference can be had."""
    adler32: str | None = None
    """Eight hexadecimal digits, of a file kept by reference."""
    visibility: Visibility = Visibility.PUBLIC


@dataclass(frozen=True)
class CapsuleLink:
    """A symbolic link among the sources; it leads to another file of the capsule."""

    path: str
    target: str
    """As the link says it: relative."""


@dataclass(frozen=True)
class CapsuleImage:
    """A container image of the analysis."""

    written: tuple[str, ...]
    """What rules write for it."""
    config: Digest
    """Its identity; see `relance.model.ImageRef`."""
    manifest: Digest
    """Of the OCI manifest that the capsule holds, with uncompressed layers."""
    manifest_size: int
    """Bytes."""
    runtime: Digest | None = None
    """sha256 of the squashfs file that is made of it."""
    stands_for: str | None = None
    """The name that can't be pulled any more, if a mapping put this image in its place."""
    resolved: str = "run"
    """As `ImageRecord.resolved`: `afterwards` if the run may have used another."""


@dataclass(frozen=True)
class CapsuleJob:
    """A job of the captured run, in an order in which each comes after those that it needs."""

    record: JobRecord
    times: JobTimes
    needs: tuple[int, ...] = ()
    """Positions of the jobs whose outputs it reads."""


@dataclass(frozen=True)
class Parent:
    """The capsule that this one is a recast of, and what was changed."""

    digest: Digest
    parameters: Mapping[str, Value] = field(default_factory=dict)
    inputs: Mapping[str, Digest] = field(default_factory=dict)


@dataclass(frozen=True)
class Capsule:
    """An analysis and a run of it."""

    specification: Specification
    specification_text: bytes
    """The file that the specification was read from."""
    run: RunFacts
    started: float | None
    """Unix time, s; None if unknown."""
    ended: float | None
    files: tuple[CapsuleFile, ...]
    """By path."""
    links: tuple[CapsuleLink, ...]
    folders: tuple[str, ...]
    """Empty folders among the sources."""
    trees: Mapping[str, Digest]
    """Digests of folders that jobs read or make (`relance.digest.of_tree`), by path."""
    jobs: tuple[CapsuleJob, ...]
    images: tuple[CapsuleImage, ...]
    unknown: tuple[str, ...] = ()
    """What could not be told of the run, in words."""
    not_closed: tuple[str, ...] = ()
    """What a rerun needs and the capsule doesn't hold, in words."""
    parent: Parent | None = None
    format_version: int = FORMAT_VERSION
