"""The files that the crate holds, those that it only knows, and the images."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator

from relance.capsule.model import CapsuleImage
from relance.publish.entities.model import Entity, Subject, identifier

_DOCKER_IMAGE = "https://w3id.org/ro/terms/workflow-run#DockerImage"


def entities(subject: Subject) -> Iterator[Entity]:
    """Give every file of the folder but the workflow, those that the capsule only knows, and the images."""
    yield from _data(subject)
    yield from map(_image, subject.capsule.images)


def held(subject: Subject, path: str) -> Entity:
    """Return what is told of a file that the crate holds."""
    file = subject.payload[path]
    kind = mimetypes.guess_type(path)[0]
    return {
        "@id": identifier(path),
        "@type": "File",
        "name": path,
        "contentSize": str(file.size),
        "sha256": file.digest.removeprefix("sha256:"),
        "encodingFormat": kind or "application/octet-stream",
    }


def _data(subject: Subject) -> Iterator[Entity]:
    """Yield every file of the folder, and those that the capsule only knows."""
    of_results: dict[str, list[Entity]] = {}
    for name, path in subject.results():
        of_results.setdefault(path, []).append({"@id": f"#result-{name}"})
    for path in subject.payload:
        if identifier(path) != subject.main:
            example = {"exampleOfWork": of_results[path]} if path in of_results else {}
            yield {**held(subject, path), **example}
    known_files = {file.path: file for file in subject.capsule.files}
    named = {path for job in subject.capsule.jobs for path in (*job.record.inputs, *job.record.outputs)}
    for path in sorted(named - set(subject.payload)):
        known = known_files.get(path)
        digest = known.digest if known else subject.capsule.trees.get(path)
        described = {"sha256": digest.removeprefix("sha256:")} if digest else {}
        where = {"url": list(known.locations)} if known and known.locations else {}
        yield {
            "@id": subject.reference(path),
            "@type": "CreativeWork",
            "name": path,
            "description": "known by its digest; not held by this crate",
            **described,
            **where,
        }


def _image(image: CapsuleImage) -> Entity:
    registry, name, tag = _named(image.written[0])
    return {
        "@id": f"#image-{image.config.removeprefix('sha256:')}",
        "@type": "ContainerImage",
        "additionalType": {"@id": _DOCKER_IMAGE},
        "registry": registry,
        "name": name,
        "tag": tag,
        "sha256": image.manifest.removeprefix("sha256:"),
        "identifier": image.config,
    }


def _named(written: str) -> tuple[str, str, str]:
    """Return registry, name and tag of an image as a rule writes it; a file has no registry."""
    reference = written.removeprefix("docker://")
    if reference == written or "/" not in reference:
        return "none", reference.rpartition("/")[2], "none"
    host, _, rest = reference.partition("/")
    if not {".", ":"} & set(host) and host != "localhost":
        host, rest = "docker.io", reference
    name, _, tag = rest.partition("@")[0].partition(":")
    return host, name, tag or "none"
