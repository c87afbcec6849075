"""What a run was given, put beside what it made: so that a folder of this machine holds the whole of it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from relance import digest
from relance.engines.reana import fetching, paths
from relance.engines.reana.client import Client
from relance.engines.reana.notes import Note
from relance.errors import InputError
from relance.model import Digest
from relance.store.registry.transfer import Told


def given(
    client: Client,
    note: Note,
    folder: Path,
    seed: Path | None,
    *,
    threads: int = 4,
    told: Told = lambda _moved: None,
) -> None:
    """Bring the workflow and its inputs, as they were sent, into a folder; what is there already stays.

    seed: a folder whose files are copied where they are still those that were sent; the others come from the
    workspace, each with the digest that it had when it was sent.

    Raises:
        InputError: another file has the place of one, or the run changed what it was given.
        UnreachableError: the server breaks off for good.
    """
    sent = note.uploaded
    missing: dict[str, Digest | None] = {}
    for path in note.inputs:
        known = sent.known(path)
        expected = known.digest if known is not None else None
        if (folder / path).is_file():
            _require(folder / path, expected)
        elif expected is None or seed is None or not _copied(seed / path, folder, path, expected):
            missing[path] = expected
    if missing:
        files = [file for file in client.files(note.workflow.id) if file.path in missing]
        fetching.fetch(
            client, note.workflow.id, files, folder, note.fetched, threads=threads, told=told
        )  # what the run deleted isn't there any more, and the record says so
        for file in files:
            _require(folder / file.path, missing[file.path])
    for copy in sorted(note.definition.rglob("*")):
        path = copy.relative_to(note.definition).as_posix()
        if copy.is_file() and paths.is_safe(path) and not (folder / path).exists():
            _copied(copy, folder, path, digest.of_file(copy))


def _copied(source: Path, folder: Path, path: str, expected: Digest) -> bool:
    """Copy a file if it has a digest; tell whether it has."""
    target = folder / path
    if not source.is_file() or not target.parent.resolve().is_relative_to(folder.resolve()):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".relance-", dir=target.parent) as scratch:
        copy = Path(scratch) / "file"
        shutil.copyfile(source, copy)
        if digest.of_file(copy) != expected:
            return False
        copy.replace(target)
    return True


def _require(path: Path, expected: Digest | None) -> None:
    if expected is not None and digest.of_file(path) != expected:
        raise InputError(
            f"{path} is not what the run was given",
            expected=expected,
            found="another file",
            next_step="fetch into an empty folder with '--output'; if this stays, the run changed its input",
        )
