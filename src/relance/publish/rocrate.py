"""A capsule's provenance as an RO-Crate: Provenance Run Crate 0.5 on RO-Crate 1.1.

The profile tells which entities there are: https://w3id.org/ro/wfrun/provenance/0.5.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from relance.capsule.model import Capsule, CapsuleImage, CapsuleJob
from relance.errors import InputError
from relance.model import UNKNOWN, Digest
from relance.results import reading as results
from relance.specification.model import Parameter, ParameterType

METADATA = "ro-crate-metadata.json"
CONTEXTS = ("https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context")
CRATE = "https://w3id.org/ro/crate/1.1"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}

_DOCKER_IMAGE = "https://w3id.org/ro/terms/workflow-run#DockerImage"
_COMPLETED = "http://schema.org/CompletedActionStatus"
_FAILED = "http://schema.org/FailedActionStatus"
_TYPES = {
    ParameterType.NUMBER: "Float",
    ParameterType.INTEGER: "Integer",
    ParameterType.BOOLEAN: "Boolean",
    ParameterType.TEXT: "Text",
}
_SNAKEMAKE, _LANGUAGE = "#snakemake", "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
_RUN, _ENGINE_RUN = "#run", "#engine-run"

Entity = dict[str, Any]


@dataclass(frozen=True)
class Payload:
    """A file of the crate's folder."""

    path: str
    digest: Digest
    size: int
    """Bytes."""


def metadata(capsule: Capsule, digest: Digest, payload: Sequence[Payload]) -> Entity:
    """Return what `ro-crate-metadata.json` says of a capsule.

    Args:
        capsule: what is told.
        digest: the capsule's own.
        payload: every file of the crate's folder, besides the metadata.
    """
    crate = _Crate(capsule, digest, {file.path: file for file in payload})
    entities = [{key: _told(value) for key, value in entity.items()} for entity in crate.entities()]
    graph = sorted(entities, key=lambda entity: (entity["@id"] != METADATA, entity["@id"]))
    return {"@context": list(CONTEXTS), "@graph": graph}


def identifier(path: str) -> str:
    """Return the id of a file in a crate's folder: a relative URI."""
    return quote(path, safe="/~!$&'()*+,;=@-._")


