"""`relance reana restart`, `stop` and `diff`: runs that are there already."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relance.cli import registries
from relance.cli.reana import asking, connecting, options, telling
from relance.errors import ExitCode

if TYPE_CHECKING:
    from relance.engines.reana.client import Client


@click.command(epilog=options.RUN_HELP)
@options.NAMED
@click.option("--set", "assignments", metavar="NAME=VALUE", multiple=True,
              help="Another value of a parameter that the run has.")  # fmt: skip
@click.option("--option", "engine_options", metavar="NAME=VALUE", multiple=True,
              help="An operational option of REANA, such as CACHE=off.")  # fmt: skip
@registries.CA_FILE
@options.JSON
def restart(
    run: str,
    assignments: tuple[str, ...],
    engine_options: tuple[str, ...],
    ca_file: Path | None,
    as_json: bool,
) -> ExitCode:
    """Start RUN again, which finished or failed, in its workspace: what is there and up to date stays.

    The run that goes on has a name of its own, which is printed; follow and fetch it by that.
    """
    from relance.engines.reana import notes, parameters

    environment = dict(os.environ)
    with connecting.connected(environment, ca_file) as client:
        state = client.state(run)
        given = asking.pairs(assignments, "--set")
        # A server takes what is given for all there is.
        wanted = parameters.again(_known(client, state.workflow.id), given) if given else {}
        made = client.start(state.workflow.id, wanted, asking.pairs(engine_options, "--option"), restart=True)
        note = notes.of_run(connecting.notes(environment), client.server.address, state.workflow)
        if note is not None:
            kept = parameters.merged(dict(note.parameters), wanted)
            notes.copied(replace(note, parameters=kept), made)
        row = {"server": client.server.address, "id": made.id, "name": made.name}
    click.echo(json.dumps(row, indent=2) if as_json else made.name)
    return ExitCode.OK


def _known(client: Client, workflow: str) -> Mapping[str, object]:
    """Return the parameters of a run: those of its reana.yaml, and over them what it was started with."""
    from relance.engines.reana import parameters

    inputs = client.specification(workflow).get("inputs")
    declared = inputs.get("parameters") if isinstance(inputs, dict) else None
    known = declared if isinstance(declared, dict) else {}
    return dict(parameters.merged(known, dict(client.parameters(workflow))))


@click.command(epilog=options.RUN_HELP)
@options.NAMED
@registries.CA_FILE
@options.JSON
def stop(run: str, ca_file: Path | None, as_json: bool) -> ExitCode:
    """Stop RUN."""
    with connecting.connected(dict(os.environ), ca_file) as client:
        client.stop(run)
        state = client.state(run)
    click.echo(json.dumps(telling.state_row(state), indent=2) if as_json else telling.line(state))
    return ExitCode.OK


@click.command("diff", epilog=options.RUN_HELP)
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="RUN")
@click.option("--brief", is_flag=True, help="Only which files differ.")
@registries.CA_FILE
@options.JSON
def tell_difference(one: str, other: str, brief: bool, ca_file: Path | None, as_json: bool) -> ExitCode:
    """Show how two runs differ: specification and workspace."""
    with connecting.connected(dict(os.environ), ca_file) as client:
        found = {
            subject: text for subject, text in client.difference(one, other, brief=brief).items() if text
        }
    if as_json:
        click.echo(json.dumps(found, indent=2))
    for subject, text in () if as_json else found.items():
        click.echo(f"{subject}:\n{text}")
    return ExitCode.OK
