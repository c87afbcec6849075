"""The workflow, its steps, and what it takes and gives."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from relance.errors import InputError
from relance.model import UNKNOWN
from relance.publish.entities.files import held
from relance.publish.entities.model import Entity, Subject, identifier
from relance.specification.model import ParameterType

SNAKEMAKE = "#snakemake"
_LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
_FORMAL_PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
_TYPES = {
    ParameterType.NUMBER: "Float",
    ParameterType.INTEGER: "Integer",
    ParameterType.BOOLEAN: "Boolean",
    ParameterType.TEXT: "Text",
}


def entities(subject: Subject) -> Iterator[Entity]:
    """Give the workflow with its steps, its parameters and its results.

    Raises:
        InputError: the crate doesn't hold the workflow.
    """
    yield from _workflow(subject)
    yield from _interface(subject)


def _workflow(subject: Subject) -> Iterator[Entity]:
    run = subject.capsule.run
    path = subject.capsule.specification.workflow.file
    identity = subject.capsule.specification.identity
    if path not in subject.payload:
        raise InputError(
            f"{path}, the workflow that the specification names",
            expected="a file of the capsule",
            found="none",
            next_step="correct 'workflow.file' of the specification, and capture again",
        )
    yield {
        **held(subject, path),
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": identity.title,
        "version": identity.version,
        "programmingLanguage": {"@id": _LANGUAGE},
        "input": [{"@id": f"#parameter-{name}"} for name, *_ in subject.parameters()],
        "output": [{"@id": f"#result-{name}"} for name, _ in subject.results()],
        "hasPart": [{"@id": f"#tool-{rule}"} for rule in subject.rules],
        "step": [{"@id": f"#step-{rule}"} for rule in subject.rules],
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
        "@id": SNAKEMAKE,
        "@type": "SoftwareApplication",
        "name": "Snakemake",
        "url": "https://snakemake.github.io",
        **(version or {"softwareVersion": "unknown"}),
    }
    for position, rule in enumerate(subject.rules):
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
            "url": f"https://w3id.org/relance/capsule/{subject.digest}#{quote(rule)}",
            "softwareVersion": identity.version,
        }


def _interface(subject: Subject) -> Iterator[Entity]:
    for name, parameter, value in subject.parameters():
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
    for name, file in subject.results():
        yield {
            "@id": f"#result-{name}",
            "@type": "FormalParameter",
            "name": name,
            "description": subject.capsule.specification.interface.results[name].title,
            "additionalType": "File",
            "conformsTo": {"@id": _FORMAL_PARAMETER},
            "workExample": {"@id": identifier(file)},
        }
    yield {"@id": _FORMAL_PARAMETER, "@type": "CreativeWork", "name": "FormalParameter profile"}