def _told(value: Any) -> Any:
    """Return a list of one as that one, as the specification of RO-Crate 1.1 recommends."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


class _Crate:
    def __init__(self, capsule: Capsule, digest: Digest, payload: Mapping[str, Payload]) -> None:
        self._capsule = capsule
        self._digest = digest
        self._payload = payload
        self._files = {file.path: file for file in capsule.files}
        self._rules = list(dict.fromkeys(job.record.rule for job in capsule.jobs))
        self._images = {name: image for image in capsule.images for name in image.written}
        run = capsule.run
        self._configuration = {} if run.configuration == UNKNOWN else run.configuration
        self._made = {path for job in capsule.jobs for path in job.record.outputs}

    def entities(self) -> Iterator[Entity]:
        yield {
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": [{"@id": CRATE}, {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}],
        }
        for profile, (name, version) in PROFILES.items():
            yield {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
        yield from self._root()
        yield from self._workflow()
        yield from self._data()
        yield from (self._image(image) for image in self._capsule.images)
        yield from self._run()
        for number, job in enumerate(self._capsule.jobs):
            yield from self._job(number, job)

    def _root(self) -> Iterator[Entity]:
        identity = self._capsule.specification.identity
        licence = f"https://spdx.org/licenses/{quote(identity.licence)}"
        authors = [_author(number, author.orcid) for number, author in enumerate(identity.authors)]
        yield {
            "@id": "./",
            "@type": "Dataset",
            "name": identity.title,
            "description": identity.description or identity.title,
            "version": identity.version,
            "identifier": self._digest,
            "keywords": ", ".join(identity.keywords) or identity.name,
            "license": {"@id": licence},
            "author": [{"@id": author} for author in authors],
            "datePublished": _date(self._capsule.ended) or "1970-01-01T00:00:00+00:00",
            "conformsTo": [{"@id": profile} for profile in PROFILES],
            "mainEntity": {"@id": self._main},
            "hasPart": [{"@id": identifier(path)} for path in sorted(self._payload)],
            "mentions": [
                {"@id": _RUN},
                {"@id": _ENGINE_RUN},
                *({"@id": f"#job-{number}"} for number in range(len(self._capsule.jobs))),
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

    @property
    def _main(self) -> str:
        return identifier(self._capsule.specification.workflow.file)

    def _workflow(self) -> Iterator[Entity]:
        run = self._capsule.run
        path = self._capsule.specification.workflow.file
        identity = self._capsule.specification.identity
        if path not in self._payload:
            raise InputError(
                f"{path}, the workflow that the specification names",
                expected="a file of the capsule",
                found="none",
                next_step="correct 'workflow.file' of the specification, and capture again",
            )
        yield {
            **self._file(path),
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": identity.title,
            "version": identity.version,
            "programmingLanguage": {"@id": _LANGUAGE},
            "input": [{"@id": f"#parameter-{name}"} for name, *_ in self._parameters()],
            "output": [{"@id": f"#result-{name}"} for name, _ in self._results()],
            "hasPart": [{"@id": f"#tool-{rule}"} for rule in self._rules],
            "step": [{"@id": f"#step-{rule}"} for rule in self._rules],
        }
        yield {
            "@id": _LANGUAGE,
            "@type": "ComputerLanguage",
            "name": "Snakemake",
            "identifier": {"@id": "https://snakemake.github.io"},
            "url": {"@id": "https://snakemake.github.io"},
        }
        version = {} if run.snakemake == UNKNOWN else {"softwareVersion": run.snakemake}
        yield {
            "@id": _SNAKEMAKE,
            "@type": "SoftwareApplication",
            "name": "Snakemake",
            "url": "https://snakemake.github.io",
            **(version or {"softwareVersion": "unknown"}),
        }
        for position, rule in enumerate(self._rules):
            yield {
                "@id": f"#step-{rule}",
                "@type": "HowToStep",
                "name": rule,
                "position": str(position),
                "workExample": {"@id": f"#tool-{rule}"},
            }
            yield {
                "@id": f"#tool-{rule}",
                "@type": "SoftwareApplication",
                "name": rule,
                "description": f"rule {rule} of {path}",
                "url": f"https://w3id.org/relance/capsule/{self._digest}#{quote(rule)}",
                "softwareVersion": identity.version,
            }
        for name, parameter, value in self._parameters():
            yield {
                "@id": f"#parameter-{name}",
                "@type": "FormalParameter",
                "name": name,
                "description": parameter.title,
                "additionalType": _TYPES[parameter.type],
                "conformsTo": {"@id": _FORMAL_PARAMETER},
                "workExample": {"@id": f"#value-{name}"},
            }
            unit = {} if parameter.unit in {None, "1"} else {"unitText": parameter.unit}
            yield {
                "@id": f"#value-{name}",
                "@type": "PropertyValue",
                "name": name,
                "value": str(value),
                "exampleOfWork": {"@id": f"#parameter-{name}"},
                **unit,
            }
        for name, file in self._results():
            yield {
                "@id": f"#result-{name}",
                "@type": "FormalParameter",
                "name": name,
                "description": self._capsule.specification.interface.results[name].title,
                "additionalType": "File",
                "conformsTo": {"@id": _FORMAL_PARAMETER},
                "workExample": {"@id": identifier(file)},
            }
        yield {"@id": _FORMAL_PARAMETER, "@type": "CreativeWork", "name": "FormalParameter profile"}

    def _parameters(self) -> Iterator[tuple[str, Parameter, object]]:
        """Yield the interface's parameters that the run's configuration has a value for."""
        for name, parameter in self._capsule.specification.interface.parameters.items():
            value: object = self._configuration
            for part in parameter.key.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
            if isinstance(value, (str, int, float)):
                yield name, parameter, value

    def _results(self) -> Iterator[tuple[str, str]]:
        """Yield the names of the results whose files the crate holds, with the files."""
        for name, result in self._capsule.specification.interface.results.items():
            path = results.placed(result.file, self._configuration, f"result '{name}'")
            if path in self._payload:
                yield name, path

    def _data(self) -> Iterator[Entity]:
        """Yield every file of the folder, and those that the capsule only knows."""
        of_results: dict[str, list[Entity]] = {}
        for name, path in self._results():
            of_results.setdefault(path, []).append({"@id": f"#result-{name}"})
        for path in self._payload:
            if identifier(path) != self._main:
                example = {"exampleOfWork": of_results[path]} if path in of_results else {}
                yield {**self._file(path), **example}
        named = {path for job in self._capsule.jobs for path in (*job.record.inputs, *job.record.outputs)}
        for path in sorted(named - set(self._payload)):
            known = self._files.get(path)
            digest = known.digest if known else self._capsule.trees.get(path)
            described = {"sha256": digest.removeprefix("sha256:")} if digest else {}
            where = {"url": list(known.locations)} if known and known.locations else {}
            yield {
                "@id": _reference(path, self._payload),
                "@type": "CreativeWork",
                "name": path,
                "description": "known by its digest; not held by this crate",
                **described,
                **where,
            }

    def _file(self, path: str) -> Entity:
        held = self._payload[path]
        kind = mimetypes.guess_type(path)[0]
        return {
            "@id": identifier(path),
            "@type": "File",
            "name": path,
            "contentSize": str(held.size),
            "sha256": held.digest.removeprefix("sha256:"),
            "encodingFormat": kind or "application/octet-stream",
        }

    def _image(self, image: CapsuleImage) -> Entity:
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

    def _run(self) -> Iterator[Entity]:
        capsule = self._capsule
        agent = _author(0, capsule.specification.identity.authors[0].orcid)
        raw = sorted({path for job in capsule.jobs for path in job.record.inputs if path not in self._made})
        targets = [path for path in capsule.run.targets if path in self._made]
        yield {
            "@id": _RUN,
            "@type": "CreateAction",
            "name": f"run of {capsule.specification.identity.title}",
            "instrument": {"@id": self._main},
            "agent": {"@id": agent},
            "object": [
                *({"@id": _reference(path, self._payload)} for path in raw),
                *({"@id": f"#value-{name}"} for name, *_ in self._parameters()),
            ],
            "result": [{"@id": _reference(path, self._payload)} for path in targets],
            "actionStatus": {"@id": _COMPLETED},
            **_times(capsule.started, capsule.ended),
        }
        yield {
            "@id": _ENGINE_RUN,
            "@type": "OrganizeAction",
            "name": "what Snakemake did",
            "instrument": {"@id": _SNAKEMAKE},
            "agent": {"@id": agent},
            "object": [{"@id": f"#control-{number}"} for number in range(len(capsule.jobs))],
            "result": {"@id": _RUN},
            "actionStatus": {"@id": _COMPLETED},
            **_times(capsule.started, capsule.ended),
        }

    def _job(self, number: int, job: CapsuleJob) -> Iterator[Entity]:
        record = job.record
        wildcards = {} if record.wildcards == UNKNOWN else record.wildcards
        name = " ".join([record.rule, *(f"{key}={value}" for key, value in sorted(wildcards.items()))])
        yield {
            "@id": f"#control-{number}",
            "@type": "ControlAction",
            "name": f"start of {name}",
            "instrument": {"@id": f"#step-{record.rule}"},
            "object": {"@id": f"#job-{number}"},
        }
        action: Entity = {
            "@id": f"#job-{number}",
            "@type": "CreateAction",
            "name": name,
            "instrument": {"@id": f"#tool-{record.rule}"},
            "agent": {"@id": _author(0, self._capsule.specification.identity.authors[0].orcid)},
            "object": [{"@id": _reference(path, self._payload)} for path in record.inputs],
            "result": [{"@id": _reference(path, self._payload)} for path in record.outputs],
            "actionStatus": {"@id": _FAILED if record.status == "failed" else _COMPLETED},
            **_times(
                None if job.times.started == UNKNOWN else job.times.started,
                None if job.times.ended == UNKNOWN else job.times.ended,
            ),
        }
        if isinstance(record.command, str) and record.command != UNKNOWN:
            action["description"] = record.command
        image = self._images.get(getattr(record.image, "written", ""))
        if image is not None:
            action["containerImage"] = {"@id": f"#image-{image.config.removeprefix('sha256:')}"}
        yield action


_FORMAL_PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"


def _reference(path: str, payload: Mapping[str, Payload]) -> str:
    return identifier(path) if path in payload else f"#known-{quote(path, safe='')}"


def _author(number: int, orcid: str | None) -> str:
    return f"https://orcid.org/{orcid}" if orcid else f"#author-{number}"


def _times(started: float | None, ended: float | None) -> Entity:
    times = {"startTime": _date(started), "endTime": _date(ended)}
    return {key: time for key, time in times.items() if time}


def _date(when: float | None) -> str | None:
    return None if when is None else datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")


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
