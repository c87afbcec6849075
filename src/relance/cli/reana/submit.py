"""`relance reana submit`: an analysis or a capsule sent to a server and started."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relance.cli import places, registries, signals
from relance.cli.inspect import size
from relance.cli.progress import counting
from relance.cli.reana import asking, connecting, fetch, plan, telling, waiting
from relance.cli.reana import options as shared
from relance.errors import ExitCode

if TYPE_CHECKING:
    from relance.model import Digest


@click.command(epilog=shared.SERVER_HELP)
@click.argument("analysis", metavar="DIR|CAPSULE", default=".")
@click.option(
    "--name", metavar="NAME", help="What the run is called; the folder's or capsule's name if left out."
)
@click.option("--set", "assignments", metavar="NAME=VALUE", multiple=True,
              help="Another value of a parameter: signal.mass='2.5 TeV'.")  # fmt: skip
@click.option("--option", "options", metavar="NAME=VALUE", multiple=True,
              help="An operational option of REANA, such as CACHE=off.")  # fmt: skip
@click.option("--follow", is_flag=True, help="Show the logs until the run is over.")
@click.option("--wait", is_flag=True, help="Wait until the run is over.")
@click.option("--fetch", "output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Wait, then fetch the outputs into DIR.")  # fmt: skip
@click.option("--again", is_flag=True, help="Make another run though one of the same request is on its way.")
@click.option("--skip-images", is_flag=True, help="Don't look whether the registries have the images.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be sent; ask no REANA server.")
@shared.INTERVAL
@shared.THREADS
@registries.CA_FILE
@places.STORE
@shared.JSON
@shared.QUIET
def submit(  # noqa: PLR0917 - click passes each by name
    analysis: str,
    name: str | None,
    assignments: tuple[str, ...],
    options: tuple[str, ...],
    follow: bool,
    wait: bool,
    output: Path | None,
    again: bool,
    skip_images: bool,
    dry_run: bool,
    interval: float,
    threads: int,
    ca_file: Path | None,
    chosen_store: Path | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Run the analysis of DIR (default: here), or of CAPSULE, on a REANA server.

    Parameters are checked against the analysis's specification or reana.yaml, and images looked up in their
    registries, before anything is sent. The same command typed again goes on with an interrupted upload, and
    with a run that is on its way.

    \b
    relance reana submit --set signal.mass='2.5 TeV' --follow
    relance reana submit dilepton:1.0 --fetch results
    """
    from relance.cli.reana import source
    from relance.engines.reana import images, parameters, submitting

    environment = dict(os.environ)
    with signals.raising(), source.opened(analysis, environment, chosen_store) as given:
        typed = parameters.typed(given.declared, asking.pairs(assignments, "--set"), given.interface)
        typed = parameters.merged(given.configuration, typed)
        jobs = given.jobs(typed)
        steps = images.named(given.declared, jobs)
        found = images.check(steps, None if skip_images else _look(environment))
        request = submitting.Request(
            given.declared,
            asking.run_name(name or given.name),
            typed,
            asking.pairs(options, "--option"),
            jobs,
            given.origin,
            given.products,
        )
        if dry_run:
            plan.tell(request, found, as_json=as_json)
            return ExitCode.OK
        with connecting.connected(environment, ca_file) as client:
            with counting("uploading", quiet=quiet) as show:
                done = submitting.submit(
                    client,
                    request,
                    connecting.notes(environment),
                    again=again,
                    threads=threads,
                    told=telling.shown(show),
                    say=telling.say(quiet=quiet),
                )
            say = telling.say(quiet=quiet)
            for warning in done.warnings:
                say(f"the server warns: {warning}")
            sent = [file for file in done.files if file.moved]
            told: dict[str, Any] = {
                "server": client.server.address,
                "id": done.workflow.id,
                "name": done.workflow.name,
                "sent": len(sent),
                "picked_up": done.picked_up,
            }
            say(f"{len(sent)} files sent, {size(sum(file.size for file in sent))}")
            if not as_json:
                click.echo(done.workflow.name)
            code = ExitCode.OK
            if follow or wait or output is not None:
                state = waiting.watched(
                    client, done.workflow.id, interval, logs=follow, quiet=quiet or as_json
                )
                told["status"] = state.status
                code = ExitCode.OK if state.status == "finished" else ExitCode.FAILED
                if code is ExitCode.OK and output is not None:
                    wanted = fetch.Wanted(output, threads=threads)
                    fetched = fetch.fetched(client, state, wanted, environment, quiet=quiet)
                    told["files"] = [telling.row(file) for file in fetched.files]
                    told["record"] = None if fetched.record is None else str(fetched.record)
                    say(f"{len(fetched.files)} files in {output}")
            if as_json:
                click.echo(json.dumps(told, indent=2))
            if code is not ExitCode.OK:
                raise waiting.failed(client, state)
    return code


def _look(environment: Mapping[str, str]) -> Callable[[Any], Digest]:
    """Return what looks an image up in its registry."""
    from relance.store.registry import pulling
    from relance.store.registry.reference import Reference
    from relance.store.registry.session import Session

    def look(reference: Reference) -> Digest:
        with Session(reference, registries.access(environment, reference.host, None)) as session:
            return pulling.resolve(session, reference)[0].digest

    return look
