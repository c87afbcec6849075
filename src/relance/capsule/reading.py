"""A capsule found and read: every document verified, and nothing believed that `writing` wouldn't write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from relance import digest
from relance.capsule import blobs as blob_reading
from relance.capsule import documents as papers
from relance.capsule import images, oci, rules
from relance.capsule.blobs import Blobs
from relance.capsule.documents import CapsuleDocument, Documents
from relance.capsule.model import Capsule
from relance.capsule.ordering import ordered
from relance.capsule.writing import NAMES
from relance.errors import InputError
from relance.model import Digest
from relance.specification import reading as specifications
from relance.store import manifests
from relance.store.descriptors import INDEX_TYPE, LARGEST_MANIFEST, MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout

_PREFIX = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")


def names(layout: Layout) -> Mapping[str, Descriptor]:
    """Return the capsules that have a name in a layout, by NAME:VERSION."""
    return {
        name.removeprefix(NAMES): described
        for name, described in layout.names().items()
        if name.startswith(NAMES)
    }


def find(layout: Layout, text: str) -> Descriptor:
    """Return the capsule that is meant by NAME, NAME:VERSION, a digest, or eight or more digits of one.

    Raises:
        InputError: there is none, or more than one.
    """
    known = names(layout)
    if text in known:
        return known[text]
    versions = sorted(name for name in known if name.partition(":")[0] == text)
    if len({known[name].digest for name in versions}) == 1:
        return known[versions[0]]
    if versions:
        raise _ambiguous(text, versions)
    given = _PREFIX.fullmatch(text)
    found = _by_digits(layout, given[1]) if given else []
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(text, [described.digest for described in found])
    raise InputError(
        f"there is no capsule {text!r}",
        expected=f"one of {', '.join(sorted(known))}, or a digest" if known else "a capsule of this store",
        found="none of this name or digest",
        next_step="see 'relance capsules'",
    )


def read(blobs: Blobs, described: Descriptor) -> Capsule:
    """Return a capsule; files and layers are not read, everything that tells of them is.

    Raises:
        InputError: a document is missing, damaged, too large, of another version, or says what no capsule
            may say (see `rules`); or the index names other blobs than the documents do.
    """
    index = _index(blobs, described)
    texts = _described(blobs, index.manifests)
    specification = specifications.parse(texts[oci.SPECIFICATION], Path(oci.SPECIFICATION))
    capsule = papers.read(
        Documents(texts[papers.CAPSULE], texts[papers.JOBS], texts[papers.FILES]),
        specification,
        texts[oci.SPECIFICATION],
    )
    if ordered(capsule) != capsule:
        raise _broken("its documents", "files, jobs and images in order", "another order")
    rules.check(capsule)
    _check_index(blobs, described, index, capsule)
    return capsule


def head(blobs: Blobs, described: Descriptor) -> CapsuleDocument:
    """Return what capsule.json alone tells, for lists of many capsules.

    Raises:
        InputError: as `read`, of the part that is looked at.
    """
    manifest = _description(blobs, _index(blobs, described).manifests)
    return papers.read_head(_text(blobs, manifest.blobs[0], papers.CAPSULE))


def replay(blobs: Blobs, described: Descriptor) -> bytes:
    """Return the script that came with a capsule.

    Raises:
        InputError: it is missing or damaged.
    """
    manifest = _description(blobs, _index(blobs, described).manifests)
    return _text(blobs, manifest.layers[-1], oci.REPLAY)


def reached(blobs: Blobs, described: Descriptor) -> manifests.Reached:
    """Return every blob that a capsule names, each once: what pushing, exporting and checking go through.

    Raises:
        InputError: a manifest is missing, damaged or refused.
    """
    return manifests.walk(described, lambda one: blob_reading.read(blobs, one, one.digest, LARGEST_MANIFEST))


def documents(blobs: Blobs, described: Descriptor) -> Iterator[Descriptor]:
    """Return every blob that a capsule names, in an order in which each comes after those that it names."""
    found = reached(blobs, described)
    yield from found.blobs
    yield from (manifest for manifest, _ in found.manifests)


def _index(blobs: Blobs, described: Descriptor) -> manifests.Manifest:
    if described.media_type != INDEX_TYPE:
        raise _broken("its index", INDEX_TYPE, described.media_type)
    index = manifests.parse(blob_reading.read(blobs, described, "its index", LARGEST_MANIFEST), described)
    if index.artifact_type != oci.CAPSULE_TYPE:
        raise InputError(
            f"{described.digest} is no capsule of this version",
            expected=f"an OCI index with artifactType {oci.CAPSULE_TYPE}",
            found=index.artifact_type or "an image index",
            next_step="name a capsule; one that a newer relance wrote needs that relance",
        )
    return index


def _description(blobs: Blobs, parts: tuple[Descriptor, ...]) -> manifests.Manifest:
    if not parts or parts[0].artifact_type != oci.DESCRIPTION_TYPE or parts[0].media_type != MANIFEST_TYPE:
        raise _broken("its index", "the description manifest first", "something else")
    data = blob_reading.read(blobs, parts[0], "its description", LARGEST_MANIFEST)
    manifest = manifests.parse(data, parts[0])
    if manifest.config is None or len(manifest.layers) != len(oci.LAYERS):
        raise _broken("its description", f"the documents {', '.join(oci.LAYERS)}", "others")
    layers = dict(zip(oci.LAYERS, manifest.layers, strict=True))
    if oci.description(manifest.config, layers) != papers.plain(data, "its description"):
        raise _broken("its description", f"the documents {', '.join(oci.LAYERS)}", "others")
    return manifest


def _described(blobs: Blobs, parts: tuple[Descriptor, ...]) -> dict[str, bytes]:
    manifest = _description(blobs, parts)
    titled = zip((papers.CAPSULE, *oci.LAYERS), manifest.blobs, strict=True)
    return {title: _text(blobs, blob, title) for title, blob in titled}


def _text(blobs: Blobs, described: Descriptor, title: str) -> bytes:
    return blob_reading.read(blobs, described, title, oci.LARGEST[title])


def _check_index(blobs: Blobs, described: Descriptor, index: manifests.Manifest, capsule: Capsule) -> None:
    """Refuse an index that differs in anything from the one that this capsule is written with."""
    contents = [
        oci.described_as(oci.CONTENT_TYPE, manifest) for manifest in oci.contents(rules.blobs(capsule))
    ]
    pictures = [image.manifest for image in images.held(blobs, capsule).values()]
    parts = (index.manifests[0], *contents, *pictures)
    expected = digest.canonical_json(oci.index(papers.analysis(capsule), parts))
    if digest.of_bytes(expected) != described.digest:
        number = sum(1 for one, other in zip(index.manifests, parts, strict=False) if one == other)
        raise _broken(
            "its index",
            f"{len(contents)} manifests of the files that files.json lists and {len(pictures)} of images",
            f"{len(index.manifests) - 1} manifests, of which {max(number - 1, 0)} are those",
        )


def _by_digits(layout: Layout, digits: str) -> list[Descriptor]:
    if len(digits) == 64:
        candidates = [Digest(f"sha256:{digits}")]
    else:
        candidates = [blob for blob in layout.blobs() if blob.removeprefix("sha256:").startswith(digits)]
    found = []
    for blob in sorted(candidates):
        size = layout.size(blob)
        if size is None or size > LARGEST_MANIFEST:
            continue
        described = Descriptor(INDEX_TYPE, blob, size, artifact_type=oci.CAPSULE_TYPE)
        try:
            _index(layout, described)
        except InputError:
            continue
        found.append(described)
    return found


def _ambiguous(text: str, found: list[str]) -> InputError:
    return InputError(
        f"{text!r} means more than one capsule",
        expected="a name with its version, or more digits",
        found=", ".join(found[:9]),
        next_step=f"write '{found[-1]}', for example",
    )


def _broken(subject: str, expected: str, found: str) -> InputError:
    return InputError(
        f"the capsule is broken: {subject}",
        expected=expected,
        found=found,
        next_step="don't use it; get the capsule again from its publisher",
    )
