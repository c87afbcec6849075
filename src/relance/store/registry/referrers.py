"""What is said of a manifest later: manifests whose `subject` it is, by the registry's own list or by a tag.

A registry of before 2024 has no such list. Then the tag `sha256-<64 hex digits>` names an index of them, as
the OCI distribution specification 1.1 lays down, and whoever pushes one keeps that index.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store import manifests
from relance.store.descriptors import INDEX_TYPE, LARGEST_MANIFEST, Descriptor
from relance.store.layout import Layout
from relance.store.manifests import Manifest
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import NotFoundError
from relance.store.registry.session import Access, Session

_MADE, _TAKEN = 201, 202
_ROUNDS = 5
_MOST_PAGES = 100


def listed(reference: Reference, access: Access, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
    """Return the manifests that refer to one in a registry, by digest.

    Raises:
        InputError: the reference has no digest, or the registry's list is broken.
        MissingPartError: it does not answer.
        RefusedError: it has no such thing, or refuses.
    """
    subject = reference.pin
    with Session(reference, access) as session:
        found = _from_api(session, subject, artifact_type)
        if found is None:
            found = _from_tag(session, subject)
    return _sorted(found, artifact_type)


def in_layout(layout: Layout, subject: Digest, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
    """Return the manifests in a layout's index that refer to one, by digest.

    Raises:
        InputError: one of them is missing or damaged.
    """
    found = []
    for entry in layout.referrers(subject):
        data = layout.read(entry.digest, largest=LARGEST_MANIFEST)
        manifest = manifests.parse(data, entry)
        found.append(_described(entry, manifest))
    return _sorted(found, artifact_type)


def put_manifest(
    session: Session, described: Descriptor, data: bytes, manifest: Manifest, tag: str | None
) -> None:
    """Give a manifest to a registry under its digest, or under a tag, and list it with its subject.

    Raises:
        InputError: the registry took it for something else, or its list is broken.
        MissingPartError: it does not answer.
        RefusedError: it has no such thing, or refuses.
    """
    takes_subject = _put(session, tag or described.digest, described.media_type, data)
    if manifest.subject is not None and not takes_subject:
        _list_by_tag(session, manifest.subject.digest, _described(described, manifest))


def _put(session: Session, name: str, media_type: str, data: bytes) -> bool:
    """Return whether the registry lists the manifest with its subject by itself."""
    headers = {"Content-Type": media_type}
    url = session.url(f"manifests/{name}")
    with session.send("PUT", url, {_MADE, _TAKEN, 200}, headers=headers, body=lambda: data) as answer:
        found = answer.headers.get("Docker-Content-Digest")
        if found is not None and found != digest.of_bytes(data):
            raise InputError(
                f"registry {session.reference.host} changed a manifest",
                expected=digest.of_bytes(data),
                found=repr(found)[:100],
                next_step="use another registry: this one doesn't keep what it is given",
            )
        return "OCI-Subject" in answer.headers


def _list_by_tag(session: Session, subject: Digest, referrer: Descriptor) -> None:
    """Add to the index that the subject's tag names; again if another push overwrote it at the same time."""
    for _ in range(_ROUNDS):
        before = _from_tag(session, subject)
        if any(entry.digest == referrer.digest for entry in before):
            return
        entries = _sorted([*before, referrer], None)
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [entry.to_json() for entry in entries],
        }
        _put(session, _tag(subject), INDEX_TYPE, digest.canonical_json(index))
    if not any(entry.digest == referrer.digest for entry in _from_tag(session, subject)):
        raise session.refusal("a list of referrers that others keep changing")


def _from_api(session: Session, subject: Digest, artifact_type: str | None) -> list[Descriptor] | None:
    question = "" if artifact_type is None else f"?artifactType={quote(artifact_type, safe='')}"
    url = session.url(f"referrers/{subject}{question}")
    found: list[Descriptor] = []
    for _ in range(_MOST_PAGES):
        try:
            data, headers = session.read(url, LARGEST_MANIFEST, headers={"Accept": INDEX_TYPE})
        except NotFoundError:
            return found or None
        if headers.get("Content-Type", "").partition(";")[0].strip() != INDEX_TYPE:
            return None  # a page of something that knows no such list
        found += _entries(data, subject)
        following = _next(headers.get("Link", ""))
        if not following:
            break
        url = session.joined(url, following)
    return found


def _from_tag(session: Session, subject: Digest) -> list[Descriptor]:
    try:
        url = session.url(f"manifests/{_tag(subject)}")
        data, _ = session.read(url, LARGEST_MANIFEST, headers={"Accept": INDEX_TYPE})
    except NotFoundError:
        return []
    return _entries(data, subject)


def _entries(data: bytes, subject: Digest) -> list[Descriptor]:
    try:
        value: Any = json.loads(data)
        entries = value["manifests"] if isinstance(value, Mapping) else None
    except (ValueError, KeyError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise InputError(
            f"the list of what refers to {subject} can't be read",
            expected="an index of OCI",
            found="something else",
            next_step="tell those who keep the registry",
        )
    return [Descriptor.from_json(entry) for entry in entries]


def _described(descriptor: Descriptor, manifest: Manifest) -> Descriptor:
    """Return a referrer as lists of them tell it: with its artifact type and annotations."""
    return Descriptor(
        descriptor.media_type,
        descriptor.digest,
        descriptor.size,
        manifest.artifact_type,
        manifest.annotations,
    )


def _sorted(found: list[Descriptor], artifact_type: str | None) -> tuple[Descriptor, ...]:
    wanted = {
        entry.digest: entry
        for entry in found
        if artifact_type is None or entry.artifact_type == artifact_type
    }
    return tuple(wanted[key] for key in sorted(wanted))


def _tag(subject: Digest) -> str:
    return subject.replace(":", "-")


def _next(header: str) -> str:
    """Return the address of the next page that a Link header (RFC 8288) tells."""
    for part in header.split(","):
        address, _, rest = part.strip().partition(">")
        if address.startswith("<") and 'rel="next"' in rest.replace("rel=next", 'rel="next"'):
            return address[1:]
    return ""
