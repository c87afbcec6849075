"""What a store's content is kept for: names, what is said of named things, and results of steps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from relance.errors import InputError
from relance.model import Digest
from relance.store import manifests
from relance.store.descriptors import LARGEST_MANIFEST, Descriptor
from relance.store.layout import NAME, Layout
from relance.store.manifests import KNOWN, Manifest
from relance.store.store import Store

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Kind(StrEnum):
    """Why something is kept."""

    NAME = "name"
    """The index gives it a name: an image or a capsule."""
    UNNAMED = "unnamed"
    """The index lists it without a name, and it is about nothing else."""
    REFERRER = "referrer"
    """It is about something that is kept (its `subject`): a report, an approval, a signature."""
    STEP = "step"
    """A step's entry."""


@dataclass(frozen=True)
class Fault:
    """Something that can't be relied upon; `blob` if it is one, else `subject` is a path."""

    subject: str
    expected: str
    found: str
    blob: Digest | None = None


@dataclass(frozen=True)
class Root:
    """Something that is kept, and all the blobs that it needs, with the sizes that it says, in bytes."""

    kind: Kind
    name: str
    blobs: Mapping[Digest, int]
    faults: tuple[Fault, ...] = ()
    """Manifests and entries that can't be read, so that what they need is not known."""


def roots(store: Store, *, steps: bool = True) -> tuple[Root, ...]:
    """Return everything that a store keeps something for; only manifests and entries are read.

    Raises:
        InputError: the index can't be read.
    """
    layout = store.layout
    walk = _Walk(layout)
    found, waiting = [], []
    for entry in layout.index():
        name = entry.annotations.get(NAME)
        subject = walk.subject(entry)
        if name is not None:
            found.append(walk.root(Kind.NAME, name, entry))
        elif subject is not None:
            waiting.append((entry, subject))
        else:
            found.append(walk.root(Kind.UNNAMED, entry.digest, entry))
    if steps:
        found += [step_root(store, path) for path in entries(store)]
    return (*found, *_referrers(walk, waiting, found))


def unlisted_referrers(store: Store, known: Iterable[Root], among: Iterable[Digest]) -> tuple[Root, ...]:
    """Return those of the blobs `among` that are manifests about something that is kept."""
    layout = store.layout
    waiting = []
    for blob in among:
        if (layout.size(blob) or 0) <= LARGEST_MANIFEST:
            listed = _as_referrer(layout, blob)
            if listed is not None:
                waiting.append(listed)
    return tuple(_referrers(_Walk(layout), waiting, known))


def entries(store: Store) -> list[Path]:
    """Return the files of step entries."""
    return sorted(path for folder in store.every_steps for path in folder.glob("??/*.json"))


def step_root(store: Store, path: Path) -> Root:
    """Return what the entry of a step keeps: of all digests in it those whose blobs are there.

    Contents that are not there are no fault: an entry may know more than is kept.
    """
    name = f"step {path.stem[:12]}"
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        return Root(Kind.STEP, name, {}, (Fault(str(path), "the entry of a step", str(error)),))
    layout = store.layout
    sizes = {Digest(blob): layout.size(Digest(blob)) for blob in set(_DIGEST.findall(text))}
    return Root(Kind.STEP, name, {blob: size for blob, size in sizes.items() if size is not None})


class _Walk:
    """Follows manifests, each read once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._read: dict[Digest, Manifest | Fault] = {}

    def root(self, kind: Kind, name: str, top: Descriptor) -> Root:
        blobs: dict[Digest, int] = {}
        faults: list[Fault] = []
        waiting = [top]
        while waiting:
            entry = waiting.pop()
            if entry.digest in blobs:
                continue
            blobs[entry.digest] = entry.size
            if entry.media_type not in KNOWN:
                continue
            manifest = self._manifest(entry)
            if isinstance(manifest, Fault):
                faults.append(manifest)
                continue
            waiting += manifest.manifests
            blobs.update({blob.digest: blob.size for blob in manifest.blobs})
            # What something is about need not be there; if it is, it stays.
            if manifest.subject is not None and self._layout.has(manifest.subject.digest):
                waiting.append(manifest.subject)
        return Root(kind, name, blobs, tuple(faults))

    def subject(self, entry: Descriptor) -> Digest | None:
        manifest = self._manifest(entry) if entry.media_type in KNOWN else None
        return manifest.subject.digest if isinstance(manifest, Manifest) and manifest.subject else None

    def _manifest(self, entry: Descriptor) -> Manifest | Fault:
        known = self._read.get(entry.digest)
        if known is None:
            try:
                data = self._layout.read(entry.digest, largest=LARGEST_MANIFEST)
                known = manifests.parse(data, entry)
            except InputError as error:
                known = Fault(entry.digest, error.expected, f"{error.subject}: {error.found}", entry.digest)
            self._read[entry.digest] = known
        return known


def _referrers(
    walk: _Walk, waiting: list[tuple[Descriptor, Digest]], known: Iterable[Root]
) -> Iterator[Root]:
    """Return what is about something kept; that may itself be about something that is about it."""
    kept = {blob for root in known for blob in root.blobs}
    left = waiting
    while left:
        added = [(entry, subject) for entry, subject in left if subject in kept]
        if not added:
            return
        for entry, subject in added:
            root = walk.root(Kind.REFERRER, f"{entry.artifact_type or 'referrer'} about {subject}", entry)
            kept |= root.blobs.keys()
            yield root
        left = [pair for pair in left if pair not in added]


def _as_referrer(layout: Layout, blob: Digest) -> tuple[Descriptor, Digest] | None:
    data = layout.path(blob).read_bytes()
    if not data.startswith(b"{") or b'"subject"' not in data:
        return None
    described = Descriptor(manifests.media_type(data), blob, len(data))
    try:
        manifest = manifests.parse(data, described)
    except InputError:
        return None
    return None if manifest.subject is None else (described, manifest.subject.digest)
