"""Every blob of a capsule read again: what is damaged is named as the part of the analysis that it is."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from relance.capsule import documents, oci, reading
from relance.capsule.blobs import Blobs
from relance.capsule.documents import FilesDocument
from relance.capsule.encoding import MalformedError, decode
from relance.capsule.model import Capsule, CapsuleFile
from relance.errors import InputError, named
from relance.model import UNKNOWN, Digest, ImageRecord
from relance.store.descriptors import LARGEST_MANIFEST, Descriptor
from relance.store.hashing import usable_threads
from relance.store.layout import Layout
from relance.store.manifests import Manifest, parse
from relance.verify.model import Integrity, Problem

_CHUNK = 1 << 20
_MOST_PROBLEMS = 1000
_DOCUMENTS = ("capsule.json", *oci.LAYERS)

Progress = Callable[[int, int], None]
"""Told the bytes read and all there are to read."""


class Place(Blobs, Protocol):
    """Where a capsule lies: a store's layout, a tar file, a folder."""

    def size(self, blob: Digest) -> int | None:
        """Return the bytes of a blob, without reading it; None if there is none."""
        ...

    def stream(self, blob: Digest) -> BinaryIO:
        """Return a stream that begins with a blob's first byte and may go on behind its last; not verified.

        Raises:
            OSError: it can't be opened.
        """
        ...


class Kept:
    """A layout as a place."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.size, self.read = layout.size, layout.read

    def stream(self, blob: Digest) -> BinaryIO:
        """Open a blob; see `Place.stream`."""
        return self._layout.path(blob).open("rb")


def check(
    place: Place,
    described: Descriptor,
    *,
    threads: int | None = None,
    told: Progress = lambda _done, _all: None,
) -> Integrity:
    """Read everything that a capsule holds and tell what isn't as it was.

    Every blob is compared with its digest and size, the documents with their schemas and with each other,
    images with their manifests, configurations and layers, and the code that jobs name with the files that
    are kept. A file in parts is also compared as a whole.

    It never raises on account of what the capsule holds. Where a manifest is damaged, what only it names
    can't be checked.
    """
    finding = _Finding(place)
    finding.gather(described)
    finding.hash_all(threads or usable_threads(), told)
    capsule = finding.understood(described)
    problems = [*finding.problems]
    by_digest_only = 0
    if capsule is not None:
        by_digest_only = sum(1 for file in capsule.files if file.stored is None)
        damaged = finding.damaged
        problems += _parts(place, capsule, damaged)
        problems += _code(capsule)
        problems += _images(capsule)
    return Integrity(len(finding.wanted), finding.read, tuple(problems[:_MOST_PROBLEMS]), by_digest_only)


@dataclass(frozen=True)
class _Found:
    """What a blob turned out to be."""

    digest: Digest
    expected: str
    found: str


class _Finding:
    """Follows a capsule's manifests as far as they can be read."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.Lock()
        self.wanted: dict[Digest, Descriptor] = {}
        self.read = 0
        self._owners: dict[Digest, list[str]] = {}
        self._bad: list[_Found] = []
        self._refused: list[Problem] = []

    @property
    def damaged(self) -> frozenset[Digest]:
        """Blobs that aren't what their names say."""
        return frozenset(bad.digest for bad in self._bad)

    @property
    def problems(self) -> Iterator[Problem]:
        """Return what is damaged, by what it belongs to."""
        for bad in sorted(self._bad, key=lambda one: one.digest):
            yield Problem(self._named(bad.digest), bad.expected, bad.found)
        yield from self._refused

    def gather(self, described: Descriptor) -> None:
        """Collect every blob that the capsule names, with what it is to it."""
        index = self._manifest(described, "the capsule's index")
        if index is None:
            return
        for child in index.manifests:
            what = {
                oci.DESCRIPTION_TYPE: "the capsule's description",
                oci.CONTENT_TYPE: "a list of the capsule's files",
            }.get(child.artifact_type or "", f"the manifest of an image, {child.digest}")
            manifest = self._manifest(child, what)
            if manifest is not None:
                self._name_blobs(child, manifest)

    def _name_blobs(self, child: Descriptor, manifest: Manifest) -> None:
        match child.artifact_type:
            case oci.DESCRIPTION_TYPE:
                names = list(_DOCUMENTS)
            case oci.CONTENT_TYPE:
                names = ["the empty configuration of lists of files"]  # what else they are files.json tells
            case _:
                short = child.digest.removeprefix("sha256:")[:12]
                layers = len(manifest.layers)
                names = [
                    f"configuration of image {short}",
                    *(f"layer {number} of {layers} of image {short}" for number in range(1, layers + 1)),
                ]
        for number, blob in enumerate(manifest.blobs):
            self.wanted.setdefault(blob.digest, blob)
            if number < len(names):
                self._owners.setdefault(blob.digest, []).append(names[number])
            if blob.size != self.wanted[blob.digest].size:
                self._bad.append(_Found(blob.digest, f"{self.wanted[blob.digest].size} bytes", "two sizes"))

    def _manifest(self, described: Descriptor, what: str) -> Manifest | None:
        self.wanted[described.digest] = described
        self._owners.setdefault(described.digest, []).append(what)
        size = self._place.size(described.digest)
        if size is None or size != described.size or size > LARGEST_MANIFEST:
            return None  # hashing tells
        try:
            return parse(self._place.read(described.digest, largest=LARGEST_MANIFEST), described)
        except InputError as error:
            if error.subject.startswith("manifest "):
                self._refused.append(Problem(what, error.expected, error.found))
            return None

    def hash_all(self, threads: int, told: Progress) -> None:
        """Read every blob once, the largest first."""
        total = sum(blob.size for blob in self.wanted.values())
        order = sorted(self.wanted.values(), key=lambda blob: -blob.size)

        def heard(count: int) -> None:
            with self._lock:
                self.read += count
                told(self.read, total)

        with ThreadPoolExecutor(threads) as pool:
            for found in pool.map(lambda blob: _hashed(self._place, blob, heard), order):
                if found is not None:
                    self._bad.append(found)

    def understood(self, described: Descriptor) -> Capsule | None:
        """Read the capsule as every command does, learning what its blobs are; None if it can't be."""
        try:
            capsule = reading.read(self._place, described)
        except InputError as error:
            if not self.damaged and not self._refused:
                self._refused.append(Problem(error.subject, error.expected, error.found))
            self._name_files_alone()
            return None
        for file in capsule.files:
            self._name_file(file)
        self._name_images(capsule)
        return capsule

    def _name_files_alone(self) -> None:
        """Name the files that files.json tells of, though the capsule as a whole can't be read."""
        listed = next((blob for blob, names in self._owners.items() if "files.json" in names), None)
        if listed is None or listed in self.damaged:
            return
        with suppress(InputError, MalformedError):
            text = self._place.read(listed, largest=oci.LARGEST[documents.FILES])
            for file in decode(FilesDocument, documents.plain(text, documents.FILES)).files:
                self._name_file(file)

    def _name_file(self, file: CapsuleFile) -> None:
        for number, part in enumerate(file.stored.blobs if file.stored else (), 1):
            of = f"part {number} of " if file.stored and file.stored.parts else ""
            self._owners.setdefault(part.digest, []).append(f"{of}{file.role} {file.path}")

    def _name_images(self, capsule: Capsule) -> None:
        written: dict[str, str] = {}
        for image in capsule.images:
            short = image.manifest.removeprefix("sha256:")[:12]
            written[short] = image.written[0] if image.written else image.config
        for names in self._owners.values():
            for position, name in enumerate(names):
                head, _, short = name.rpartition(" ")
                if short in written:
                    names[position] = f"{head} {written[short]}"

    def _named(self, blob: Digest) -> str:
        names = list(dict.fromkeys(self._owners.get(blob, [f"blob {blob}"])))
        return named(names)


