"""A run made, filled and started; interrupted anywhere, the same request goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relance import digest
from relance.drafting.graph import Job
from relance.engines.reana import answers, bundle, expansion
from relance.engines.reana.client import Client
from relance.engines.reana.declared import Declared
from relance.engines.reana.journal import Journal
from relance.engines.reana.model import Protocol, State, Status, Transferred, Workflow
from relance.engines.reana.session import RefusedError, UnreachableError
from relance.engines.reana.uploading import upload
from relance.model import Digest
from relance.store.atomic import write_text
from relance.store.registry.transfer import Told

_NOTE = "submission.json"
_UPLOADED = "uploaded.jsonl"
_NOT_YET = frozenset({Status.CREATED})


@dataclass(frozen=True)
class Request:
    """What is to be run."""

    declared: Declared
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    jobs: tuple[Job, ...] = ()
    """Of a Snakemake workflow, for servers of 0.9."""

    def digest(self, server: str) -> Digest:
        """Return what tells this request from others; inputs are not part of it."""
        files = {
            path: digest.of_file(self.declared.folder / path)
            for path in self.declared.definition
            if path not in self.declared.inputs
        }
        told = {"server": server, "name": self.name, "content": self.declared.content, "files": files}
        return digest.of_json({**told, "parameters": self.parameters, "options": self.options})


@dataclass(frozen=True)
class Note:
    """What is remembered of a run that was submitted from here."""

    folder: Path
    server: str
    workflow: Workflow
    request: str
    """Digest of the request."""

    @property
    def uploaded(self) -> Journal:
        """What was uploaded."""
        return Journal(self.folder / _UPLOADED)


@dataclass(frozen=True)
class Submitted:
    """A run that was started, by this call or an earlier one."""

    workflow: Workflow
    files: tuple[Transferred, ...]
    warnings: tuple[str, ...]
    """Of the server, about the specification."""
    picked_up: bool
    """Whether an earlier call made it."""


def notes(folder: Path, server: str) -> tuple[Note, ...]:
    """Return the runs submitted to a server from here, the latest first; what can't be read is left out."""
    found = sorted(folder.glob(f"*/{_NOTE}"), key=lambda path: path.stat().st_mtime, reverse=True)
    return tuple(note for note in map(_read, found) if note is not None and note.server == server)


def submit(
    client: Client,
    request: Request,
    folder: Path,
    *,
    again: bool = False,
    threads: int = 4,
    told: Told = lambda _moved: None,
    say: Callable[[str], None] = lambda _: None,
) -> Submitted:
    """Run what is asked for, unless a run of the same request and inputs is on its way already.

    Args:
        client: of a server.
        request: what to run.
        folder: holds the notes of runs.
        again: make another run, whatever is on its way.
        threads: files sent at once.
        told: hears how far the upload is.
        say: hears what a user should know.

    Raises:
        InputError: the server won't, or an input can't be read.
        UnreachableError: the server is gone; the same call goes on.
    """
    asked = request.digest(client.server.address)
    warnings: tuple[str, ...] = ()
    found = None if again else _on_its_way(client, request, asked, folder)
    if found is None:
        workflow, warnings = _create(client, request)
        note = Note(folder / workflow.id, client.server.address, workflow, asked)
        _write(note)
        state = State(workflow, Status.CREATED)
    else:
        note, state = found
        say(f"going on with {note.workflow.name}, which is {state.status}")
    files: tuple[Transferred, ...] = ()
    if state.status in _NOT_YET:
        declared = request.declared
        files = upload(
            client,
            note.workflow.id,
            declared.folder,
            declared.inputs,
            note.uploaded,
            threads=threads,
            told=told,
        )
        _start(client, note.workflow, request)
    return Submitted(note.workflow, files, warnings, found is not None)


def _on_its_way(client: Client, request: Request, asked: Digest, folder: Path) -> tuple[Note, State] | None:
    for note in notes(folder, client.server.address):
        if note.request != asked:
            continue
        try:
            state = client.state(note.workflow.id)
        except RefusedError:
            continue  # deleted meanwhile
        if state.status in _NOT_YET or (not state.status.over and _has_all(request.declared, note.uploaded)):
            return note, state
    return None


def _has_all(declared: Declared, uploaded: Journal) -> bool:
    """Tell whether the inputs are still those that a run got."""
    for path in declared.inputs:
        known = uploaded.known(path)
        if known is None or known.digest != digest.of_file(declared.folder / path):
            return False
    return True


def _create(client: Client, request: Request) -> tuple[Workflow, tuple[str, ...]]:
    try:
        if client.server.protocol is Protocol.BUNDLE:
            return client.create_from_bundle(request.name, bundle.of(request.declared))
        return client.create(request.name, expansion.expanded(request.declared, request.jobs)), ()
    except UnreachableError as error:
        error.next_step = f"see with 'relance reana list' whether there is a new run of {request.name}"
        raise


def _start(client: Client, workflow: Workflow, request: Request) -> None:
    try:
        client.start(workflow.id, request.parameters, request.options)
    except (UnreachableError, RefusedError):
        # The answer may be lost though the run was started; a second start is refused.
        if client.state(workflow.id).status in _NOT_YET:
            raise


def _write(note: Note) -> None:
    note.folder.mkdir(parents=True, exist_ok=True)
    told = {
        "server": note.server,
        "workflow_id": note.workflow.id,
        "workflow_name": note.workflow.name,
        "request": note.request,
    }
    write_text(note.folder / _NOTE, json.dumps(told, indent=2) + "\n")


def _read(path: Path) -> Note | None:
    try:
        said = json.loads(path.read_text("utf-8"))
        return Note(path.parent, said["server"], answers.workflow(said, ValueError), said["request"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
