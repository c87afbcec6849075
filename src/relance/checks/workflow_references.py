"""What stages of a yadage workflow name of each other: stages, outputs, parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from relance.checks import workflow_nesting
from relance.checks.files import Files
from relance.checks.finding import Finding, Place
from relance.checks.names import suggestion
from relance.languages.model import (
    Case,
    Constant,
    FromGlob,
    FromParameters,
    Fulfilled,
    Interpolated,
    Json,
    Literal,
    Scripted,
    Selector,
    Stage,
    Step,
    Workflow,
)
from relance.languages.support import jsonpath

INIT = "init"
_CORRECT = "correct the name"
_FIELD = re.compile(r"\$?\.?(?P<name>[A-Za-z_@][A-Za-z0-9_@-]*)")


@dataclass(frozen=True)
class Scope:
    """A workflow, and what is known where it stands."""

    workflow: Workflow
    path: str
    """Relative to the folder that is checked: where its toplevel lies."""
    parameters: Mapping[str, Json] | None = None
    """Its own; None if they aren't known."""
    names: frozenset[str] | None = None
    """Names of its parameters; None if they aren't known."""
    above: tuple[str, ...] = ()

    def place(self, stage: Stage, files: Files, text: str = "") -> Place:
        """Return where a text stands in a stage, else the stage."""
        file = f"{self.path}/{stage.origin.file}" if self.path else stage.origin.file
        later = [
            one.origin.line
            for one in self.workflow.stages
            if one.origin.file == stage.origin.file and one.origin.line > stage.origin.line
        ]
        return files.find(file, stage.origin.line, text, min(later) - 1 if later else None)

    def subject(self, stage: Stage) -> str:
        """Return how a stage is called in findings."""
        return f"stage '{'/'.join((*self.above, stage.name))}'"


def scopes(
    workflow: Workflow, path: str, parameters: Mapping[str, Json] | None = None
) -> Iterator[tuple[Scope, Stage | None]]:
    """Give a workflow and all that are nested in it, each with the stage that it is nested in."""
    names = frozenset(parameters) if parameters is not None else None
    yield from _scopes(Scope(workflow, path, parameters, names), None)


def _scopes(scope: Scope, within: Stage | None) -> Iterator[tuple[Scope, Stage | None]]:
    yield scope, within
    for stage in scope.workflow.stages:
        for case in stage.cases:
            if case.workflow is not None:
                yield from _scopes(_inner(scope, stage, case.workflow), stage)


def _inner(scope: Scope, stage: Stage, workflow: Workflow) -> Scope:
    """Return a nested workflow: its parameters are what its stage gives."""
    names = None
    if not isinstance(stage.schedule, Scripted):
        names = frozenset(parameter.name for parameter in stage.parameters)
    literals = {
        parameter.name: parameter.value.value
        for parameter in stage.parameters
        if isinstance(parameter.value, Literal)
    }
    whole = names is not None and literals.keys() == names and not stage.many
    return Scope(workflow, scope.path, literals if whole else None, names, (*scope.above, stage.name))


def check(scope: Scope, files: Files) -> Iterator[Finding]:
    """Give the names in a workflow that stand for nothing."""
    for stage in scope.workflow.stages:
        yield from _stages(scope, stage, files)
        yield from _nested(scope, stage, files)
        yield from _outputs(scope, stage, files)
        yield from _singles(scope, stage, files)


def used(scope: Scope) -> frozenset[str] | None:
    """Return the parameters of a workflow that its stages ask for; None if it may be any."""
    found: set[str] = set()
    for stage in scope.workflow.stages:
        if isinstance(stage.schedule, Scripted):
            return None
        for selector in _selectors(stage):
            first = jsonpath.first_names(selector.query)
            if first is not None and INIT not in first:
                continue
            name = _field(selector.output)
            if first is None or name is None:
                return None
            found.add(name)
    return frozenset(found)


def published(step: Step) -> frozenset[str] | None:
    """Return the names that a step publishes; None if only running it tells."""
    match step.publisher:
        case FromParameters(outputs=value) | Interpolated(publish=value) | Constant(publish=value):
            return frozenset(value) if isinstance(value, dict) else None
        case FromGlob(key=key):
            return frozenset((key,))
    return None


def _stages(scope: Scope, stage: Stage, files: Files) -> Iterator[Finding]:
    known = [INIT, *(one.name for one in scope.workflow.stages)]
    for query in queries(stage):
        for name in sorted(jsonpath.first_names(query) or ()):
            if name not in known and not _is_job(name, scope):
                yield Finding(
                    "RL101",
                    scope.place(stage, files, name),
                    f"{scope.subject(stage)} waits for or reads {query!r}",
                    expected=f"one of {', '.join(one for one in known if one != stage.name)}",
                    found=f"no stage '{name}'",
                    next_step=suggestion(name, known) or _CORRECT,
                )