def _hashed(place: Place, blob: Descriptor, told: Callable[[int], None]) -> _Found | None:
    size = place.size(blob.digest)
    if size is None:
        return _Found(blob.digest, f"blob {blob.digest}", "none")
    if size != blob.size:
        return _Found(blob.digest, f"{blob.size} bytes", f"{size} bytes")
    state = hashlib.sha256()
    try:
        for data in _read(place, blob.digest, blob.size):
            state.update(data)
            told(len(data))
    except OSError as error:
        return _Found(blob.digest, "a file that can be read", error.strerror or str(error))
    found = f"sha256:{state.hexdigest()}"
    return None if found == blob.digest else _Found(blob.digest, blob.digest, found)


def _read(place: Place, blob: Digest, size: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(_CHUNK))
    with place.stream(blob) as stream:
        while size and (count := stream.readinto(buffer[: min(size, _CHUNK)])):  # type: ignore[attr-defined]
            yield buffer[:count]
            size -= count


def _parts(place: Place, capsule: Capsule, damaged: frozenset[Digest]) -> Iterator[Problem]:
    """Compare files that are kept in parts as a whole; their parts alone were read before."""
    for file in capsule.files:
        stored = file.stored
        if stored is None or not stored.parts or damaged.intersection(part.digest for part in stored.parts):
            continue
        state = hashlib.sha256()
        for part in stored.parts:
            for data in _read(place, part.digest, part.size):
                state.update(data)
        found = f"sha256:{state.hexdigest()}"
        if found != stored.digest:
            yield Problem(f"{file.role} {file.path}", stored.digest, found)


def _code(capsule: Capsule) -> Iterator[Problem]:
    """Compare the programs that jobs ran with those that are kept."""
    kept = {file.path: file.digest for file in capsule.files}
    seen: set[str] = set()
    for job in capsule.jobs:
        code = job.record.code
        if code.path is None or code.path in seen or code.digest == UNKNOWN:
            continue
        seen.add(code.path)
        if kept.get(code.path, code.digest) != code.digest:
            yield Problem(f"script {code.path} of rule {job.record.rule}", code.digest, kept[code.path])


def _images(capsule: Capsule) -> Iterator[Problem]:
    """Compare the images that jobs ran in with those that are kept."""
    kept = {written: image for image in capsule.images for written in image.written}
    seen: set[str] = set()
    for job in capsule.jobs:
        image = job.record.image
        if not isinstance(image, ImageRecord) or image.written in seen or image.config == UNKNOWN:
            continue
        seen.add(image.written)
        held = kept.get(image.written)
        if held is not None and held.stands_for is None and held.config != image.config:
            yield Problem(f"image {image.written} of rule {job.record.rule}", image.config, held.config)
