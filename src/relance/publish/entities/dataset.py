"""The crate itself: what it is called, who made it, and which profiles it conforms to."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from relance.publish.entities.model import Entity, Subject, author_id, date, identifier
from relance.publish.entities.runs import ENGINE_RUN, RUN

_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}


def entities(subject: Subject) -> Iterator[Entity]:
    """Give the crate's folder, its profiles, its licence and its authors."""
    for profile, (name, version) in _PROFILES.items():
        yield {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
    identity = subject.capsule.specification.identity
    licence = f"https://spdx.org/licenses/{quote(identity.licence)}"
    authors = [author_id(number, author.orcid) for number, author in enumerate(identity.authors)]
    yield {
        "@id": "./",
        "@type": "Dataset",
        "name": identity.title,
        "description": identity.description or identity.title,
        "version": identity.version,
        "identifier": subject.digest,
        "keywords": ", ".join(identity.keywords) or identity.name,
        "license": {"@id": licence},
        "author": [{"@id": author} for author in authors],
        "datePublished": date(subject.capsule.ended) or "1970-01-01T00:00:00+00:00",
        "conformsTo": [{"@id": profile} for profile in _PROFILES],
        "mainEntity": {"@id": subject.main},
        "hasPart": [{"@id": identifier(path)} for path in sorted(subject.payload)],
        "mentions": [
            {"@id": RUN},
            {"@id": ENGINE_RUN},
            *({"@id": f"#job-{number}"} for number in range(len(subject.capsule.jobs))),
        ],
    }
    yield {
        "@id": licence,
        "@type": "CreativeWork",
        "name": identity.licence,
        "identifier": identity.licence,
    }
    for author, person in zip(authors, identity.authors, strict=True):
        known = {"affiliation": person.affiliation} if person.affiliation else {}
        yield {"@id": author, "@type": "Person", "name": person.name, **known}
