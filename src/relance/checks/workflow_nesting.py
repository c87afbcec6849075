"""Stages of nested workflows, as queries name them: `fits[*].fit`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from relance.languages.model import Stage, Workflow

_PART = r"[A-Za-z_@][A-Za-z0-9_@-]*(?:\[(?:\*|\d+)\])?"
_CHAIN = re.compile(rf"(?:\$\.)?{_PART}(?:\.{_PART})+")
_INIT = "init"


@dataclass(frozen=True)
class Wrong:
    """A name in a query that stands for nothing."""

    name: str
    known: frozenset[str]
    """Those that stand for something there; empty if the name is right, and not how it is reached."""
    expected: str
    found: str


def is_chain(query: str) -> bool:
    """Return whether a query names a stage by those that it is nested in."""
    return _CHAIN.fullmatch(query) is not None


def stages(query: str, workflow: Workflow) -> tuple[Stage, ...]:
    """Return the stages that a name, or a chain of them, means; none if it isn't known."""
    *around, last = (part.partition("[")[0] for part in query.removeprefix("$.").split("."))
    workflows: tuple[Workflow, ...] = (workflow,)
    for name in around:
        workflows = _nested(name, workflows)
    return tuple(stage for one in workflows for stage in one.stages if stage.name == last)


def wrong(query: str, workflow: Workflow) -> Wrong | None:
    """Return the first name of a chain that stands for nothing, from its second on; None if there is none."""
    if not is_chain(query):
        return None
    workflows: tuple[Workflow, ...] = (workflow,)
    parts = query.removeprefix("$.").split(".")
    for part, below in pairwise(parts):
        name, next_name = part.partition("[")[0], below.partition("[")[0]
        workflows = _nested(name, workflows)
        if not workflows:
            return None
        known = frozenset(stage.name for one in workflows for stage in one.stages)
        if next_name not in known and next_name != _INIT:
            expected = f"one of {', '.join(sorted(known))}"
            return Wrong(next_name, known, expected, f"no stage '{next_name}' in '{name}'")
        if "[" not in part:
            # A stage's workflows are a list, and a field of a list is nothing.
            return Wrong(
                name, frozenset(), f"'{name}[*].{next_name}'", f"'{name}' alone, which matches nothing"
            )
    return None


def _nested(name: str, workflows: tuple[Workflow, ...]) -> tuple[Workflow, ...]:
    """Return the workflows that stages of a name nest; none if such a stage may be a step instead."""
    named = [stage for workflow in workflows for stage in workflow.stages if stage.name == name]
    cases = [case for stage in named for case in stage.cases]
    nested = tuple(case.workflow for case in cases if case.workflow is not None)
    return nested if len(nested) == len(cases) else ()
