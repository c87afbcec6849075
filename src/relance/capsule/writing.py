"""A capsule as an OCI artifact in a layout: its documents, the manifests that name its blobs, one index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from relance import digest
from relance.capsule import documents, images, oci, rules
from relance.capsule.model import Capsule
from relance.capsule.ordering import ordered
from relance.capsule.replay import replay_script
from relance.errors import InputError
from relance.model import Digest
from relance.specification import reading as specifications
from relance.store.descriptors import INDEX_TYPE, LARGEST_MANIFEST, MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout

NAMES = "capsule/"
"""What names of capsules begin with in the index of a layout."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}:[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def write(layout: Layout, capsule: Capsule, *, name: str | None) -> Descriptor:
    """Write a capsule whose files and images the layout holds already; return its index, its identity.

    What is equal gets an equal digest, in whatever order its parts were given.

    Args:
        layout: gets the documents and manifests.
        capsule: its `specification` must be what `specification_text` says.
        name: NAME or NAME:VERSION, which means this capsule from now on; without a version that of the
            specification. None: it has no name, and `relance store gc` may remove it.

    Raises:
        InputError: it says what no capsule may say (see `rules`), or the layout lacks a blob. Then the name
            means what it meant before.
    """
    named = None if name is None else full_name(name, capsule)
    capsule = ordered(capsule)
    rules.check(capsule)
    if specifications.parse(capsule.specification_text, Path(oci.SPECIFICATION)) != capsule.specification:
        raise InputError(
            "the capsule's specification is not that of its text",
            expected="what specification_text says",
            found="another",
            next_step="read it from that text",
        )
    blobs = rules.blobs(capsule)
    _check_there(layout, blobs)
    held = images.held(layout, capsule)
    for image in held.values():
        _check_there(layout, {layer.digest: layer.size for layer in image.layers})
    described = _describe(layout, capsule)
    contents = [_add_manifest(layout, oci.CONTENT_TYPE, manifest) for manifest in oci.contents(blobs)]
    parts = (described, *contents, *(image.manifest for image in held.values()))
    data = digest.canonical_json(oci.index(documents.analysis(capsule), parts))
    if len(data) > LARGEST_MANIFEST:
        raise InputError(
            "the capsule has too many files",
            expected=f"an index of at most {LARGEST_MANIFEST} bytes",
            found=f"{len(data)} bytes, for {len(blobs)} different files",
            next_step="pack small files into archives before capturing",
        )
    added = layout.add(data, INDEX_TYPE)
    index = Descriptor(INDEX_TYPE, added.digest, added.size, artifact_type=oci.CAPSULE_TYPE)
    if named is not None:
        layout.name(named, index)
    return index


def full_name(name: str, capsule: Capsule) -> str:
    """Return how the index of a layout names a capsule: `capsule/NAME:VERSION`.

    Raises:
        InputError: it can't be a name.
    """
    version = re.sub(r"[^A-Za-z0-9._-]", "-", capsule.specification.identity.version)
    full = name if ":" in name else f"{name}:{version}"
    if not _NAME.fullmatch(full):
        raise InputError(
            f"a capsule can't be called {name!r}",
            expected="NAME or NAME:VERSION of letters, digits, '.', '_' and '-'",
            found=repr(full),
            next_step="choose another name",
        )
    return f"{NAMES}{full}"


def _describe(layout: Layout, capsule: Capsule) -> Descriptor:
    written = documents.write(capsule)
    texts = {
        documents.JOBS: written.jobs,
        documents.FILES: written.files,
        oci.SPECIFICATION: capsule.specification_text,
        oci.REPLAY: replay_script(capsule).encode(),
    }
    for title, text in {documents.CAPSULE: written.capsule, **texts}.items():
        if len(text) > oci.LARGEST[title]:
            raise InputError(
                f"{title} of the capsule is too large",
                expected=f"at most {oci.LARGEST[title]} bytes",
                found=f"{len(text)}",
                next_step="capture less at once",
            )
    head = layout.add(written.capsule, oci.DOCUMENT_TYPE)
    layers = {title: layout.add(text, oci.LAYERS[title]) for title, text in texts.items()}
    layout.add(oci.EMPTY, oci.EMPTY_TYPE)
    return _add_manifest(layout, oci.DESCRIPTION_TYPE, oci.description(head, layers))


def _add_manifest(layout: Layout, kind: str, manifest: Mapping[str, Any]) -> Descriptor:
    return replace(layout.add_json(manifest, MANIFEST_TYPE), artifact_type=kind)


def _check_there(layout: Layout, blobs: Mapping[Digest, int]) -> None:
    for blob, size in blobs.items():
        found = layout.size(blob)
        if found != size:
            raise InputError(
                f"the capsule needs blob {blob}",
                expected=f"{size} bytes in {layout.folder}",
                found="none" if found is None else f"{found} bytes",
                next_step="capture again",
            )