def _nested(scope: Scope, stage: Stage, files: Files) -> Iterator[Finding]:
    """Give the names of nested stages, such as `fits[*].fit`, that aren't there."""
    for query in queries(stage):
        wrong = workflow_nesting.wrong(query, scope.workflow)
        if wrong is not None:
            yield Finding(
                "RL101",
                scope.place(stage, files, query),
                f"{scope.subject(stage)} waits for or reads {query!r}",
                expected=wrong.expected,
                found=wrong.found,
                next_step=suggestion(wrong.name, wrong.known) or _CORRECT,
            )


def _outputs(scope: Scope, stage: Stage, files: Files) -> Iterator[Finding]:
    for selector in _selectors(stage):
        first = jsonpath.first_names(selector.query)
        name = _field(selector.output)
        if first is None or name is None:
            continue
        if workflow_nesting.is_chain(selector.query):
            yield from _output(scope, stage, selector.query, name, files)
        if not _FIELD.fullmatch(selector.query):
            continue
        for one in sorted(first):
            if one == INIT:
                yield from _parameter(scope, stage, name, files)
                continue
            yield from _output(scope, stage, one, name, files)


def _output(scope: Scope, stage: Stage, query: str, name: str, files: Files) -> Iterator[Finding]:
    """Give that no stage which a query of plain names means publishes a name, if so."""
    others = workflow_nesting.stages(query, scope.workflow)
    outputs = [_published(other) for other in others]
    known = frozenset().union(*(one for one in outputs if one is not None))
    if outputs and None not in outputs and name not in known:
        yield Finding(
            "RL102",
            scope.place(stage, files, name),
            f"{scope.subject(stage)} reads {name!r} of '{query}'",
            expected=f"one of {', '.join(sorted(known)) or 'nothing'}",
            found="no such output",
            next_step=suggestion(name, known) or _CORRECT,
        )


def _singles(scope: Scope, stage: Stage, files: Files) -> Iterator[Finding]:
    for query in dict.fromkeys(one.query for one in _selectors(stage) if one.single):
        field = _FIELD.fullmatch(query)
        other = scope.workflow.stage(field["name"]) if field else None
        if other is not None and other.many:
            yield Finding(
                "RL114",
                scope.place(stage, files, f"step: {query}"),
                f"{scope.subject(stage)} reads {query!r} as one job",
                expected=f"'stages: {query}', or one job: 'step: {query}[0]'",
                found="a stage of several jobs",
                next_step=f"write 'stages: {query}'",
            )


def _parameter(scope: Scope, stage: Stage, name: str, files: Files) -> Iterator[Finding]:
    if scope.names is not None and name not in scope.names:
        yield Finding(
            "RL107",
            scope.place(stage, files, name),
            f"{scope.subject(stage)} reads the parameter {name!r}",
            expected=f"one of {', '.join(sorted(scope.names)) or 'none'}",
            found="none of this name",
            next_step=suggestion(name, scope.names) or _CORRECT,
        )


def queries(stage: Stage) -> tuple[str, ...]:
    """Return the queries of what a stage waits for or reads."""
    waited = () if isinstance(stage.dependencies, Fulfilled) else stage.dependencies.queries
    return tuple(dict.fromkeys((*waited, *(one.query for one in _selectors(stage)))))


def _selectors(stage: Stage) -> Iterator[Selector]:
    """Give what a stage reads of others before it can begin."""
    values: list[object] = [parameter.value for parameter in stage.parameters]
    if isinstance(stage.dependencies, Fulfilled):
        values += stage.dependencies.expressions
    yield from (value for value in values if isinstance(value, Selector))


def _published(stage: Stage) -> frozenset[str] | None:
    found: set[str] = set()
    for case in stage.cases:
        names = _of_case(case)
        if names is None:
            return None
        found |= names
    return frozenset(found)


def _of_case(case: Case) -> frozenset[str] | None:
    if case.step is not None:
        return published(case.step)
    if case.workflow is not None:
        return frozenset(name for stage in case.workflow.stages for name in stage.registered)
    return None


def _field(query: str | None) -> str | None:
    """Return the one name that a JSONPath is, or begins with; None if it isn't one."""
    if query is None:
        return None
    match = re.match(_FIELD, query)
    if match is None or not (match.end() == len(query) or query[match.end()] in ".["):
        return None
    return match["name"]


def _is_job(name: str, scope: Scope) -> bool:
    """Return whether a name is that of a numbered job, which some write instead of the stage."""
    stem, _, number = name.rpartition("_")
    stage = scope.workflow.stage(stem)
    return number.isdigit() and stage is not None and stage.many
