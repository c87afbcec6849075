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

_LARGE = 1 << 22  # bytes; a workflow's own files are smaller


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
        InputError: another file has the place of one, or the run changed what it was given; or nobody knows
            any more what one was.
        UnreachableError: the server breaks off for good.
    """
    sent = note.uploaded
    missing: dict[str, Digest] = {}
    for path in note.inputs:
        known = sent.known(path)
        if known is None:
            raise _forgotten(path)
        if (folder / path).is_file():
            _require(folder / path, known.digest)
        elif seed is None or not _copied(seed / path, folder, path, known.digest):
            missing[path] = known.digest
    if missing:
        files = [file for file in client.files(note.workflow.id) if file.path in missing]
        fetching.fetch(
            client, note.workflow.id, files, folder, note.fetched, threads=threads, told=told
        )  # what the run deleted isn't there any more, and the record says so
        for file in files:
            _require(folder / file.path, missing[file.path])
    for path in _defined(note):
        expected = digest.of_file(note.definition / path)
        if (folder / path).exists():
            _require(folder / path, expected)
        else:
            _copied(note.definition / path, folder, path, expected)


def stage(note: Note, folder: Path, place: Path) -> None:
    """Put what a run was given, and nothing else of a folder that `given` filled, into an empty one.

    What a server sends back never is where a Snakefile is read: it could be a module that this imports.
    Large files are links.
    """
    for path in (*note.inputs, *_defined(note)):
        source, target = folder / path, place / path
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.stat().st_size > _LARGE:
            target.symlink_to(source)
        else:
            shutil.copyfile(source, target)


def _defined(note: Note) -> list[str]:
    """Return the files of the workflow that were not put into the workspace."""
    found = (path for path in note.definition.rglob("*") if path.is_file())
    names = (path.relative_to(note.definition).as_posix() for path in found)
    return sorted(name for name in names if paths.is_safe(name))


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


def _forgotten(path: str) -> InputError:
    return InputError(
        f"what {path} was when it was sent",
        expected="its digest among what is remembered of the run",
        found="nothing",
        next_step="fetch with '--no-record'",
    )


def _require(path: Path, expected: Digest) -> None:
    if not path.is_file() or digest.of_file(path) != expected:
        raise InputError(
            f"{path} is not what the run was given",
            expected=expected,
            found="another file",
            next_step="fetch into an empty folder with '--output'; if this stays, the run changed its input",
        )
