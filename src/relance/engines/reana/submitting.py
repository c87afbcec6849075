"""A run made, filled and started; interrupted anywhere, the same request goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relance import digest
from relance.drafting.graph import Job
from relance.engines.reana import bundle, credentials, expansion, notes
from relance.engines.reana.client import Client
from relance.engines.reana.declared import Declared
from relance.engines.reana.journal import Journal
from relance.engines.reana.model import Protocol, State, Status, Transferred, Workflow
from relance.engines.reana.notes import Note, Origin
from relance.engines.reana.refusals import RefusedError, UnreachableError
from relance.engines.reana.uploading import upload
from relance.model import Digest
from relance.store.locking import locked
from relance.store.registry.transfer import Told

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
    origin: Origin = field(default_factory=Origin)
    products: tuple[str, ...] = ()
    """What is fetched, as far as it is made, beside the outputs that reana.yaml declares."""

    def digest(self, server: str) -> Digest:
        """Return what tells this request from others; inputs are not part of it."""
        files = {
            path: digest.of_file(self.declared.place(path))
            for path in self.declared.definition
            if path not in self.declared.inputs
        }
        told = {"server": server, "name": self.name, "content": self.declared.content, "files": files}
        return digest.of_json({**told, "parameters": self.parameters, "options": self.options})


@dataclass(frozen=True)
class Submitted:
    """A run that was started, by this call or an earlier one."""

    workflow: Workflow
    files: tuple[Transferred, ...]
    warnings: tuple[str, ...]
    """Of the server, about the specification."""
    picked_up: bool
    """Whether an earlier call made it."""


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
        InputError: the server won't, or lacks a secret; or an input can't be read.
        UnreachableError: the server is gone; the same call goes on.
    """
    asked = request.digest(client.server.address)
    # Of two processes that send the same, one would replace files below the run that the other has started.
    lock = folder / "locks" / asked.removeprefix("sha256:")
    with locked(lock, shared=False, waiting=lambda: say("another process sends the same; waiting for it")):
        return _submit(client, request, asked, folder, again=again, threads=threads, told=told, say=say)


def _submit(
    client: Client,
    request: Request,
    asked: Digest,
    folder: Path,
    *,
    again: bool,
    threads: int,
    told: Told,
    say: Callable[[str], None],
) -> Submitted:
    warnings: tuple[str, ...] = ()
    found = None if again else _on_its_way(client, request, asked, folder)
    if found is None or found[1].status in _NOT_YET:
        credentials.require(client, request.declared, say)
    if found is None:
        workflow, warnings = _create(client, request)
        note = Note(
            folder / workflow.id,
            client.server.address,
            workflow,
            asked,
            request.origin,
            request.declared.inputs,
            request.parameters,
            request.products,
        )
        notes.keep(note, request.declared)
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
            declared.place,
            declared.inputs,
            note.uploaded,
            threads=threads,
            told=told,
        )
        _start(client, note.workflow, request)
    return Submitted(note.workflow, files, warnings, found is not None)


def _on_its_way(client: Client, request: Request, asked: Digest, folder: Path) -> tuple[Note, State] | None:
    for note in notes.listed(folder, client.server.address):
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
        if known is None or known.digest != digest.of_file(declared.place(path)):
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
