"""`relance reana status`, `list`, `logs` and `files`: what a server tells of runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from relance.cli import registries, signals
from relance.cli.reana import connecting, options, telling, waiting
from relance.errors import ExitCode, InputError


@click.command("status", epilog=options.RUN_HELP)
@options.RUN
@registries.CA_FILE
@options.JSON
def tell_status(run: str | None, ca_file: Path | None, as_json: bool) -> ExitCode:
    """Say how far RUN is."""
    with connecting.connected(dict(os.environ), ca_file) as client:
        state = client.state(connecting.meant(client, run, os.environ))
        if as_json:
            click.echo(json.dumps(telling.state_row(state), indent=2))
        else:
            click.echo(telling.line(state))
    return ExitCode.OK


@click.command("list")
@registries.CA_FILE
@options.JSON
def list_runs(ca_file: Path | None, as_json: bool) -> ExitCode:
    """List your runs, the latest first."""
    with connecting.connected(dict(os.environ), ca_file) as client:
        states = client.workflows()
    if as_json:
        click.echo(json.dumps([telling.state_row(state) for state in states], indent=2))
    for state in () if as_json else states:
        click.echo(telling.line(state))
    return ExitCode.OK


@click.command(epilog=options.RUN_HELP)
@options.RUN
@click.option(
    "--step", "steps", metavar="NAME", multiple=True, help="Only this step; can be given several times."
)
@click.option("--follow", is_flag=True, help="Go on until the run is over.")
@options.INTERVAL
@registries.CA_FILE
@options.JSON
def logs(  # noqa: PLR0917 - click passes each by name
    run: str | None,
    steps: tuple[str, ...],
    follow: bool,
    interval: float,
    ca_file: Path | None,
    as_json: bool,
) -> ExitCode:
    """Show what the engine and the steps of RUN said."""
    if follow and as_json:
        raise InputError(
            "'--json' beside '--follow'",
            expected="one of both",
            found="both",
            next_step="leave out '--follow': what there is so far is printed",
        )
    with signals.raising(), connecting.connected(dict(os.environ), ca_file) as client:
        workflow = connecting.meant(client, run, os.environ)
        if follow:
            state = waiting.watched(client, workflow, interval, logs=True, quiet=False, steps=steps)
            if state.status != "finished":
                raise waiting.failed(client, state)
            return ExitCode.OK
        found = client.logs(workflow)
        names = {job.name for job in found.jobs}
        if unknown := [step for step in steps if step not in names]:
            raise InputError(
                f"no logs of {', '.join(unknown)}",
                expected=f"steps that began: {', '.join(sorted(names)) or 'there are none yet'}",
                found="none of that name",
                next_step="correct it, or leave out '--step'",
            )
        jobs = [job for job in found.jobs if not steps or job.name in steps]
        if as_json:
            rows = [
                {
                    "name": job.name,
                    "status": job.status,
                    "image": job.image,
                    "command": job.command,
                    "log": job.text,
                }
                for job in jobs
            ]
            click.echo(json.dumps({"engine": found.engine, "jobs": rows}, indent=2))
            return ExitCode.OK
        if found.engine and not steps:
            click.echo(found.engine.rstrip("\n"))
        for job in jobs:
            click.echo(f"\n{job.name}: {job.status}")
            click.echo(job.text.rstrip("\n") or "(no log)")
    return ExitCode.OK


@click.command(epilog=options.RUN_HELP)
@options.RUN
@registries.CA_FILE
@options.JSON
def files(run: str | None, ca_file: Path | None, as_json: bool) -> ExitCode:
    """List the files in the workspace of RUN."""
    with connecting.connected(dict(os.environ), ca_file) as client:
        found = client.files(connecting.meant(client, run, os.environ))
    if as_json:
        click.echo(json.dumps([telling.file_row(file) for file in found], indent=2))
    for file in () if as_json else found:
        click.echo(telling.file_line(file))
    return ExitCode.OK
