"""Compiles a workflow with its parameters into what is written into a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from relance.errors import InputError
from relance.languages.cwl import documents, snakefile, workflows
from relance.languages.cwl.given import FOLDER, Given
from relance.languages.cwl.parameters import Parameters
from relance.languages.cwl.support import rules
from relance.languages.cwl.support.planning import NotYetError
from relance.languages.model import Json, PlanError


@dataclass(frozen=True)
class Compiled:
    """A compiled workflow.

    texts: Its files, by their paths.
    copies: Given files and folders, by the paths that they are copied to.
    parameters: What it is run with.
    images: The image of each rule; None where there is none.
    notes: What isn't heeded: where it stands, and what it is.
    """

    texts: Mapping[str, str]
    copies: Mapping[str, Path]
    parameters: Mapping[str, Json]
    images: Mapping[str, str | None]
    notes: tuple[tuple[str, str], ...]


def compiled(toplevel: Path, file: str, several: Iterable[Parameters]) -> Compiled:
    """Compile a workflow or tool, and what it is given.

    Args:
        toplevel: Folder that holds all that is read.
        file: Name of the specification, relative to it; `file#name` takes one of several processes.
        several: Parameters; the later ones count.

    Raises:
        UnsupportedError: it can't be compiled; file and line are told.
        InputError: something isn't right, or isn't there.
        MissingPartError: the library that reads the language isn't installed.
    """
    name, _, wanted = file.partition("#")
    given = Given()
    reading = workflows.read(documents.root(toplevel, name, wanted), given)
    beside = workflows.beside(reading.workflow)
    known = {one.name for one in reading.workflow.inputs}
    values: dict[str, Json] = {}
    notes = list(reading.notes)
    for one in several:
        notes += [
            (one.where, f"there is no input '{key}'; left out") for key in one.values if key not in known
        ]
        inputs = {key: value for key, value in one.values.items() if key in known}
        values |= given.parameters(inputs, beside, one.folders)
    texts = snakefile.files(reading.workflow, name, values) | given.texts
    made = Compiled(texts, given.copies, values, snakefile.images(reading.workflow), tuple(notes))
    check(made)
    return made


def check(made: Compiled) -> None:
    """See whether what a workflow is given fits, as far as that can be told before it runs.

    Raises:
        InputError: it doesn't.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "workflow.json").write_text(made.texts["workflow.json"], "utf-8")
        for name, text in made.texts.items():
            if name.startswith(f"{FOLDER}/"):
                _place(folder / name).write_text(text, "utf-8")
        for name, source in made.copies.items():
            _place(folder / name).symlink_to(source.absolute())
        try:
            rules.planner(folder, dict(made.parameters)).results()
        except NotYetError:
            return
        except PlanError as error:
            raise InputError(
                "the workflow can't run with these parameters",
                expected="values that fit",
                found=str(error),
                next_step="correct the file of parameters, or set them with --parameter",
            ) from error


def _place(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
