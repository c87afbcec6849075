"""What jobs of a yadage workflow are given: placeholders, lists to zip, parameters that nobody uses."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from contextlib import suppress

from relance.checks import workflow_lists
from relance.checks.files import Files
from relance.checks.finding import Finding, Place
from relance.checks.workflow_references import Scope, used
from relance.languages.model import (
    Case,
    Command,
    Container,
    FromGlob,
    FromJq,
    FromParameters,
    FromYaml,
    Interpolated,
    Json,
    Literal,
    Scatter,
    Script,
    Scripted,
    Stage,
    Step,
)
from relance.languages.support.scatter import grouped

_FOLDER = re.compile(r"workdir|readdir[0-9]+")


def check(scope: Scope, files: Files) -> Iterator[Finding]:
    """Give what is wrong with the values that stages hand to their jobs."""
    for stage in scope.workflow.stages:
        yield from _scattered(scope, stage, files)
        yield from _folders(scope, stage, files)
        if isinstance(stage.schedule, Scripted):
            continue
        names = frozenset(parameter.name for parameter in stage.parameters)
        for case in stage.cases:
            if case.step is not None:
                yield from _step(scope, stage, case.step, names, files)
        yield from _unused(scope, stage, files)
    for stage in scope.workflow.stages:
        if stage.cases and not any(map(_always, stage.cases)):
            yield Finding(
                "RL111",
                scope.place(stage, files, "cases"),
                scope.subject(stage),
                expected="a case that holds whatever the parameters are",
                found="cases with conditions only: if none of them holds, the run ends with an error",
                next_step="add a last case with the condition 'true', if there is one to take",
            )


def unused(scope: Scope, given: Mapping[str, Place]) -> Iterator[Finding]:
    """Give the parameters of the whole workflow that nobody asks for; `given` has their places."""
    asked = used(scope)
    for name, place in given.items():
        if asked is not None and name not in asked:
            yield Finding(
                "RL106",
                place,
                f"parameter {name!r}",
                expected="a stage that reads it",
                found="none",
                next_step="correct its name, or remove it",
            )


def missing(step: Step, names: frozenset[str]) -> tuple[str, ...]:
    """Return the parameters that a step asks for and isn't given."""
    asked: list[str] = []
    for text, more in _texts(step):
        with suppress(ValueError):  # where its stage stands, that is told
            asked += [name for name in placeholders(text) if name not in more]
    if isinstance(step.publisher, FromParameters):
        asked += _leaves(step.publisher.outputs)
    return tuple(dict.fromkeys(name for name in asked if name not in names))


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names of the placeholders in a text, as `str.format` reads it.

    Raises:
        ValueError: its braces don't fit.
    """
    found = []
    for _, name, _, _ in string.Formatter().parse(text):
        if name is not None:
            found.append(re.split(r"[.\[]", name)[0])
    return tuple(dict.fromkeys(found))


def _always(case: Case) -> bool:
    return case.condition is None or case.condition.strip() == "true"


def _step(scope: Scope, stage: Stage, step: Step, names: frozenset[str], files: Files) -> Iterator[Finding]:
    file = f"{scope.path}/{step.origin.file}" if scope.path else step.origin.file
    for text, more in _texts(step):
        try:
            asked = placeholders(text)
        except ValueError as error:
            yield Finding(
                "RL109",
                files.find(file, step.origin.line, "cmd" if isinstance(step.process, Command) else "script"),
                scope.subject(stage),
                expected="placeholders such as {parameter}, and each brace of the shell written twice",
                found=str(error),
                next_step="write {{ and }} for braces of the shell's own",
            )
            continue
        for name in asked:
            if name not in names and name not in more:
                shown = f"{{{name}}}"
                yield Finding(
                    "RL103",
                    files.find(file, step.origin.line, name),
                    scope.subject(stage),
                    expected=f"one of {', '.join(sorted(names | more)) or 'no placeholders'}",
                    found=f"the placeholder {shown}",
                    next_step="give the stage such a parameter ({{ and }} are the shell's own braces)",
                )
    if isinstance(step.publisher, FromParameters):
        for name in _leaves(step.publisher.outputs):
            if name not in names:
                yield Finding(
                    "RL103",
                    files.find(file, step.origin.line, name),
                    f"{scope.subject(stage)} publishes the parameter {name!r}",
                    expected=f"one of {', '.join(sorted(names)) or 'none'}",
                    found="none of this name",
                    next_step="correct the name, or give the stage this parameter",
                )


def _texts(step: Step) -> Iterator[tuple[str, frozenset[str]]]:
    """Give the texts of a step that are filled in, with the placeholders that aren't parameters."""
    if isinstance(step.process, (Command, Script)):
        yield step.process.text, frozenset()
    if isinstance(step.publisher, Interpolated):
        for text in _leaves(step.publisher.publish):
            yield text, frozenset(("workdir",))


