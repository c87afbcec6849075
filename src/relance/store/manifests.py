"""What a manifest or an index names, read strictly, and everything that can be reached from one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from relance.errors import InputError
from relance.model import Digest
from relance.store.descriptors import INDEX_TYPE, LARGEST_MANIFEST, MANIFEST_TYPE, Descriptor

DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEXES = (INDEX_TYPE, DOCKER_LIST_TYPE)
KNOWN = (MANIFEST_TYPE, DOCKER_MANIFEST_TYPE, *INDEXES)

_DEEPEST = 8
"""An index of indexes of indexes… A capsule needs 2, a report on it 3."""
_MOST_MANIFESTS = 20_000
_MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Manifest:
    """A manifest or an index: `blobs` are its configuration and layers, `manifests` those it lists."""

    media_type: str
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Everything it names that is no manifest."""
        return (() if self.config is None else (self.config,)) + self.layers


@dataclass(frozen=True)
class Reached:
    """What a manifest leads to, each once: manifests after those that they name, and blobs."""

    manifests: tuple[tuple[Descriptor, bytes], ...]
    blobs: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.size for blob in self.blobs)


def parse(data: bytes, described: Descriptor) -> Manifest:
    """Read the bytes of a manifest, whose digest was verified.

    Raises:
        InputError: it isn't a manifest or index of OCI or Docker (schema 2), says it is another kind than
            its descriptor, or names something by anything but a sha256 and a size.
    """
    if len(data) > LARGEST_MANIFEST:
        raise _refusal(described.digest, f"at most {LARGEST_MANIFEST} bytes", f"{len(data)}")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _refusal(described.digest, "a manifest in JSON", "something else") from error
    if not isinstance(value, dict) or value.get("schemaVersion") != 2:
        raise _refusal(described.digest, "a manifest of schema version 2", _version(value))
    said = value.get("mediaType", described.media_type)
    if said != described.media_type or said not in KNOWN:
        raise _refusal(described.digest, f"the media type {described.media_type}", repr(said))
    wrong, needed = ({"config", "layers"}, "manifests") if said in INDEXES else ({"manifests"}, "layers")
    if wrong & value.keys() or not isinstance(value.get(needed), list):
        raise _refusal(described.digest, f"'{needed}' as in {said}", ", ".join(sorted(map(str, value)))[:200])
    annotations = value.get("annotations") or {}
    if not isinstance(annotations, dict):
        raise _refusal(described.digest, "annotations as a mapping", type(annotations).__name__)
    artifact = value.get("artifactType")
    config = None if said in INDEXES else _descriptor(value.get("config"), described.digest)
    if artifact is None and config is not None:
        artifact = config.media_type
    return Manifest(
        said,
        config,
        tuple(_descriptor(layer, described.digest) for layer in value.get("layers") or ()),
        tuple(_listed(child, described.digest) for child in value.get("manifests") or ()),
        None if value.get("subject") is None else _listed(value["subject"], described.digest),
        None if artifact is None else str(artifact),
        {str(key): str(text) for key, text in annotations.items()},
    )


def media_type(data: bytes, otherwise: str = "") -> str:
    """Return the kind that a manifest says it is, or `otherwise`; nothing else of it is looked at."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return otherwise
    if not isinstance(value, dict):
        return otherwise
    if isinstance(value.get("mediaType"), str):
        return str(value["mediaType"])
    return otherwise or (INDEX_TYPE if "manifests" in value else MANIFEST_TYPE)


def walk(root: Descriptor, read: Callable[[Descriptor], bytes | None]) -> Reached:
    """Return everything that `root` leads to; `read` gives a manifest's verified bytes.

    A `subject` belongs to it too, unless `read` gives None: what a report is about need not be there.

    Raises:
        InputError: a manifest is refused, or they nest too deep, are too many or too large together.
    """
    return _Walk(read).all(root)


class _Walk:
    """Collects manifests, children first."""

    def __init__(self, read: Callable[[Descriptor], bytes | None]) -> None:
        self._read = read
        self._manifests: dict[Digest, tuple[Descriptor, bytes]] = {}
        self._blobs: dict[Digest, Descriptor] = {}
        self._bytes = 0

    def all(self, root: Descriptor) -> Reached:
        self._visit(root, 0, optional=False)
        return Reached(tuple(self._manifests.values()), tuple(self._blobs.values()))

    def _visit(self, wanted: Descriptor, depth: int, *, optional: bool) -> None:
        if wanted.digest in self._manifests:
            return
        if depth > _DEEPEST:
            raise _refusal(wanted.digest, f"manifests nested at most {_DEEPEST} deep", "more")
        if wanted.size > LARGEST_MANIFEST:
            raise _refusal(wanted.digest, f"at most {LARGEST_MANIFEST} bytes", f"{wanted.size}")
        data = self._read(wanted)
        if data is None:
            if optional:
                return
            raise _refusal(wanted.digest, "the manifest", "none")
        self._bytes += len(data)
        if len(self._manifests) >= _MOST_MANIFESTS or self._bytes > _MOST_BYTES:
            raise _refusal(
                wanted.digest, f"at most {_MOST_MANIFESTS} manifests of {_MOST_BYTES} bytes", "more"
            )
        manifest = parse(data, wanted)
        if manifest.subject is not None:
            self._visit(manifest.subject, depth + 1, optional=True)
        for child in manifest.manifests:
            self._visit(child, depth + 1, optional=False)
        for blob in manifest.blobs:
            before = self._blobs.setdefault(blob.digest, blob)
            if before.size != blob.size:
                raise _refusal(wanted.digest, f"{before.size} bytes of {blob.digest}", f"{blob.size} bytes")
        self._manifests[wanted.digest] = (wanted, data)


def _descriptor(value: Any, owner: Digest) -> Descriptor:
    if not isinstance(value, Mapping) or isinstance(value.get("size"), bool | float | str):
        raise _refusal(owner, "descriptors with mediaType, digest and size", repr(value)[:200])
    return Descriptor.from_json(value)


def _listed(value: Any, owner: Digest) -> Descriptor:
    found = _descriptor(value, owner)
    if found.media_type not in KNOWN:
        raise _refusal(owner, f"manifests of a kind known here ({', '.join(KNOWN)})", repr(found.media_type))
    return found


def _version(value: object) -> str:
    if not isinstance(value, dict):
        return type(value).__name__
    return f"schemaVersion {value.get('schemaVersion')!r}"[:80]


def _refusal(subject: Digest, expected: str, found: str) -> InputError:
    return InputError(
        f"manifest {subject} is refused",
        expected=expected,
        found=found,
        next_step="get it again from its publisher; if this stays, don't trust it",
    )
