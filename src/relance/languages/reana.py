"""Reads `reana.yaml`: what REANA runs, with which parameters and files, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from relance.languages.model import Json
from relance.languages.notes import Note
from relance.languages.references import Part, Sources
from relance.languages.workspaces import Taken

_KEYS = ("version", "inputs", "workflow", "outputs", "tests", "workspace")
_OPTIONS = {
    "serial": ("CACHE", "FROM", "TARGET"),
    "yadage": ("toplevel", "initdir", "initfiles", "accept_metadir"),
    "snakemake": ("report",),
    "cwl": ("TARGET",),
}


_NO_RESULT = frozenset("*?[]{}$")
"""Signs of patterns and placeholders, which REANA doesn't fill in there either."""


class Language(StrEnum):
    """What a workflow is written in."""

    SERIAL = "serial"
    YADAGE = "yadage"
    SNAKEMAKE = "snakemake"
    CWL = "cwl"


@dataclass(frozen=True)
class Analysis:
    """What a reana.yaml says. Paths are relative to its folder, which is the workspace."""

    folder: Path
    language: Language
    file: str | None
    """Of the workflow; None if it stands in reana.yaml itself."""
    workflow: Part
    parameters: dict[str, Json]
    options: dict[str, Json]
    inputs: Taken
    definition: Taken
    """What else belongs to the workflow, besides the inputs."""
    outputs: Taken
    needs: tuple[str, ...]
    """What all steps need from outside."""
    notes: tuple[Note, ...]
    parameter_file: str | None = None
    """File of further parameters, over which `parameters` count."""


def is_analysis(content: Json) -> bool:
    """Return whether a file's content is a reana.yaml."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("workflow"), dict)
        and "type" in content["workflow"]
    )


def is_called_so(path: Path, content: Json) -> bool:
    """Return whether a file says by its name that it is a reana.yaml, and is nothing else."""
    return "reana" in path.name and not (isinstance(content, dict) and {"stages", "spec"} & set(content))


def read(path: Path) -> Analysis:
    """Read a reana.yaml.

    Raises:
        InputError: it can't be read, or names what lies elsewhere; file and line are told.
    """
    root = Sources(path.parent).root(path.name)
    workflow = root.need("workflow", "reana.yaml")
    kind = workflow.need("type", "a workflow")
    if kind.text() not in set(Language):
        raise kind.refusal("the workflow's type", found=repr(kind.value), expected=", ".join(Language))
    language = Language(kind.value)
    notes = [Note(root.where, f"'{key}' has no effect") for key in root.mapping() if key not in _KEYS]
    for key in ("tests", "workspace"):
        if (part := root.get(key)) is not None and part.value:
            notes.append(Note(part.where, f"'{key}' is REANA's own matter and has no effect here"))
    file = _text(workflow.get("file"))
    if file is None and (language is not Language.SERIAL or workflow.get("specification") is None):
        expected = "'file' or 'specification'" if language is Language.SERIAL else "'file'"
        raise workflow.refusal("the workflow isn't there", found="none", expected=expected)
    inputs, outputs = root.get("inputs"), root.get("outputs")
    options = _below(inputs, "options")
    known = _OPTIONS[language]
    if options is not None:
        options.only("options", *known)
    parameters = _below(inputs, "parameters")
    return Analysis(
        folder=path.parent,
        language=language,
        file=file,
        workflow=workflow,
        parameters=dict(parameters.plain()) if parameters is not None else {},
        options=dict(options.plain()) if options is not None else {},
        inputs=_named(inputs),
        definition=_named(workflow),
        outputs=_named(outputs, notes),
        needs=_needs(workflow.get("resources")),
        notes=tuple(notes),
        parameter_file=_text(listed.get("file")) if (listed := _below(workflow, "parameters")) else None,
    )


def _below(part: Part | None, key: str) -> Part | None:
    found = part.get(key) if part is not None and part.value else None
    if found is None or found.value is None:
        return None
    found.mapping()
    return found


def _named(part: Part | None, notes: list[Note] | None = None) -> Taken:
    """Return the files and folders of a section; with `notes`, patterns are noted and left out."""
    if part is None or part.value is None:
        return Taken()
    found: dict[str, tuple[str, ...]] = {}
    for key in ("files", "directories"):
        listed = part.get(key)
        several = list(listed.each()) if listed is not None and listed.value is not None else []
        if notes is not None:
            searched = [one for one in several if _NO_RESULT & set(one.text())]
            notes += [
                Note(one.where, f"{one.value!r} is no file's name, so no result here") for one in searched
            ]
            several = [one for one in several if one not in searched]
        found[key] = tuple(dict.fromkeys(map(_path, several)))
    return Taken(found["files"], found["directories"])


def _path(part: Part) -> str:
    text = part.text().removeprefix("./").rstrip("/")
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or not text.isprintable() or "*" in text:
        raise part.refusal(
            "a path can't be used",
            found=repr(part.value),
            expected="one in the workspace, without '..' and '*'",
        )
    return str(path)


def _text(part: Part | None) -> str | None:
    return _path(part) if part is not None and part.value is not None else None


def _needs(part: Part | None) -> tuple[str, ...]:
    if part is None or not part.value:
        return ()
    found = []
    for key, one in part.items():
        match key:
            case "cvmfs":
                found.append(f"CVMFS ({', '.join(str(name) for name in one.plain())})")
            case "kerberos" if one.value:
                found.append("KRB5Auth")
            case "voms_proxy" if one.value:
                found.append("GRIDProxy")
            case _ if one.value:
                found.append(key)
    return tuple(found)
