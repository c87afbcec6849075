"""`relance reana fetch`: what a run made, in a folder of this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relance.cli import registries, signals
from relance.cli.progress import counting
from relance.cli.reana import connecting, options, recorded, telling
from relance.errors import ExitCode, InputError

if TYPE_CHECKING:
    from relance.engines.reana.client import Client
    from relance.engines.reana.model import RemoteFile, State, Transferred
    from relance.engines.reana.notes import Note


_MOST_NAMED = 5


@dataclass(frozen=True)
class LeftOut:
    """Why files of a workspace aren't fetched."""

    found: str
    """What one of them is."""
    being: str
    """What several are."""
    next_step: str


_LINKS = LeftOut(
    "a symbolic link, which REANA lists and doesn't give",
    "being symbolic links, which REANA doesn't give",
    "fetch what it leads to; or let the workflow write a copy",
)
_PATTERNS = LeftOut(
    "a name that REANA takes for a pattern of several",
    "having names that REANA takes for patterns",
    "let the workflow give it another name",
)
_KEPT = LeftOut(
    "a name below .git, .snakemake or .relance, which programs of this machine would trust",
    "lying below .git, .snakemake or .relance, which programs of this machine would trust",
    "let the workflow write it elsewhere",
)


@dataclass(frozen=True)
class Wanted:
    """What is to be fetched."""

    folder: Path
    paths: tuple[str, ...] = ()
    """Files and folders by name; none: the outputs."""
    everything: bool = False
    """Whether all files of the workspace are meant."""
    record: bool = True
    """Whether the run is recorded, if its outputs or everything is fetched."""
    threads: int = 4


@dataclass(frozen=True)
class Fetched:
    """What was fetched, and the record that was made."""

    files: tuple[Transferred, ...]
    record: Path | None


@click.command(epilog=options.RUN_HELP)
@options.RUN
@click.argument("paths", metavar="[PATH]…", nargs=-1)
@click.option("-o", "--output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Folder that they come into; the run's name, here, if left out.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="All files of the workspace, not the outputs alone.")
@click.option("--record/--no-record", "recording", default=True, help="Record the run (default: yes).")
@options.THREADS
@registries.CA_FILE
@options.JSON
@options.QUIET
def fetch(  # noqa: PLR0917 - click passes each by name
    run: str | None,
    paths: tuple[str, ...],
    output: Path | None,
    everything: bool,
    recording: bool,
    threads: int,
    ca_file: Path | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Fetch files or folders of the workspace of RUN; its outputs if none are named.

    Each file is verified against the server's listing, and gets its name when it is whole. What was fetched
    before and has not changed isn't fetched again.

    With its outputs, or --all, comes what the run was given, and its record: the folder is then one that the
    analysis ran in, as 'relance runs', 'capture' and 'compare' take it.
    """
    if paths and everything:
        raise InputError(
            "paths beside '--all'",
            expected="one of both",
            found=", ".join(paths),
            next_step="leave out the paths, or '--all'",
        )
    environment = dict(os.environ)
    with signals.raising(), connecting.connected(environment, ca_file) as client:
        state = client.state(connecting.meant(client, run, environment))
        folder = output or Path(state.workflow.name.replace("/", "-"))
        wanted = Wanted(folder, paths, everything, recording, threads)
        done = fetched(client, state, wanted, environment, quiet=quiet)
    if as_json:
        click.echo(json.dumps([telling.row(file) for file in done.files], indent=2))
    elif not quiet:
        moved = [file for file in done.files if file.moved]
        there = len(done.files) - len(moved)
        click.echo(f"{len(moved)} files fetched, {there} were there already; in {folder}")
        if done.record is not None:
            click.echo(f"recorded: {done.record}")
    return ExitCode.OK


def fetched(
    client: Client, state: State, wanted: Wanted, environment: Mapping[str, str], *, quiet: bool
) -> Fetched:
    """Fetch files and folders of a run, and record it.

    Raises:
        InputError: the workspace has none of a name, or a file would lie where it may not.
        UnreachableError: the server breaks off for good.
    """
    from relance.engines.reana import fetching, notes, paths
    from relance.engines.reana.journal import Journal

    kept = connecting.notes(environment)
    note = notes.of_run(kept, client.server.address, state.workflow)
    listed = client.files(state.workflow.id)
    chosen = listed if wanted.everything else _chosen(client, state, wanted, listed, note)
    patterns = [file.path for file in chosen if paths.is_pattern(file.path)]
    trusted = [file.path for file in chosen if paths.is_kept(file.path) and file.path not in patterns]
    journal = Journal(kept / state.workflow.id / "fetched.jsonl")
    folder = wanted.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    links: list[str] = []
    with counting("fetching", quiet=quiet) as show:
        done = fetching.fetch(
            client,
            state.workflow.id,
            [file for file in chosen if not paths.is_pattern(file.path) and not paths.is_kept(file.path)],
            folder,
            journal,
            threads=wanted.threads,
            told=telling.shown(show),
            link=links.append,
        )
    left = {why: found for why, found in zip(_WHYS, (links, patterns, trusted), strict=True) if found}
    if left:
        meant = (
            ()
            if wanted.everything
            else wanted.paths or paths.declared(client.specification(state.workflow.id).get("outputs"))
        )
        for why, found in left.items():
            _tell(sorted(found), why, meant, quiet=quiet)
    made = None
    if wanted.record and not wanted.paths:
        made = recorded.record(client, state, note, wanted, environment, quiet=quiet)
    return Fetched(done, made)


def _chosen(
    client: Client, state: State, wanted: Wanted, listed: tuple[RemoteFile, ...], note: Note | None
) -> tuple[RemoteFile, ...]:
    """Return the files that are meant.

    A capsule's run may have been of another configuration than its reana.yaml is written for: then the
    products that the capsule has are as good as the declared outputs.
    """
    from relance.engines.reana import fetching

    try:
        if wanted.paths or note is None or not note.products:
            paths = wanted.paths or _outputs(client.specification(state.workflow.id), state)
            return fetching.choose(listed, paths)
        products = set(note.products)
        there = [file for file in listed if file.path in products]
        return tuple(there) or fetching.choose(listed, note.products)
    except InputError as error:
        if not state.status.over:
            name = state.workflow.name
            error.found = f"{error.found}; the run is {state.status}"
            error.next_step = f"wait for it: relance reana logs --follow {name}"
        elif state.status == "deleted":
            error.found = f"{error.found}; the run is deleted"
            error.next_step = "see 'relance reana list' for those that are there"
        raise


_WHYS = (_LINKS, _PATTERNS, _KEPT)


def _tell(left: list[str], why: LeftOut, meant: tuple[str, ...], *, quiet: bool) -> None:
    """Say which files are left out.

    Raises:
        InputError: one of them is meant by its name.
    """
    named = ", ".join(left[:_MOST_NAMED]) + (" and others" if len(left) > _MOST_NAMED else "")
    missed = [path for path in left if path in meant]
    if missed:
        raise InputError(
            f"{', '.join(missed)} can't be fetched",
            expected="a file",
            found=why.found,
            next_step=why.next_step,
        )
    telling.say(quiet=quiet)(f"warning: left out, {why.being}: {named}")


def _outputs(specification: Mapping[str, Any], state: State) -> tuple[str, ...]:
    from relance.engines.reana import paths

    found = paths.declared(specification.get("outputs"))
    if not found:
        raise InputError(
            f"run {state.workflow.name} declares no outputs",
            expected="'outputs:' in its reana.yaml, or paths",
            found="neither",
            next_step="name what to fetch; 'relance reana files' lists it",
        )
    return found
