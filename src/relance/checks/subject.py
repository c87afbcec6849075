"""What is checked: which specifications a folder has, or what a file is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from relance.errors import InputError
from relance.languages import recast_atlas, yamlfile
from relance.languages.cwl import documents

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
    serial: str | None = None
    """The steps of a serial workflow, in a file of their own."""
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

    if toplevel is not None and not toplevel.resolve().is_relative_to(root):
        raise InputError(
            f"{toplevel} isn't in the analysis",
            expected=f"a folder in {root}",
            found="another place",
            next_step="name the workflow's file as PATH",
        )
    reana, entry = first(_REANA), first(_ENTRIES)
    workflow = first(_WORKFLOWS) if entry is None else None
    found = Subject(
        root=root,
        snakefile=first(SNAKEFILES),
        reana=reana,
        entry=entry,
        yadage=workflow if workflow and _kind(root, workflow) == "yadage" else None,
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
    match _kind(root, name):
        case "yadage":
            return Subject(root, yadage=name, toplevel=toplevel)
        case "entry":
            return Subject(root, entry=name, toplevel=toplevel)
        case "reana":
            return Subject(root, reana=name, toplevel=toplevel)
        case "cwl":
            return Subject(root, cwl=name)
        case "serial":
            return Subject(root, serial=name)
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


def _kind(root: Path, name: str) -> str | None:
    """Return what a file in YAML is; by its name if its content is nothing, so that a finding tells it."""
    if documents.is_cwl(root / name):  # YAML of its own kind
        return "cwl"
    last = Path(name).name
    called = "reana" if "reana" in last else "entry" if "recast" in last else None
    try:
        value = yamlfile.read(root / name, Path(name)).value
    except InputError:
        return called or "yadage"
    recast_atlas.refuse_index(Path(name), value)
    if not isinstance(value, dict):
        return called
    signs = {
        "yadage": "stages" in value,
        "entry": recast_atlas.is_entry(value),
        "serial": isinstance(value.get("steps"), list),
        "reana": isinstance(value.get("workflow"), dict),
    }
    return next((kind for kind, is_it in signs.items() if is_it), called)
