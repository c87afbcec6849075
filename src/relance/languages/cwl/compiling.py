"""Compiles a workflow with its parameters into what is written into a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from relance import document
from relance.errors import InputError
from relance.languages.cwl import documents, snakefile, workflows
from relance.languages.cwl.given import FOLDER, Given
from relance.languages.cwl.support import rules
from relance.languages.cwl.support.planning import NotYetError
from relance.languages.model import Json, PlanError

_OVERRIDES = ("cwl:requirements", "cwl:overrides")


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


def compiled(toplevel: Path, file: str, files: Iterable[Path], assignments: Iterable[str]) -> Compiled:
    """Compile a workflow or tool, and what it is given.

    Args:
        toplevel: Folder that holds all that is read.
        file: Name of the specification, relative to it; `file#name` takes one of several processes.
        files: Parameters; files in them are relative to theirs.
        assignments: `key=value` in YAML; files in them are relative to the current folder.

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
    parameters: dict[str, Json] = {}
    notes = list(reading.notes)
    for found, folder, where in _gathered(files, assignments):
        notes += [(where, f"there is no input '{key}'; left out") for key in found if key not in known]
        inputs = {key: value for key, value in found.items() if key in known}
        parameters |= given.parameters(inputs, beside, folder)
    texts = snakefile.files(reading.workflow, name, parameters) | given.texts
    made = Compiled(texts, given.copies, parameters, snakefile.images(reading.workflow), tuple(notes))
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


def _gathered(
    files: Iterable[Path], assignments: Iterable[str]
) -> Iterable[tuple[dict[str, Json], Path, str]]:
    """Give parameters with the folder that their files are relative to, and where they stand."""
    for file in files:
        found = document.read(file)
        if not isinstance(found.value, dict):
            raise InputError(
                f"{found.where()}: no parameters",
                expected="a mapping of parameters",
                found=type(found.value).__name__,
                next_step="correct the file",
            )
        for key in _OVERRIDES:
            if key in found.value:
                raise InputError(
                    f"{found.where(key)}: parameters have '{key}'",
                    expected="inputs alone",
                    found="more",
                    next_step="write it into the workflow",
                )
        yield {key: one for key, one in found.value.items() if key != "cwl:tool"}, file.parent, str(file)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not key or not equals:
            raise InputError(
                f"the parameter {assignment!r} can't be used",
                expected="KEY=VALUE",
                found="no '='",
                next_step="put quotes around what the shell would change",
            )
        yield {key: document.value(text, Path(key))}, Path(), "--parameter"
