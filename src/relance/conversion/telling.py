"""What a workflow of the one model tells for a specification."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from relance.drafting.converted import GivenValue, Need, Product
from relance.drafting.words import OUTSIDE
from relance.languages import onreana, snakefile
from relance.languages.model import (
    Command,
    Commands,
    Container,
    FromParameters,
    FromYaml,
    Fulfilled,
    Interpolated,
    Json,
    Literal,
    Script,
    Selector,
    Single,
    Stage,
    Step,
    Workflow,
)
from relance.languages.support import interpolation, jsonpath, naming, patterns, publishing

SOURCES = ("Snakefile", "config.yaml", "workflow.json", "support/**")
"""Patterns of the files that come with a compiled workflow."""

_OWN = "{workdir}/"
_KINDS = {"CVMFS": "cvmfs", "GRIDProxy": "voms", "KRB5Auth": "kerberos", "kerberos": "kerberos"}


def values(parameters: Mapping[str, Json], folder: Path | None) -> tuple[GivenValue, ...]:
    """Return a workflow's parameters; `folder` is where files lie that they may name."""
    return tuple(
        GivenValue(name, f"parameters.{name}", value, _file(value, folder))
        for name, value in parameters.items()
    )


def images(workflow: Workflow) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the rules by the images that they run in, and those without one."""
    found: dict[str, list[str]] = {}
    bare: list[str] = []
    for rule, step in _running(workflow):
        if isinstance(step.environment, Container):
            found.setdefault(step.environment.reference, []).append(rule)
        else:
            bare.append(rule)
    return {image: tuple(dict.fromkeys(rules)) for image, rules in found.items()}, tuple(dict.fromkeys(bare))


def needs(workflow: Workflow, parameters: Mapping[str, Json]) -> tuple[Need, ...]:
    """Return what steps need from outside, each with the rules that need it.

    That is what they declare, and what their commands show; of serial steps with their parameters filled in.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for rule, step in _running(workflow):
        said = step.environment.resources if isinstance(step.environment, Container) else ()
        declared = [(kind(name), name) for name in said if not onreana.is_way(name)]
        kinds = {known for known, _ in declared}
        texts = list(_texts(step, parameters))
        shown = [
            (known, name)
            for known, name, sign in OUTSIDE
            if known not in kinds and any(sign.search(text) for text in texts)
        ]
        for one in (*declared, *shown):
            found.setdefault(one, []).append(rule)
    return tuple(Need(known, name, tuple(dict.fromkeys(rules))) for (known, name), rules in found.items())


def kept(workflow: Workflow) -> tuple[str, ...]:
    """Return the products by which it is known what jobs there are."""
    late = any(
        not publishing.known_before(step) for steps in patterns.jobs(workflow).values() for step in steps
    )
    return ("published/**",) if late or patterns.searching(workflow) else ()


def between(workflow: Workflow) -> dict[str, str]:
    """Return the rules of steps by the patterns of what they make."""
    return {
        f"workdir/{re.sub(r'{n[0-9]+}', '*', pattern)}/**": name
        for pattern, name in snakefile.names(workflow).items()
        if pattern in patterns.jobs(workflow)
    }


def kind(name: str) -> str:
    """Return what kind of thing outside a resource is, as a specification has it."""
    return next((known for word, known in _KINDS.items() if name.startswith(word)), "other")


def products(workflow: Workflow) -> tuple[Product, ...]:
    """Return the files that stages publish which no other stage reads, as far as they are known before."""
    read = set().union(*(_mentioned(stage) for stage in workflow.stages))
    found = []
    for stage in workflow.stages:
        if stage.name not in read and isinstance(stage.schedule, Single):
            for case in stage.cases:
                if case.step is not None:
                    found += [
                        Product(
                            path.rpartition("/")[2].partition(".")[0],
                            f"workdir/{naming.folder(stage.name)}/{path}",
                        )
                        for path in _published(stage, case.step)
                    ]
    return tuple(dict.fromkeys(found))


def _published(stage: Stage, step: Step) -> Iterator[str]:
    own = {
        one.name: one.value.value[len(_OWN) :]
        for one in stage.parameters
        if isinstance(one.value, Literal) and _is_own(one.value.value)
    }
    match step.publisher:
        case FromParameters(outputs):
            yield from (own[name] for _, name in publishing.leaves(outputs) if name in own)
        case Interpolated(publish, glob=False):
            for _, text in publishing.leaves(publish):
                if isinstance(text, str) and text.strip("{}") in own and text[:1] == "{":
                    yield own[text.strip("{}")]
                elif _is_own(text):
                    yield text[len(_OWN) :]
        case FromYaml(file):
            yield file


def _is_own(text: Json) -> bool:
    return isinstance(text, str) and text.startswith(_OWN) and not set(text[len(_OWN) :]) & set("{}*?[]")


def _mentioned(stage: Stage) -> frozenset[str]:
    """Return the stages that a stage reads from; what it only waits for may still be a result."""
    queries = [one.value.query for one in stage.parameters if isinstance(one.value, Selector)]
    if isinstance(stage.dependencies, Fulfilled):
        queries += [one.query for one in stage.dependencies.expressions if isinstance(one, Selector)]
    else:
        queries += stage.dependencies.queries
    return frozenset().union(*(jsonpath.first_names(query) or () for query in queries))


def _running(workflow: Workflow) -> Iterator[tuple[str, Step]]:
    names = snakefile.names(workflow)
    for pattern, steps in patterns.jobs(workflow).items():
        for step in steps:
            if step.process is not None and step.environment is not None:
                yield names[pattern], step


def _file(value: Json, folder: Path | None) -> Path | None:
    if folder is None or not isinstance(value, str) or not value or "\0" in value:
        return None
    try:
        path = folder / value
        return path if path.resolve().is_relative_to(folder.resolve()) and path.is_file() else None
    except OSError:  # no path is so long
        return None


def _texts(step: Step, parameters: Mapping[str, Json]) -> Iterator[str]:
    match step.process:
        case Commands(texts):
            yield from (interpolation.substitute(text, parameters) for text in texts)
        case Command(text) | Script(text):
            yield text
