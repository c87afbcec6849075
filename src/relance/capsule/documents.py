"""The JSON documents inside a capsule: capsule.json, jobs.json, files.json (schemas in specs/schemas/)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from relance import digest
from relance.capsule.encoding import MalformedError, decode, encode
from relance.capsule.model import (
    FORMAT_VERSION,
    Capsule,
    CapsuleFile,
    CapsuleImage,
    CapsuleJob,
    CapsuleLink,
    Parent,
)
from relance.errors import InputError
from relance.model import Digest, RunFacts
from relance.specification.model import Specification

CAPSULE = "capsule.json"
JOBS = "jobs.json"
FILES = "files.json"

T = TypeVar("T")


@dataclass(frozen=True)
class Analysis:
    """What a capsule is called; the whole specification is a document of its own."""

    name: str
    title: str
    version: str


@dataclass(frozen=True)
class CapsuleDocument:
    """capsule.json."""

    format: str
    version: int
    analysis: Analysis
    run: RunFacts
    started: float | None
    ended: float | None
    images: tuple[CapsuleImage, ...]
    unknown: tuple[str, ...] = ()
    not_closed: tuple[str, ...] = ()
    parent: Parent | None = None


@dataclass(frozen=True)
class JobsDocument:
    """jobs.json."""

    format: str
    version: int
    jobs: tuple[CapsuleJob, ...]


@dataclass(frozen=True)
class FilesDocument:
    """files.json."""

    format: str
    version: int
    files: tuple[CapsuleFile, ...]
    links: tuple[CapsuleLink, ...] = ()
    folders: tuple[str, ...] = ()
    trees: Mapping[str, Digest] = field(default_factory=dict)


_FORMATS: dict[type, tuple[str, str]] = {
    CapsuleDocument: (CAPSULE, "relance-capsule"),
    JobsDocument: (JOBS, "relance-capsule-jobs"),
    FilesDocument: (FILES, "relance-capsule-files"),
}


@dataclass(frozen=True)
class Documents:
    """The three of them, each as its bytes."""

    capsule: bytes
    jobs: bytes
    files: bytes


def write(capsule: Capsule) -> Documents:
    """Return a capsule's documents: canonical JSON.

    Raises:
        InputError: a value in it can't be told in JSON.
    """
    return Documents(
        _written(
            CapsuleDocument(
                _FORMATS[CapsuleDocument][1],
                capsule.format_version,
                analysis(capsule),
                capsule.run,
                capsule.started,
                capsule.ended,
                capsule.images,
                capsule.unknown,
                capsule.not_closed,
                capsule.parent,
            )
        ),
        _written(JobsDocument(_FORMATS[JobsDocument][1], capsule.format_version, capsule.jobs)),
        _written(
            FilesDocument(
                _FORMATS[FilesDocument][1],
                capsule.format_version,
                capsule.files,
                capsule.links,
                capsule.folders,
                capsule.trees,
            )
        ),
    )


def analysis(capsule: Capsule) -> Analysis:
    """Return what a capsule is called."""
    return _analysis(capsule.specification)


def read(documents: Documents, specification: Specification, text: bytes) -> Capsule:
    """Return the capsule that its documents tell; `text` is what the specification was read from.

    Raises:
        InputError: a document isn't what this version of the format says, or not canonical JSON, or the
            documents contradict each other.
    """
    head = read_head(documents.capsule)
    jobs = _read(JobsDocument, documents.jobs)
    files = _read(FilesDocument, documents.files)
    called = _analysis(specification)
    if head.analysis != called:
        raise _wrong(
            CAPSULE,
            expected=f"the analysis of its specification, {called.name} {called.version}",
            found=f"{head.analysis.name} {head.analysis.version}",
        )
    return Capsule(
        specification=specification,
        specification_text=text,
        run=head.run,
        started=head.started,
        ended=head.ended,
        files=files.files,
        links=files.links,
        folders=files.folders,
        trees=files.trees,
        jobs=jobs.jobs,
        images=head.images,
        unknown=head.unknown,
        not_closed=head.not_closed,
        parent=head.parent,
        format_version=head.version,
    )


def read_head(data: bytes) -> CapsuleDocument:
    """Return what capsule.json alone tells.

    Raises:
        InputError: it isn't what this version of the format says.
    """
    return _read(CapsuleDocument, data)


def plain(data: bytes, subject: str) -> Any:
    """Return the value of a JSON text from a source that isn't trusted.

    Raises:
        InputError: it is none, it says NaN or a key twice, or it is nested too deep.
    """
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise _wrong(subject, expected="JSON nested like a capsule's", found="no end of brackets") from None
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are such
        raise _wrong(subject, expected="JSON in UTF-8", found=str(error)) from error


def _analysis(specification: Specification) -> Analysis:
    identity = specification.identity
    return Analysis(identity.name, identity.title, identity.version)


def _read(kind: type[T], data: bytes) -> T:
    name, form = _FORMATS[kind]
    value = plain(data, name)
    _check_version(value, name, form)
    try:
        document = decode(kind, value)
        canonical = _written(document)
    except MalformedError as error:
        place = ".".join(map(str, error.place))
        raise _wrong(
            f"{name}: {place}" if place else name, expected=error.expected, found=error.found
        ) from None
    except RecursionError:
        raise _wrong(name, expected="JSON nested like a capsule's", found="no end of brackets") from None
    if canonical != data:
        # Else two capsules that say the same would have two digests.
        raise _wrong(
            name, expected="canonical JSON, what has its default left out", found="the same told otherwise"
        )
    return document


def _check_version(value: Any, name: str, form: str) -> None:
    if not isinstance(value, dict) or value.get("format") != form:
        raise _wrong(name, expected=f"a document with format {form!r}", found="something else")
    version = value.get("version")
    if version == FORMAT_VERSION and type(version) is int:
        return
    newer = type(version) is int and version > FORMAT_VERSION
    raise InputError(
        f"{name} is of another version of the capsule format",
        expected=f"version {FORMAT_VERSION}",
        found=f"version {version!r}"[:60],
        next_step="read it with a newer relance" if newer else "get the capsule again from its publisher",
    )


def _written(document: object) -> bytes:
    return digest.canonical_json(encode(document))


def _no_constant(text: str) -> float:
    raise ValueError(f"{text}, which is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key that stands twice in one mapping")
    return content


def _wrong(subject: str, *, expected: str, found: str) -> InputError:
    return InputError(
        f"the capsule is broken: {subject}",
        expected=expected,
        found=found,
        next_step="don't use it; get the capsule again from its publisher",
    )
