"""`relance reana delete` and `prune`: what is gone from a server then, and what would be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relance.cli import registries
from relance.cli.inspect import size
from relance.cli.reana import connecting, options, telling
from relance.errors import ExitCode

if TYPE_CHECKING:
    from relance.engines.reana.client import Client
    from relance.engines.reana.model import RemoteFile, State

DRY_RUN = click.option("-n", "--dry-run", is_flag=True, help="Say what would be deleted; delete nothing.")


@click.command(epilog=options.RUN_HELP)
@options.NAMED
@click.option("--all-runs", is_flag=True, help="All runs of this name.")
@DRY_RUN
@registries.CA_FILE
@options.JSON
def delete(run: str, all_runs: bool, dry_run: bool, ca_file: Path | None, as_json: bool) -> ExitCode:
    """Delete RUN and its workspace from the server."""
    with connecting.connected(dict(os.environ), ca_file) as client:
        named = client.state(run)
        states = _of_name(client, named) if all_runs else (named,)
        told = as_json or dry_run
        held = [client.files(state.workflow.id) if told else () for state in states]
        if not dry_run:
            client.delete(run, all_runs=all_runs)
    if as_json:
        rows = [
            {**telling.state_row(state), "files": len(files), "size": telling.bytes_of(files)}
            for state, files in zip(states, held, strict=True)
        ]
        click.echo(json.dumps({"dry_run": dry_run, "runs": rows}, indent=2))
    elif dry_run:
        for state, files in zip(states, held, strict=True):
            first = "" if state.status.over or state.status == "created" else "; stop it first"
            many = f"{len(files)} files, {size(telling.bytes_of(files))}"
            click.echo(f"would delete {state.workflow.name}: {state.status}, {many}{first}")
    else:
        name = named.workflow.name
        click.echo(f"deleted {_family(named) + ', all runs' if all_runs else name}")
    return ExitCode.OK


def _of_name(client: Client, named: State) -> tuple[State, ...]:
    """Return the runs of the same name that are still there, as the server lists them."""
    family = _family(named)
    return tuple(
        state for state in client.workflows() if _family(state) == family and state.status != "deleted"
    )


def _family(state: State) -> str:
    return state.workflow.name.partition(".")[0]


@click.command(epilog=options.RUN_HELP)
@options.NAMED
@click.option("--inputs", is_flag=True, help="Delete inputs, too.")
@click.option("--outputs", is_flag=True, help="Delete outputs, too.")
@DRY_RUN
@registries.CA_FILE
@options.JSON
def prune(  # noqa: PLR0917 - click passes each by name
    run: str, inputs: bool, outputs: bool, dry_run: bool, ca_file: Path | None, as_json: bool
) -> ExitCode:
    """Delete from the workspace of RUN what is neither input nor output.

    Inputs and outputs are those that its reana.yaml lists.
    """
    from relance.engines.reana import pruning

    with connecting.connected(dict(os.environ), ca_file) as client:
        before = client.files(run)
        if dry_run:
            gone = pruning.dispensable(before, client.specification(run), inputs=inputs, outputs=outputs)
        else:
            client.prune(run, inputs=inputs, outputs=outputs)
            left = {file.path for file in client.files(run)}
            gone = tuple(file for file in before if file.path not in left)
    _tell_pruned(gone, dry_run=dry_run, as_json=as_json)
    return ExitCode.OK


def _tell_pruned(gone: tuple[RemoteFile, ...], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        rows = [telling.file_row(file) for file in gone]
        click.echo(json.dumps({"dry_run": dry_run, "files": rows}, indent=2))
        return
    if dry_run:
        for file in gone:
            click.echo(telling.file_line(file))
    deleted = "would be deleted" if dry_run else "deleted"
    click.echo(f"{len(gone)} files {deleted}, {size(telling.bytes_of(gone))}")
