"""Lists that stages of a yadage workflow scatter, as far as they are known before it runs."""

from __future__ import annotations

import math
import re

from relance.checks.workflow_references import Scope
from relance.languages.model import Json, Literal, Parameter, Scatter, Scripted, Selector, Stage
from relance.languages.support.scatter import grouped


def value(scope: Scope, parameter: Parameter) -> tuple[bool, Json]:
    """Return whether a parameter's value is known, and it."""
    match parameter.value:
        case Literal(known):
            return True, known
        case Selector(query="init", output=str(name), single=True) if scope.parameters is not None:
            if name in scope.parameters and not _is_pattern(scope.parameters[name]):
                return True, scope.parameters[name]
    return False, None


def length(scope: Scope, parameter: Parameter, around: frozenset[str] = frozenset()) -> int | None:
    """Return how many values a parameter gathers from a stage's jobs; None if it isn't known.

    Args:
        scope: where its stage stands.
        parameter: of a stage.
        around: stages that the answer is for, which can't be a part of it.
    """
    match parameter.value:
        case Selector(query=query, single=False, flatten=False, unwrap=unwrap):
            stage = scope.workflow.stage(query)
            count = _jobs(scope, stage, around) if stage is not None else None
            return None if unwrap and count == 1 else count
    return None


def _jobs(scope: Scope, stage: Stage, around: frozenset[str]) -> int | None:
    """Return how many jobs a stage adds; None if it isn't known."""
    schedule = stage.schedule
    if not isinstance(schedule, Scatter):
        return None if isinstance(schedule, Scripted) else 1
    if stage.name in around:
        return None
    lengths: list[int] = []
    for parameter in stage.parameters:
        if parameter.name in schedule.parameters:
            known, given = value(scope, parameter)
            if not known:
                count = length(scope, parameter, around | {stage.name})
                given = None if count is None else [None] * count
            if not isinstance(given, list):
                return None
            lengths.append(len(grouped(given, schedule)))
    if not schedule.cartesian:
        return lengths[0] if len(set(lengths)) == 1 else None
    return math.prod(lengths)


def _is_pattern(text: Json) -> bool:
    """Return whether a workflow's parameter may become something else: patterns give lists of files."""
    return isinstance(text, str) and re.search(r"[*?\[]", text) is not None
