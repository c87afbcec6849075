"""Stages of a yadage workflow that never begin, of which it says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from relance.checks.files import Files
from relance.checks.finding import Finding
from relance.checks.workflow_references import INIT, Scope, queries
from relance.languages.model import Stage
from relance.languages.support import jsonpath


def check(scope: Scope, files: Files) -> Iterator[Finding]:
    """Give the stages that wait for each other, or for what a workflow without parameters hasn't got."""
    yield from _beginning(scope, files)
    yield from _circles(scope, files)


def _beginning(scope: Scope, files: Files) -> Iterator[Finding]:
    """Give the first stage that waits for `init` where yadage has none: it has one only for parameters."""
    if scope.above or scope.parameters is None or scope.parameters:
        return
    for stage in scope.workflow.stages:
        if any(INIT in (jsonpath.first_names(query) or ()) for query in queries(stage)):
            yield Finding(
                "RL101",
                scope.place(stage, files, INIT),
                f"{scope.subject(stage)} waits for or reads '{INIT}'",
                expected="a parameter of the workflow: without any, yadage has no 'init'",
                found="none",
                next_step="give it a parameter, even one that nobody reads, or don't wait for 'init'",
            )
            return


def _circles(scope: Scope, files: Files) -> Iterator[Finding]:
    """Give each circle of stages once, at the stage that is written first."""
    waits = {stage.name: _waits(stage) for stage in scope.workflow.stages}
    order = list(waits)
    done: set[str] = set()
    for stage in scope.workflow.stages:
        circle = _circle(stage.name, waits)
        if circle and not done & set(circle):
            done |= set(circle)
            if order.index(stage.name) == min(map(order.index, circle)):
                yield Finding(
                    "RL104",
                    scope.place(stage, files),
                    scope.subject(stage),
                    expected="stages that wait for those before them",
                    found=" → ".join([*circle, circle[0]]),
                    next_step="take one of these dependencies away",
                )


def _circle(start: str, waits: Mapping[str, frozenset[str]]) -> list[str]:
    """Return the stages that lead from a stage back to it; none if nothing does."""
    paths = [[start]]
    seen: set[str] = set()
    while paths:
        path = paths.pop()
        for name in sorted(waits.get(path[-1], ())):
            if name == start:
                return path
            if name not in seen and name in waits:
                seen.add(name)
                paths.append([*path, name])
    return []


def _waits(stage: Stage) -> frozenset[str]:
    names: set[str] = set()
    for query in queries(stage):
        names |= jsonpath.first_names(query) or frozenset()
    return frozenset(names)
