"""The folders that jobs may have: one pattern for each stage, `{n0}` where a number goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from relance.languages.model import FromValue, Scripted, Selector, Stage, Step, Workflow
from relance.languages.support import jsonpath, naming

Numbered = tuple[tuple[str, int | None], ...]
"""Stages from the outermost to a job's own, each with its number if it has numbers."""


def jobs(workflow: Workflow) -> dict[str, tuple[Step, ...]]:
    """Return the steps of a workflow by the pattern of their folders."""
    found: dict[str, list[Step]] = {}
    for pattern, step in _steps(workflow, ()):
        found.setdefault(pattern, []).append(step)
    return {pattern: tuple(steps) for pattern, steps in found.items()}


def stages(pattern: str) -> tuple[str, ...]:
    """Return the names of the stages that lead to a pattern's jobs."""
    return tuple(naming.stage(_split(part)[0]) for part in pattern.split("/"))


def published(pattern: str) -> str:
    """Return the pattern of the file that tells what a stage's jobs publish."""
    *above, last = pattern.split("/")
    return "/".join(["published", *above, f"{_split(last)[0]}.json"])


def numbered(pattern: str, numbers: Mapping[str, int]) -> Numbered:
    """Return the stages and numbers that a pattern stands for."""
    found = []
    for part in pattern.split("/"):
        name, number = _split(part)
        found.append((naming.stage(name), None if number is None else numbers.get(number)))
    return tuple(found)


def fits(pattern: str, name: str) -> bool:
    """Return whether a job's folder is one of a pattern's."""
    expression = "".join(
        r"[0-9]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{n[0-9]+\})", pattern)
    )
    return re.fullmatch(expression, name) is not None


def searching(workflow: Workflow) -> tuple[str, ...]:
    """Return the patterns of what hands parameters to nested workflows and may have to wait for files."""
    return tuple(_searching(workflow, ()))


def _searching(workflow: Workflow, above: tuple[str, ...]) -> Iterator[str]:
    for stage in workflow.stages:
        own = (*above, _part(stage, len(above)))
        nested = [case.workflow for case in stage.cases if case.workflow is not None]
        if nested and (stage.relative or stage.discover) and _takes_from_jobs(stage, whole=not above):
            yield "/".join([*own, "init"])
        for inner in nested:
            yield from _searching(inner, own)


def _takes_from_jobs(stage: Stage, *, whole: bool) -> bool:
    """Return whether a stage's parameters may come from jobs; `init` of the whole workflow is none."""
    own = frozenset({"init"}) if whole else None
    return isinstance(stage.schedule, Scripted) or any(
        isinstance(one.value, FromValue)
        or (isinstance(one.value, Selector) and (own is None or jsonpath.first_names(one.value.query) != own))
        for one in stage.parameters
    )


def _split(part: str) -> tuple[str, str | None]:
    match = re.fullmatch(r"(.*)_\{(n[0-9]+)\}", part)
    return (match[1], match[2]) if match else (part, None)


def _steps(workflow: Workflow, above: tuple[str, ...]) -> Iterator[tuple[str, Step]]:
    for stage in workflow.stages:
        own = (*above, _part(stage, len(above)))
        for case in stage.cases:
            if case.step is not None:
                yield "/".join(own), case.step
            if case.workflow is not None:
                yield from _steps(case.workflow, own)


def _part(stage: Stage, depth: int) -> str:
    name = naming.folder(stage.name)
    return f"{name}_{{n{depth}}}" if stage.many else name
