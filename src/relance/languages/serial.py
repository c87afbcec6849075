"""Reads REANA's serial workflows: steps one after another, whose commands share one folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from relance.languages.model import (
    Case,
    Commands,
    Constant,
    Container,
    Json,
    PlanError,
    Ready,
    Single,
    Stage,
    Step,
    Workflow,
)
from relance.languages.notes import Note
from relance.languages.references import Part
from relance.languages.support import interpolation

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:@-]*")
_LONGEST = 40
_NEEDS = {"kerberos": "KRB5Auth", "voms_proxy": "GRIDProxy", "rucio": "rucio"}
_ELSEWHERE = (
    "compute_backend",
    *("unpacked_img", "unpacked_image"),
    *(
        "kubernetes_cpu_request",
        "kubernetes_cpu_limit",
        "kubernetes_memory_request",
        "kubernetes_memory_limit",
    ),
    *("kubernetes_job_timeout", "kubernetes_uid", "kubernetes_queue"),
    *(
        "htcondor_max_runtime",
        "htcondor_accounting_group",
        "htcondor_request_cpus",
        "htcondor_request_memory",
    ),
    *("htcondor_request_disk", "htcondor_requirements"),
    *("slurm_partition", "slurm_time"),
    *("c4p_cpu_cores", "c4p_memory_limit", "c4p_additional_requirements"),
)
"""What says how REANA runs a step, and nothing of what it does."""


@dataclass(frozen=True)
class Between:
    """Which steps are run: REANA's options FROM and TARGET."""

    first: str | None = None
    last: str | None = None


def read(
    part: Part, parameters: Mapping[str, Json], needs: tuple[str, ...] = (), between: Between = Between()
) -> tuple[Workflow, tuple[Note, ...]]:
    """Read the steps of a serial workflow.

    Args:
        part: the mapping that has `steps`.
        parameters: what `${…}` stands for in commands.
        needs: what all steps need from outside.
        between: which steps are run.

    Raises:
        InputError: a step can't be read, or names a parameter that isn't there; file and line are told.
    """
    notes: list[Note] = []
    stages: list[Stage] = []
    taken: set[str] = set()
    steps = list(part.need("steps", "a serial workflow").each())
    if not steps:
        raise part.refusal("a serial workflow has no steps", found="an empty list", expected="steps")
    for number, one in enumerate(_chosen(part, steps, between), 1):
        name = _name(one, number, taken)
        after = stages[-1].name if stages else None
        notes += _ignored(one)
        stages.append(
            Stage(
                name=name,
                dependencies=Ready((after,) if after else ()),
                schedule=Single(),
                parameters=(),
                cases=(Case(step=_step(one, parameters, needs, after)),),
                origin=one.origin,
            )
        )
    return Workflow(tuple(stages)), tuple(notes)


def _chosen(part: Part, steps: list[Part], between: Between) -> list[Part]:
    names = [_named(one) for one in steps]
    for wanted in (between.first, between.last):
        if wanted is not None and wanted not in names:
            known = ", ".join(filter(None, names)) or "none"
            raise part.refusal("no step has the name that is asked for", found=repr(wanted), expected=known)
    first = names.index(between.first) if between.first is not None else 0
    last = names.index(between.last) + 1 if between.last is not None else len(steps)
    return steps[first:last]


def _named(part: Part) -> str:
    name = part.get("name")
    return name.text() if name is not None and name.value is not None else ""


def _name(part: Part, number: int, taken: set[str]) -> str:
    """Return what a step's folder is called: its name as far as a path can have it."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", _named(part)).strip("._-")[:_LONGEST] or f"step_{number}"
    stem = f"step_{stem}" if stem == "init" else stem
    name, count = stem, 1
    while name in taken:
        count += 1
        name = f"{stem}_{count}"
    taken.add(name)
    return name


def _step(part: Part, parameters: Mapping[str, Json], needs: tuple[str, ...], after: str | None) -> Step:
    commands = part.need("commands", "a step")
    texts = []
    for one in commands.each():
        text = one.text()
        try:
            interpolation.substitute(text, parameters)
        except PlanError as error:
            raise one.refusal(
                f"a command can't be used: {error}",
                found="it",
                expected="parameters of inputs.parameters",
            ) from error
        texts.append(text)
    if not texts:
        raise commands.refusal("a step has no commands", found="an empty list", expected="commands")
    own = [name for key, name in _NEEDS.items() if (said := part.get(key)) is not None and said.value is True]
    return Step(
        process=Commands(tuple(texts), after),
        environment=_container(part, tuple(dict.fromkeys((*needs, *own)))),
        publisher=Constant({}),
        origin=part.origin,
    )


def _container(part: Part, needs: tuple[str, ...]) -> Container:
    image = part.need("environment", "a step")
    text = image.text().removeprefix("docker://")
    if not _IMAGE.fullmatch(text):
        raise image.refusal(
            "an image's name can't be used", found=repr(text), expected="such as library/busybox:1.36"
        )
    last = text.rpartition("/")[2]
    return Container(image=text, tag="" if ":" in last or "@" in last else "latest", resources=needs)


def _ignored(part: Part) -> Iterator[Note]:
    for key, one in part.items():
        if key in _ELSEWHERE and one.value not in (None, False, "", "kubernetes"):
            yield Note(one.where, f"{key} says how REANA runs the step; it has no effect here")
        elif key not in {"name", "environment", "commands", *_NEEDS, *_ELSEWHERE}:
            yield Note(one.where, f"REANA doesn't know the key '{key}' of a step; it has no effect")