def _folders(scope: Scope, stage: Stage, files: Files) -> Iterator[Finding]:
    """Give placeholders in parameters that are no folders of a job."""
    for parameter in stage.parameters:
        if not isinstance(parameter.value, Literal):
            continue
        for text in _leaves(parameter.value.value):
            try:
                asked = placeholders(text)
            except ValueError:
                continue
            for name in asked:
                if name and not name.isdigit() and not _FOLDER.fullmatch(name):
                    yield Finding(
                        "RL103",
                        scope.place(stage, files, name),
                        f"{scope.subject(stage)}, parameter {parameter.name!r}",
                        expected="{workdir} or {readdir0}",
                        found=f"the placeholder {{{name}}}",
                        next_step="build the text in the command, from parameters",
                    )


def _scattered(scope: Scope, stage: Stage, files: Files) -> Iterator[Finding]:
    schedule = stage.schedule
    if not isinstance(schedule, Scatter):
        return
    lengths: dict[str, int] = {}
    for parameter in stage.parameters:
        if parameter.name not in schedule.parameters:
            continue
        known, value = workflow_lists.value(scope, parameter)
        if not known:
            count = workflow_lists.length(scope, parameter, frozenset((stage.name,)))
            if count is not None:
                lengths[parameter.name] = len(grouped([None] * count, schedule))
            continue
        if not isinstance(value, list):
            yield Finding(
                "RL110",
                scope.place(stage, files, parameter.name),
                f"{scope.subject(stage)} scatters {parameter.name!r}",
                expected="a list",
                found=repr(value),
                next_step="make it a list, or don't scatter it",
            )
            continue
        lengths[parameter.name] = len(grouped(value, schedule))
        if not value:
            yield Finding(
                "RL113",
                scope.place(stage, files, parameter.name),
                f"{scope.subject(stage)} scatters {parameter.name!r}",
                expected="a list with something in it",
                found="an empty one, so it makes no job",
                next_step="fill it; once converted, 'may_be_empty' of config.yaml can name the stage",
            )
    if not schedule.cartesian and len(set(lengths.values())) > 1:
        told = ", ".join(f"'{name}' has {length}" for name, length in lengths.items())
        yield Finding(
            "RL105",
            scope.place(stage, files, "scatter"),
            f"{scope.subject(stage)} zips lists",
            expected="lists of one length",
            found=told,
            next_step="correct the lists, or scatter with 'cartesian'",
        )


def _unused(scope: Scope, stage: Stage, files: Files) -> Iterator[Finding]:
    """Give the parameters of a stage that none of its steps uses."""
    asked: set[str] = set()
    for case in stage.cases:
        names = _asked(case)
        if names is None:
            return
        asked |= names
    for parameter in stage.parameters:
        if parameter.name not in asked:
            yield Finding(
                "RL108",
                scope.place(stage, files, parameter.name),
                f"{scope.subject(stage)}, parameter {parameter.name!r}",
                expected="a step that uses it",
                found="none",
                next_step="remove it, or correct its name",
            )


def _asked(case: Case) -> frozenset[str] | None:
    """Return the parameters that a case's step uses; None if it may be any."""
    step = case.step
    if step is None or case.condition is not None or isinstance(step.publisher, (FromJq, FromYaml, FromGlob)):
        return None
    if isinstance(step.environment, Container) and step.environment.mounts:
        return None
    found: set[str] = set()
    for text, _ in _texts(step):
        try:
            found |= set(placeholders(text))
        except ValueError:
            return None
    if isinstance(step.publisher, FromParameters):
        found |= set(_leaves(step.publisher.outputs))
    return frozenset(found)


def _leaves(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
