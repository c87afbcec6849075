"""A capsule's provenance as an RO-Crate: Provenance Run Crate 0.5 on RO-Crate 1.1.

The profile tells which entities there are: https://w3id.org/ro/wfrun/provenance/0.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from relance.capsule.model import Capsule
from relance.model import Digest
from relance.publish.entities import dataset, files, runs, workflow
from relance.publish.entities.model import Entity, Payload, Subject

METADATA = "ro-crate-metadata.json"
CONTEXTS = ("https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context")
CRATE = "https://w3id.org/ro/crate/1.1"


def metadata(capsule: Capsule, digest: Digest, payload: Sequence[Payload]) -> Entity:
    """Return what `ro-crate-metadata.json` says of a capsule.

    Args:
        capsule: what is told.
        digest: the capsule's own.
        payload: every file of the crate's folder, besides the metadata.
    """
    subject = Subject(capsule, digest, {file.path: file for file in payload})
    entities = [{key: _told(value) for key, value in entity.items()} for entity in _entities(subject)]
    graph = sorted(entities, key=lambda entity: (entity["@id"] != METADATA, entity["@id"]))
    return {"@context": list(CONTEXTS), "@graph": graph}


def _entities(subject: Subject) -> Iterator[Entity]:
    yield {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": [{"@id": CRATE}, {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}],
    }
    yield from dataset.entities(subject)
    yield from workflow.entities(subject)
    yield from files.entities(subject)
    yield from runs.entities(subject)


def _told(value: Any) -> Any:
    """Return a list of one as that one, as the specification of RO-Crate 1.1 recommends."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
