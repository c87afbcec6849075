"""A workflow of yadage, with what it is run with: every check of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from relance.checks import workflow_references, workflow_values, workflow_waiting
from relance.checks.commands import Command
from relance.checks.files import Files
from relance.checks.finding import Finding, Place
from relance.checks.images import Language, Named
from relance.checks.refusals import refused
from relance.checks.workflow_references import Scope
from relance.errors import InputError
from relance.languages import onreana
from relance.languages.model import Command as ShellCommand
from relance.languages.model import Container, Json, Script, Stage, Step
from relance.languages.recast_atlas import Test
from relance.languages.yadage import steps
from relance.languages.yadage import workflows as yadage

_T = TypeVar("_T")


@dataclass(frozen=True)
class Given:
    """What a workflow is run with."""

    parameters: Mapping[str, Json] | None = None
    """None if they aren't known."""
    places: Mapping[str, Place] | None = None
    """Where each is written; None if nobody wrote them for this workflow alone."""


@dataclass(frozen=True)
class Checked:
    """What came of a workflow."""

    findings: tuple[Finding, ...]
    images: tuple[Named, ...] = ()
    commands: tuple[Command, ...] = ()
    unheard: tuple[Finding, ...] = ()
    """What REANA isn't told."""
    looked_at: tuple[str, ...] = ()
    """Files, relative to the folder that is checked."""


def check(root: Path, toplevel: Path, file: str, given: tuple[Given, ...], files: Files) -> Checked:
    """Check a workflow of yadage; `file` is relative to its toplevel, which lies in `root`."""
    path = "" if toplevel == root else toplevel.relative_to(root).as_posix()
    shown = f"{path}/{file}" if path else file
    try:
        reading = yadage.read(toplevel, file)
    except InputError as error:
        return Checked(tuple(refused(error, shown, path)), looked_at=(shown,))
    findings: list[Finding] = []
    for one in given or (Given(),):
        for scope, within in workflow_references.scopes(reading.workflow, path, one.parameters):
            findings += workflow_references.check(scope, files)
            findings += workflow_waiting.check(scope, files)
            findings += workflow_values.check(scope, files)
            if within is None and one.places is not None:
                findings += workflow_values.unused(scope, one.places)
    images: list[Named] = []
    commands: list[Command] = []
    needs: list[Finding] = []
    for scope, _ in workflow_references.scopes(reading.workflow, path):
        for stage, step in _steps(scope):
            where = f"{path}/{step.origin.file}" if path else step.origin.file
            needs += _needs(stage, step, where, scope, files)
            images += _image(stage, step, where, scope, files)
            commands += _command(stage, step, where, scope, files)
    looked_at = tuple(f"{path}/{name}" if path else name for name in reading.files)
    return Checked(
        tuple(findings),
        _once(images, lambda one: (one.place, one.reference)),
        _once(commands, lambda one: (one.place, one.text)),
        _once(needs, lambda one: one.place),
        looked_at,
    )


def check_step(root: Path, toplevel: Path, test: Test, place: Place) -> tuple[Finding, ...]:
    """Check the step of a test with its parameters; `place` is where the test stands."""
    path = "" if toplevel == root else toplevel.relative_to(root).as_posix()
    try:
        step, _ = steps.read(toplevel, test.step)
    except InputError as error:
        return tuple(
            one if one.place.line else replace(one, place=place) for one in refused(error, place.file, path)
        )
    missing = workflow_values.missing(step, frozenset(test.parameters))
    return tuple(
        Finding(
            "RL103",
            place,
            f"test {test.name!r} of {test.step}",
            expected=f"a value for '{name}' among its parameters",
            found=", ".join(test.parameters) or "none",
            next_step="give the test this parameter",
        )
        for name in missing
    )


def _once(named: list[_T], key: Callable[[_T], object]) -> tuple[_T, ...]:
    """Return what stands at one place once, though several stages may use it."""
    found: dict[object, _T] = {}
    for one in named:
        found.setdefault(key(one), one)
    return tuple(found.values())


def _steps(scope: Scope) -> Iterator[tuple[Stage, Step]]:
    for stage in scope.workflow.stages:
        for case in stage.cases:
            if case.step is not None:
                yield stage, case.step


def _image(stage: Stage, step: Step, where: str, scope: Scope, files: Files) -> Iterator[Named]:
    environment = step.environment
    if isinstance(environment, Container):
        user = next(
            (
                int(number)
                for name, _, number in (one.partition(": ") for one in environment.resources)
                if name == "kubernetes_uid" and number.isdigit()
            ),
            None,
        )
        place = files.find(where, step.origin.line, "image")
        yield Named(environment.reference, place, scope.subject(stage), Language.PLAIN, user)


def _needs(stage: Stage, step: Step, where: str, scope: Scope, files: Files) -> Iterator[Finding]:
    """Yield what a step needs that yadage's own words for it don't tell REANA."""
    environment = step.environment
    for name in environment.resources if isinstance(environment, Container) else ():
        if name in onreana.NAMED:
            word = onreana.NAMED[name].lower()
            yield Finding(
                "RL314",
                files.find(where, step.origin.line, name),
                scope.subject(stage),
                expected=f"'{word}' among its resources",
                found=f"'{name}'",
                next_step=f"write '- {word}' beside it; yadage passes over that",
            )


def _command(stage: Stage, step: Step, where: str, scope: Scope, files: Files) -> Iterator[Command]:
    process = step.process
    if isinstance(process, Script) and process.interpreter.rpartition("/")[2] not in {"sh", "bash"}:
        return
    if isinstance(process, (ShellCommand, Script)):
        word = "cmd" if isinstance(process, ShellCommand) else "script"
        place = files.find(where, step.origin.line, word)
        yield Command(process.text, place, scope.subject(stage))
