"""Reports and approvals as OCI artifacts whose subject is the capsule: it keeps its digest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar

from relance import digest
from relance.capsule import documents, oci
from relance.capsule.encoding import MalformedError, decode, encode
from relance.errors import InputError
from relance.store.descriptors import LARGEST_MANIFEST, MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.store.manifests import parse
from relance.verify.model import Approval, Report

REPORT_TYPE = "application/vnd.relance.report.v1"
APPROVAL_TYPE = "application/vnd.relance.approval.v1"

_TITLES = {REPORT_TYPE: "report.json", APPROVAL_TYPE: "approval.json"}
_MOST = 64 << 20

T = TypeVar("T", Report, Approval)


def attach(layout: Layout, capsule: Descriptor, what: Report | Approval) -> Descriptor:
    """Keep a report or an approval in the capsule's layout and return its manifest.

    Raises:
        InputError: a value in it can't be told in JSON.
    """
    kind, summary = _described(what)
    data = layout.add(digest.canonical_json(encode(what)), f"{kind}+json")
    empty = layout.add(oci.EMPTY, oci.EMPTY_TYPE)
    created = datetime.fromtimestamp(int(what.time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    annotations = {
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.description": summary,
    }
    title = {"org.opencontainers.image.title": _TITLES[kind]}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": kind,
        "config": empty.to_json(),
        "layers": [data.to_json() | {"annotations": title}],
        "subject": Descriptor(capsule.media_type, capsule.digest, capsule.size).to_json(),
        "annotations": annotations,
    }
    added = layout.add_json(manifest, MANIFEST_TYPE)
    described = Descriptor(MANIFEST_TYPE, added.digest, added.size, kind, annotations)
    layout.attach(described)
    return described


def reports(layout: Layout, capsule: Descriptor) -> Iterator[tuple[Descriptor, Report]]:
    """Return the reports on a capsule, the oldest first."""
    found = _of(layout, capsule, REPORT_TYPE, Report)
    return iter(sorted(found, key=lambda pair: (pair[1].time, pair[0].digest)))


def approvals(layout: Layout, capsule: Descriptor) -> Iterator[tuple[Descriptor, Approval]]:
    """Return the approvals of a capsule, the oldest first."""
    found = _of(layout, capsule, APPROVAL_TYPE, Approval)
    return iter(sorted(found, key=lambda pair: (pair[1].time, pair[0].digest)))


def _described(what: Report | Approval) -> tuple[str, str]:
    if isinstance(what, Report):
        return REPORT_TYPE, str(what.verdict)
    return APPROVAL_TYPE, f"approved by {what.by} (not signed)"


def _of(layout: Layout, capsule: Descriptor, kind: str, form: type[T]) -> list[tuple[Descriptor, T]]:
    found = []
    for described in layout.referrers(capsule.digest):
        manifest = parse(layout.read(described.digest, largest=LARGEST_MANIFEST), described)
        if manifest.artifact_type != kind or len(manifest.layers) != 1:
            continue
        data = layout.read(manifest.layers[0].digest, largest=_MOST)
        subject = f"{_TITLES[kind]} of {capsule.digest}"
        try:
            value = decode(form, documents.plain(data, subject))
        except MalformedError as error:
            raise InputError(
                subject,
                expected=error.expected,
                found=error.found,
                next_step="leave it out of account, or use the relance that wrote it",
            ) from error
        if value.capsule == capsule.digest:
            found.append((described, value))
    return found
