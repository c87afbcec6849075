"""What is remembered of a run that was submitted from here, so that a later command goes on with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from relance import digest
from relance.engines.reana import answers, paths
from relance.engines.reana.declared import Declared
from relance.engines.reana.journal import Journal
from relance.engines.reana.model import Workflow
from relance.errors import RelanceError
from relance.model import Digest
from relance.store.atomic import write_text

_NOTE = "submission.json"
_UPLOADED = "uploaded.jsonl"
_FETCHED = "fetched.jsonl"
_DEFINITION = "definition"


@dataclass(frozen=True)
class Origin:
    """What was submitted: the folder of an analysis, or a capsule of a store."""

    folder: Path | None = None
    capsule: Digest | None = None
    store: Path | None = None


@dataclass(frozen=True)
class Note:
    """What is remembered of a run that was submitted from here."""

    folder: Path
    server: str
    workflow: Workflow
    request: str
    """Digest of the request."""
    origin: Origin = field(default_factory=Origin)
    inputs: tuple[str, ...] = ()
    """Files that went into the workspace."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Those that were given beside the ones of reana.yaml."""
    products: tuple[str, ...] = ()
    """What is fetched, as far as it is made, beside the outputs that reana.yaml declares."""

    @property
    def uploaded(self) -> Journal:
        """What was uploaded."""
        return Journal(self.folder / _UPLOADED)

    @property
    def fetched(self) -> Journal:
        """What was fetched."""
        return Journal(self.folder / _FETCHED)

    @property
    def definition(self) -> Path:
        """Folder with the workflow's own files that are not in the workspace."""
        return self.folder / _DEFINITION


def listed(folder: Path, server: str) -> tuple[Note, ...]:
    """Return the runs submitted to a server from here, the latest first; what can't be read is left out."""
    found = sorted(folder.glob(f"*/{_NOTE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    return tuple(note for note in map(_read, found) if note is not None and note.server == server)


def of_run(folder: Path, server: str, workflow: Workflow) -> Note | None:
    """Return the note of a run; None if it wasn't submitted from here."""
    note = _read(folder / workflow.id / _NOTE)
    return note if note is not None and note.server == server else None


def keep(note: Note, declared: Declared) -> None:
    """Write a note, with copies of what the server gets and the workspace doesn't."""
    note.folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(set(declared.definition) - set(declared.inputs)):
        copy = note.definition / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(declared.place(path), copy)
    _write(note)


def _write(note: Note) -> None:
    told = {
        "server": note.server,
        "workflow_id": note.workflow.id,
        "workflow_name": note.workflow.name,
        "request": note.request,
        "folder": None if note.origin.folder is None else str(note.origin.folder),
        "capsule": note.origin.capsule,
        "store": None if note.origin.store is None else str(note.origin.store),
        "inputs": note.inputs,
        "parameters": note.parameters,
        "products": note.products,
    }
    write_text(note.folder / _NOTE, json.dumps(told, indent=2) + "\n")


def copied(note: Note, workflow: Workflow) -> Note:
    """Keep for a run what is known of another that has the same workspace; return that note."""
    made = replace(note, folder=note.folder.with_name(workflow.id), workflow=workflow)
    shutil.copytree(note.folder, made.folder, dirs_exist_ok=True)
    (made.folder / _FETCHED).unlink(missing_ok=True)
    _write(made)
    return made


def _read(path: Path) -> Note | None:
    try:
        said = json.loads(path.read_text("utf-8"))
        capsule, inputs = said.get("capsule"), tuple(said.get("inputs") or ())
        origin = Origin(
            Path(said["folder"]) if said.get("folder") else None,
            digest.parse(capsule) if capsule else None,
            Path(said["store"]) if said.get("store") else None,
        )
        products = tuple(said.get("products") or ())
        if not all(isinstance(one, str) and paths.is_safe(one) for one in (*inputs, *products)):
            return None
        workflow = answers.workflow(said, ValueError)
        parameters = dict(said.get("parameters") or {})
        return Note(
            path.parent, said["server"], workflow, said["request"], origin, inputs, parameters, products
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RelanceError):
        return None
