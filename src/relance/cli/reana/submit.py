"""`relance reana submit`: an analysis or a capsule sent to a server and started."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relance.cli import places, registries, signals
from relance.cli.inspect import size
from relance.cli.progress import counting
from relance.cli.reana import connecting, fetch, plan, sending, supply, telling, waiting
from relance.cli.reana import options as shared
from relance.errors import ExitCode, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relance.cli.reana.sending import Sending
    from relance.engines.reana.client import Client
    from relance.engines.reana.submitting import Submitted
    from relance.store.registry.reference import Reference


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
              help="Wait, then fetch the outputs into DIR, and record the run.")  # fmt: skip
@click.option("--again", is_flag=True, help="Make another run though one of the same request is on its way.")
@click.option("--image-registry", "image_registry", metavar="HOST/REPOSITORY",
              help="Push images that their registry lacks below this one, and name them so.")  # fmt: skip
@click.option("--allow-secret", "allowed_secrets", metavar="DIGEST", multiple=True,
              help="Send a file of this sha256 although it looks as if it held a secret.")  # fmt: skip
@click.option("--skip-images", is_flag=True, help="Don't look whether the registries have the images.")
@click.option(
    "-n", "--dry-run", is_flag=True, help="Say what would be sent; push nothing, ask no REANA server."
)
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
    image_registry: str | None,
    allowed_secrets: tuple[str, ...],
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

    Parameters are checked against the analysis's specification or reana.yaml, files searched for secrets, and
    images looked up in their registries, before anything is sent; a capsule runs with the configuration that
    was captured. The same command typed again goes on with an interrupted upload, and with a run that is on
    its way.

    \b
    relance reana submit --set signal.mass='2.5 TeV' --follow
    relance reana submit dilepton:1.0 --image-registry registry.example.org/group --fetch results
    """
    from relance.cli.reana import source

    environment = dict(os.environ)
    target = registry(image_registry)
    asked = sending.Asked(
        name, assignments, options, target, not skip_images, allowed_secrets=allowed_secrets
    )
    with (
        signals.raising(),
        source.opened(analysis, environment, chosen_store) as given,
        tempfile.TemporaryDirectory(prefix="relance-") as scratch,
    ):
        made = sending.prepare(given, asked, environment, Path(scratch))
        if dry_run:
            plan.tell(made, as_json=as_json)
            return ExitCode.OK
        with connecting.connected(environment, ca_file) as client:
            if target is not None and given.layout is not None:
                click.echo(made.difference, nl=False, err=True)
                supply.push(made.choices, given.layout, target, environment, quiet=quiet)
            done = sent(client, made, environment, again=again, threads=threads, quiet=quiet)
            told: dict[str, Any] = {
                "server": client.server.address,
                "id": done.workflow.id,
                "name": done.workflow.name,
                "sent": sum(file.moved for file in done.files),
                "picked_up": done.picked_up,
            }
            if not as_json:
                click.echo(done.workflow.name)
            code = ExitCode.OK
            if follow or wait or output is not None:
                silent = quiet or as_json
                state = waiting.watched(client, done.workflow.id, interval, logs=follow, quiet=silent)
                told["status"] = state.status
                code = ExitCode.OK if state.status == "finished" else ExitCode.FAILED
                if code is ExitCode.OK and output is not None:
                    wanted = fetch.Wanted(output, threads=threads)
                    fetched = fetch.fetched(client, state, wanted, environment, quiet=quiet)
                    told["files"] = [telling.row(file) for file in fetched.files]
                    told["record"] = None if fetched.record is None else str(fetched.record)
                    telling.say(quiet=quiet)(f"{len(fetched.files)} files in {output}")
            if as_json:
                click.echo(json.dumps(told, indent=2))
            if code is not ExitCode.OK:
                raise waiting.failed(client, state)
    return code


def sent(
    client: Client,
    made: Sending,
    environment: Mapping[str, str],
    *,
    again: bool,
    threads: int,
    quiet: bool,
) -> Submitted:
    """Send a request and start it, or go on with a run of the same.

    Raises:
        InputError: the server won't, or an input can't be read.
        UnreachableError: the server is gone; the same call goes on.
    """
    from relance.engines.reana import submitting

    say = telling.say(quiet=quiet)
    for folder in made.request.declared.empty:
        say(f"warning: {telling.lacking(folder)}")
    with counting("uploading", quiet=quiet) as show:
        done = submitting.submit(
            client,
            made.request,
            connecting.notes(environment),
            again=again,
            threads=threads,
            told=telling.shown(show),
            say=say,
        )
    for warning in done.warnings:
        say(f"the server warns: {warning}")
    moved = [file for file in done.files if file.moved]
    say(f"{len(moved)} files sent, {size(sum(file.size for file in moved))}")
    return done


def registry(text: str | None) -> Reference | None:
    """Return where images are pushed to.

    Raises:
        InputError: it isn't a registry and a repository, without tag and digest.
    """
    from relance.store.registry.reference import Reference

    if text is None:
        return None
    found = Reference.parse(text.rstrip("/"))
    if found.digest is not None or ":" in text.rpartition("/")[2]:
        raise InputError(
            f"--image-registry {text}",
            expected="HOST/REPOSITORY, below which images get names of their own",
            found="a tag or a digest",
            next_step="leave it out",
        )
    return found
