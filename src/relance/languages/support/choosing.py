"""What a stage's expressions choose: jobs, nested workflows and parts of what they publish."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from relance.languages.model import (
    FromValue,
    Fulfilled,
    Json,
    Literal,
    PlanError,
    Scripted,
    Selector,
    Stage,
    Workflow,
)
from relance.languages.support import jsonpath
from relance.languages.support.nodes import INIT, Entry, Node, Scope
from relance.languages.support.outcomes import Outcomes
from relance.languages.support.pointers import references


@dataclass(frozen=True)
class Choosing:
    """Chooses among the jobs of a workflow, which are decided as they are looked at."""

    entries: Callable[[Scope, str], tuple[Entry, ...]]
    """Gives what a stage adds; see `Planner.entries`."""
    deciding: Callable[[Scope], frozenset[str]]
    """Gives the stages of a workflow that are being decided."""
    outcomes: Outcomes

    def chosen(self, scope: Scope, value: Literal | Selector | FromValue) -> Json:
        """Return a parameter's value, with references to what jobs publish.

        Raises:
            PlanError: an expression matches too many or too few.
            UnpublishedError: it depends on what isn't there yet.
        """
        return value.value if isinstance(value, Literal) else self.evaluated(scope, value)

    def evaluated(self, scope: Scope, expression: Selector | FromValue) -> Json:
        """Return what an expression gives; see `chosen`."""
        if isinstance(expression, FromValue):
            return self._from_value(scope, expression)
        entries = self.matched(scope, expression.query)
        if len({isinstance(entry, Scope) for entry in entries}) > 1:
            raise PlanError(f"{expression.query!r} matches jobs and workflows")
        if expression.single:
            if len(entries) != 1:
                raise PlanError(f"{expression.query!r} is for one job and matches {len(entries)}")
            return self._output(entries[0], expression.output)
        combined: list[Json] = []
        for entry in entries:
            output = self._output(entry, expression.output)
            if isinstance(output, list) and expression.flatten:
                combined += output
            else:
                combined.append(output)
        return combined[0] if expression.unwrap and len(combined) == 1 else combined

    def matched(self, scope: Scope, query: str) -> list[Entry]:
        """Return the jobs and nested workflows that a query in JSONPath matches; see `chosen`."""
        entries = []
        for match in jsonpath.find(query, Tree(self, scope)):
            for item in match if isinstance(match, list) else [match]:
                if isinstance(item, Mapping):
                    entries += [item[key] for key in ("_nodeid", "_offset") if key in item]
        return [entry for entry in entries if isinstance(entry, (Node, Scope))]

    def _from_value(self, scope: Scope, expression: FromValue) -> Json:
        if expression.scope is not None:
            scopes = self.matched(scope, expression.scope)
            if len(scopes) != 1 or not isinstance(scopes[0], Scope):
                raise PlanError(f"{expression.scope!r} isn't one nested workflow")
            scope = scopes[0]
        return self._registered(scope, expression.name)

    def _registered(self, scope: Scope, name: str | None) -> Json:
        for stage in scope.workflow.stages:
            if name is not None and name in stage.registered:
                return self.evaluated(scope, stage.registered[name])
        return None

    def _output(self, entry: Entry, query: str | None) -> Json:
        if isinstance(entry, Scope):
            return self._registered(entry, query)
        result = self.outcomes.result(entry)
        referring = references(entry, result)
        query = query or "$"
        if isinstance(referring, dict) and query in referring:
            return referring[query]
        found = jsonpath.find(query, referring)
        if len(found) != 1:
            known = ", ".join(result) if isinstance(result, dict) else "no names"
            raise PlanError(
                f"the output {query!r} matches {len(found)} of what '{entry.name}' publishes ({known})"
            )
        return found[0]


class Tree(Mapping[str, Any]):
    """A workflow's stages as JSONPath sees them; a stage is decided when it is looked at."""

    def __init__(self, choosing: Choosing, scope: Scope, itself: Scope | None = None) -> None:
        self._choosing = choosing
        self._scope = scope
        self._itself = itself

    def __getitem__(self, name: str) -> Json:
        if name == "_offset" and self._itself is not None:
            return self._itself
        entries = self._choosing.entries(self._scope, name)
        if not entries:
            raise KeyError(name)
        return [
            {"_nodeid": one} if isinstance(one, Node) else Tree(self._choosing, one, one) for one in entries
        ]

    def __contains__(self, name: object) -> bool:
        try:
            self[str(name)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        workflow = self._scope.workflow
        later = _with_followers(workflow, self._choosing.deciding(self._scope))
        names = (INIT, *(stage.name for stage in workflow.stages))
        return iter([name for name in names if name not in later and name in self])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def seen(workflow: Workflow, stage: Stage) -> tuple[str, ...]:
    """Return what a script of a stage sees: what that waits for or names, and what those wait for in turn."""
    found = _mentions(workflow, stage)
    if not isinstance(stage.dependencies, Fulfilled) and any(
        jsonpath.first_names(query) is None for query in stage.dependencies.queries
    ):
        found |= {one.name for one in workflow.stages}
    while (
        more := {name for one in workflow.stages if one.name in found for name in _mentions(workflow, one)}
        - found
    ):
        found |= more
    later = _with_followers(workflow, frozenset({stage.name}))
    return (INIT, *(one.name for one in workflow.stages if one.name in found - later))


def _with_followers(workflow: Workflow, stages: frozenset[str]) -> frozenset[str]:
    """Return some of a workflow's stages and those that wait for one of them."""
    while True:
        more = {
            stage.name
            for stage in workflow.stages
            if stage.name not in stages and _mentions(workflow, stage) & stages
        }
        if not more:
            return stages
        stages |= more


def _mentions(workflow: Workflow, stage: Stage) -> frozenset[str]:
    queries: list[str] = []
    if isinstance(stage.dependencies, Fulfilled):
        queries += [one.query for one in stage.dependencies.expressions if isinstance(one, Selector)]
    else:
        queries += stage.dependencies.queries
    queries += [one.value.query for one in stage.parameters if isinstance(one.value, Selector)]
    names = frozenset().union(*(jsonpath.first_names(query) or () for query in queries))
    if isinstance(stage.schedule, Scripted):
        # What a script in jq reads can't be known; that it names a stage can.
        text = json.dumps(stage.schedule.bindings, ensure_ascii=False)
        words = set(re.findall(r"\w[\w.-]*\w|\w", text)) | set(re.findall(r"\w+", text))
        names |= {one.name for one in workflow.stages if one.name in words and one is not stage}
    return names
