"""Tests of single steps that a recast.yml has: each becomes an analysis of one step."""

from __future__ import annotations

from pathlib import Path

from relance.conversion import telling
from relance.conversion.model import Converted, Copied
from relance.conversion.places import inside
from relance.conversion.yadage import INIT
from relance.drafting.converted import Known
from relance.drafting.words import slug
from relance.errors import InputError
from relance.languages import snakefile
from relance.languages.model import Case, Json, Literal, Parameter, Ready, Single, Stage, Workflow
from relance.languages.recast_atlas import Entry, Test
from relance.languages.support.places import ROOT
from relance.languages.yadage import steps


def tested(entry: Entry, folder: Path, toplevel: Path) -> tuple[dict[str, Converted], tuple[str, ...]]:
    """Return the analyses that an entry's tests of single steps become, and why others can't be run."""
    found: dict[str, Converted] = {}
    notes = []
    for test in entry.tests:
        try:
            found[place(test)] = _tested(test, folder, toplevel)
        except InputError as error:
            notes.append(f"the test '{test.name}' can't be run: {error}")
    return found, tuple(notes)


def _tested(test: Test, folder: Path, toplevel: Path) -> Converted:
    if len(test.folders) > 1:
        raise InputError(
            f"'{test.name}' reads several folders",
            expected="one",
            found=", ".join(test.folders),
            next_step="put their files into one",
        )
    workflow, notes = one_step(test, toplevel)
    compiled = snakefile.compiled(workflow, test.step, {})
    images, bare = telling.images(workflow)
    known = Known(
        name=slug(test.name),
        written_in=test.step,
        title=test.description or f"Test {test.name}",
        products=telling.products(workflow),
        needs=telling.needs(workflow, {}),
        images=images,
        bare=bare,
        sources=telling.SOURCES,
        kept=telling.kept(workflow),
    )
    copies = tuple(
        Copied(inside(folder, name, what=f"folder of the test '{test.name}'"), INIT) for name in test.folders
    )
    return Converted(test.step, compiled.files, known, copies, notes=notes)


def one_step(test: Test, toplevel: Path) -> tuple[Workflow, tuple[str, ...]]:
    """Return the workflow of one step that a test is, and what has no effect in it.

    Raises:
        InputError: its step can't be read; file and line are told.
    """
    step, notes = steps.read(toplevel, test.step)
    parameters = tuple(Parameter(key, Literal(_readable(value))) for key, value in test.parameters.items())
    stage = Stage(slug(test.name), Ready(), Single(), parameters, (Case(step=step),), step.origin)
    return Workflow((stage,)), tuple(f"{note.where}: {note.text}" for note in notes)


def _readable(value: Json) -> Json:
    """Return a value that calls the folder of given files by its place."""
    if isinstance(value, dict):
        return {key: _readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return value.replace("{readdir0}", f"{ROOT}/{INIT}") if isinstance(value, str) else value


def place(test: Test) -> str:
    """Return the folder of a test, relative to the analysis."""
    return f"tests/{slug(test.name)}"
