"""A run of a server recorded like one of this machine, in the folder that its files were fetched into."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from relance.cli import places
from relance.cli.progress import counting
from relance.cli.reana import telling
from relance.errors import RelanceError
from relance.model import UNKNOWN

if TYPE_CHECKING:
    from relance.capsule.model import Capsule
    from relance.cli.reana.fetch import Wanted
    from relance.engines.reana.client import Client
    from relance.engines.reana.model import State
    from relance.engines.reana.notes import Note, Origin
    from relance.model import RunRecord
    from relance.recording.remote import Told


_LARGEST_NOTE = 256 << 20
"""Bytes of what yadage notes; thousands of jobs are less."""


def record(
    client: Client,
    state: State,
    note: Note | None,
    wanted: Wanted,
    environment: Mapping[str, str],
    *,
    quiet: bool,
) -> Path | None:
    """Put beside a run's files what it was given, and record it; return the record's path.

    None if the run isn't over, wasn't submitted from here, or its record can't be made: why is told.
    """
    from relance.recording import remote

    say = telling.say(quiet=quiet)
    if note is None or not state.status.over:
        why = f"it is {state.status}" if note is not None else "it wasn't submitted from here"
        say(f"{state.workflow.name} isn't recorded: {why}")
        return None
    folder = wanted.folder.absolute()
    told = remote.Told(client.server, state, client.logs(state.workflow.id), client.snakemake() or UNKNOWN)
    try:
        made = _made(client, note, told, wanted, environment, quiet=quiet)
    except (RelanceError, OSError) as error:
        say(f"warning: the run was not recorded: {error}")
        return None
    return remote.write(made, folder, told)


def _made(
    client: Client,
    note: Note,
    told: Told,
    wanted: Wanted,
    environment: Mapping[str, str],
    *,
    quiet: bool,
) -> RunRecord:
    from relance.engines.reana import collecting, declared, parameters
    from relance.engines.reana.declared import Language
    from relance.recording import build, remote
    from relance.rerun import remote as of_capsule

    say = telling.say(quiet=quiet)
    folder = wanted.folder.absolute()
    with (
        _opened(note.origin, environment) as (seed, capsule),
        counting("fetching inputs", quiet=quiet) as show,
    ):
        collecting.given(client, note, folder, seed, threads=wanted.threads, told=telling.shown(show))
    cache = remote.folder(folder, told).path.parent / "digests.json"
    if capsule is not None:
        return remote.completed(of_capsule.expected(capsule, folder, note.parameters, cache), told)
    found = declared.read(folder)
    if found.language is not Language.SNAKEMAKE or found.file is None:
        told = replace(told, snakemake=UNKNOWN)  # it is there, but another engine ran this
        files = (*found.inputs, *(path for path in found.outputs if (folder / path).exists()))
        if found.language is Language.YADAGE and (noted := _of_yadage(client, told, folder, cache, files)):
            return remote.completed(*noted)
        return remote.completed(remote.none(folder, files, cache), told)
    with counting("recording", quiet=quiet) as progress:
        return remote.of_snakefile(
            folder,
            found.file,
            parameters.configuration(found, note.parameters),
            told,
            stage=lambda place: collecting.stage(note, folder, place),
            environment=environment,
            effects=build.Effects(cache, say, progress),
        )


def _of_yadage(
    client: Client, told: Told, folder: Path, cache: Path, files: tuple[str, ...]
) -> tuple[RunRecord, Told] | None:
    """Return a run's jobs with their files, as far as yadage noted them in the workspace."""
    from relance.engines.reana import fetching
    from relance.engines.reana.journal import Journal
    from relance.recording import remote_yadage

    listed = client.files(told.state.workflow.id)
    noted = [file for file in listed if file.path == remote_yadage.SNAPSHOT and file.size <= _LARGEST_NOTE]
    if not noted:
        return None
    with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
        place = Path(scratch)
        fetching.fetch(client, told.state.workflow.id, noted, place, Journal(place / "fetched.jsonl"))
        try:
            snapshot = json.loads((place / remote_yadage.SNAPSHOT).read_bytes())
        except (ValueError, RecursionError):
            return None
    paths = {file.path for file in listed}
    return remote_yadage.known(folder, snapshot, paths, told, cache=cache, others=files)


@contextmanager
def _opened(origin: Origin, environment: Mapping[str, str]) -> Iterator[tuple[Path | None, Capsule | None]]:
    """Give the folder that was submitted, or the capsule with its files, if they are still there."""
    if origin.capsule is None:
        yield origin.folder, None
        return
    from relance.cli import capsules
    from relance.cli.reana import source

    store = places.store(environment, origin.store)
    kept, described, capsule = capsules.opened(origin.capsule, environment, store)
    with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
        place = Path(scratch) / "analysis"
        source.check_out(kept, described, capsule, place)
        yield place, capsule
