"""A capsule's OCI index and manifests as plain JSON: which blob stands where, always in the same way.

index  ─ description manifest ─ capsule.json (config), jobs.json, files.json, specification.yaml, replay.sh
       ├ content manifests    ─ the files' blobs, at most 2,000 each
       └ image manifests      ─ configuration and layers of each image
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from relance import digest
from relance.capsule import documents
from relance.capsule.documents import Analysis
from relance.model import Digest
from relance.store.descriptors import INDEX_TYPE, MANIFEST_TYPE, Descriptor

CAPSULE_TYPE = "application/vnd.relance.capsule.v1"
DESCRIPTION_TYPE = "application/vnd.relance.capsule.description.v1"
CONTENT_TYPE = "application/vnd.relance.capsule.content.v1"
DOCUMENT_TYPE = "application/vnd.relance.capsule.v1+json"
"""Media type of capsule.json."""

EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
BLOB_TYPE = "application/octet-stream"
MOST_BLOBS = 2000
"""Blobs of one content manifest; registries refuse a manifest above 4 MiB."""

SPECIFICATION = "specification.yaml"
REPLAY = "replay.sh"
LAYERS: Mapping[str, str] = {
    documents.JOBS: "application/vnd.relance.capsule.jobs.v1+json",
    documents.FILES: "application/vnd.relance.capsule.files.v1+json",
    SPECIFICATION: "application/yaml",
    REPLAY: "application/x-sh",
}
"""Titles of the description's layers, in their order, with their media types."""

LARGEST: Mapping[str, int] = {
    documents.CAPSULE: 64 << 20,
    documents.JOBS: 512 << 20,
    documents.FILES: 512 << 20,
    SPECIFICATION: 1 << 20,
    REPLAY: 512 << 20,
}
"""Bytes of each document, which is read at once; a capsule of 50,000 files and jobs stays below a tenth."""

_TITLE = "org.opencontainers.image.title"
_VERSION = "org.opencontainers.image.version"


def description(document: Descriptor, layers: Mapping[str, Descriptor]) -> dict[str, Any]:
    """Return the description manifest; `layers` by title."""
    titled = [
        {"mediaType": kind, "digest": layers[title].digest, "size": layers[title].size}
        | {"annotations": {_TITLE: title}}
        for title, kind in LAYERS.items()
    ]
    return _manifest(DESCRIPTION_TYPE, document, titled)


def contents(blobs: Mapping[Digest, int]) -> Iterator[dict[str, Any]]:
    """Return the content manifests of all blobs, given with their sizes in bytes."""
    empty = Descriptor(EMPTY_TYPE, digest.of_bytes(EMPTY), len(EMPTY))
    rest = iter(sorted(blobs))
    while group := list(islice(rest, MOST_BLOBS)):
        layers = [{"mediaType": BLOB_TYPE, "digest": blob, "size": blobs[blob]} for blob in group]
        yield _manifest(CONTENT_TYPE, empty, layers)


def index(analysis: Analysis, parts: Sequence[Descriptor]) -> dict[str, Any]:
    """Return the index, which is the capsule: description, contents, images with their platform."""
    return {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "artifactType": CAPSULE_TYPE,
        "manifests": [part.to_json() for part in parts],
        "annotations": {_TITLE: analysis.name, _VERSION: analysis.version},
    }


def described_as(kind: str, manifest: Mapping[str, Any]) -> Descriptor:
    """Return the descriptor of a description or content manifest."""
    data = digest.canonical_json(manifest)
    return Descriptor(MANIFEST_TYPE, digest.of_bytes(data), len(data), artifact_type=kind)


def _manifest(kind: str, config: Descriptor, layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": kind,
        "config": config.to_json(),
        "layers": layers,
    }
