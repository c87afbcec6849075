"""What is checked: which specifications a folder has, or what a file is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from relance.document import Document
from relance.errors import InputError
from relance.languages import recast_atlas, yamlfile

SNAKEFILES = ("Snakefile", "workflow/Snakefile", "snakefile", "workflow/snakefile")
_REANA = ("reana.yaml", "reana.yml")
_ENTRIES = ("recast.yml", "recast.yaml")
_WORKFLOWS = ("workflow.yml", "workflow.yaml", "specs/workflow.yml", "specs/workflow.yaml")
_YAML = (".yml", ".yaml", ".json", ".cwl")


@dataclass(frozen=True)
class Subject:
    """The specifications of an analysis; paths relative to `root`, each None if there is none."""

    root: Path
    snakefile: str | None = None
    reana: str | None = None
    entry: str | None = None
    """A recast.yml."""
    yadage: str | None = None
    cwl: str | None = None
    toplevel: Path | None = None
    """Where references of a yadage workflow start, if somebody says it."""


def find(path: Path, toplevel: Path | None = None) -> Subject:
    """Return what is to be checked at a path: the folder of an analysis, or one of its specifications.

    Raises:
        InputError: nothing that is known is there.
    """
    if path.is_dir():
        return _folder(path.resolve(), toplevel)
    if not path.is_file():
        raise InputError(
            f"{path} can't be checked",
            expected="the folder of an analysis, or a specification",
            found="nothing there",
            next_step="correct the path",
        )
    file = path.resolve()
    root = (toplevel or _around(file)).resolve()
    if not file.is_relative_to(root):
        raise InputError(
            f"{path} isn't in the toplevel",
            expected=f"a file in {toplevel}",
            found="another place",
            next_step="name its toplevel with --toplevel",
        )
    return _file(root, file, toplevel)


def _folder(root: Path, toplevel: Path | None) -> Subject:
    def first(names: tuple[str, ...]) -> str | None:
        return next((name for name in names if (root / name).is_file()), None)

    reana, entry = first(_REANA), first(_ENTRIES)
    workflow = first(_WORKFLOWS) if entry is None else None
    found = Subject(
        root=root,
        snakefile=first(SNAKEFILES),
        reana=reana,
        entry=entry,
        yadage=workflow if workflow and _kind(_document(root, workflow)) == "yadage" else None,
        toplevel=toplevel,
    )
    if not any((found.snakefile, reana, entry, found.yadage)):
        raise InputError(
            f"{root} is no analysis",
            expected=f"one of {', '.join((*SNAKEFILES[:2], *_REANA[:1], *_ENTRIES[:1], *_WORKFLOWS[:1]))}",
            found="none of them",
            next_step="name the specification itself",
        )
    return found


def _file(root: Path, path: Path, toplevel: Path | None) -> Subject:
    name = str(path.relative_to(root))
    if path.suffix not in _YAML:
        return Subject(root, snakefile=name)
    match _kind(_document(root, name)):
        case "yadage":
            return Subject(root, yadage=name, toplevel=toplevel)
        case "entry":
            return Subject(root, entry=name, toplevel=toplevel)
        case "reana":
            return Subject(root, reana=name, toplevel=toplevel)
        case "cwl":
            return Subject(root, cwl=name)
    raise InputError(
        f"{path.name} can't be checked",
        expected="a Snakefile, a yadage workflow ('stages:'), recast.yml ('spec:'), reana.yaml or CWL",
        found="none of these",
        next_step="name the specification of the workflow",
    )


def _around(file: Path) -> Path:
    """Return the folder that a file's paths are relative to; Snakemake is called above workflow/Snakefile."""
    above = file.parent.name == "workflow" and file.name in {"Snakefile", "snakefile"}
    return file.parent.parent if above else file.parent


def _document(root: Path, name: str) -> Document:
    return yamlfile.read(root / name, Path(name))


def _kind(document: Document) -> str | None:
    value = document.value
    if not isinstance(value, dict):
        return None
    if "stages" in value:
        return "yadage"
    if "cwlVersion" in value:
        return "cwl"
    if recast_atlas.is_entry(value):
        return "entry"
    return "reana" if isinstance(value.get("workflow"), dict) else None
