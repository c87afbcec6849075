"""`relance reana fetch`: what a run made, in a folder of this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relance.cli import registries, signals
from relance.cli.progress import counting
from relance.cli.reana import connecting, options, telling
from relance.errors import ExitCode, InputError

if TYPE_CHECKING:
    from relance.engines.reana.client import Client
    from relance.engines.reana.model import State, Transferred


@click.command(epilog=options.RUN_HELP)
@options.RUN
@click.argument("paths", metavar="[PATH]…", nargs=-1)
@click.option("-o", "--output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Folder that they come into; the run's name, here, if left out.")  # fmt: skip
@options.THREADS
@registries.CA_FILE
@options.JSON
@options.QUIET
def fetch(  # noqa: PLR0917 - click passes each by name
    run: str | None,
    paths: tuple[str, ...],
    output: Path | None,
    threads: int,
    ca_file: Path | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Fetch files or folders of the workspace of RUN; its outputs if none are named.

    Each file is verified against the server's listing, and gets its name when it is whole. What was fetched
    before and has not changed isn't fetched again.
    """
    with signals.raising(), connecting.connected(dict(os.environ), ca_file) as client:
        state = client.state(connecting.meant(client, run, os.environ))
        folder = output or Path(state.workflow.name.replace("/", "-"))
        done = fetched(client, state, paths, folder, threads, quiet=quiet)
    if as_json:
        click.echo(json.dumps([telling.row(file) for file in done], indent=2))
    elif not quiet:
        moved = [file for file in done if file.moved]
        click.echo(f"{len(moved)} files fetched, {len(done) - len(moved)} were there already; in {folder}")
    return ExitCode.OK


def fetched(
    client: Client, state: State, wanted: tuple[str, ...], folder: Path, threads: int, *, quiet: bool
) -> tuple[Transferred, ...]:
    """Fetch files and folders of a run; its outputs if none are named.

    Raises:
        InputError: the workspace has none of a name, or a file would lie where it may not.
        UnreachableError: the server breaks off for good.
    """
    from relance.engines.reana import fetching
    from relance.engines.reana.journal import Journal

    paths = wanted or _outputs(client.specification(state.workflow.id), state)
    chosen = fetching.choose(client.files(state.workflow.id), paths)
    journal = Journal(connecting.notes(os.environ) / state.workflow.id / "fetched.jsonl")
    folder.mkdir(parents=True, exist_ok=True)
    with counting("fetching", quiet=quiet) as show:
        return fetching.fetch(
            client, state.workflow.id, chosen, folder, journal, threads=threads, told=telling.shown(show)
        )


def _outputs(specification: Mapping[str, Any], state: State) -> tuple[str, ...]:
    declared = specification.get("outputs")
    declared = declared if isinstance(declared, dict) else {}
    listed = [path for kind in ("files", "directories") for path in declared.get(kind) or ()]
    paths = tuple(path for path in listed if isinstance(path, str))
    if not paths:
        raise InputError(
            f"run {state.workflow.name} declares no outputs",
            expected="'outputs:' in its reana.yaml, or paths",
            found="neither",
            next_step="name what to fetch; 'relance reana files' lists it",
        )
    return paths
