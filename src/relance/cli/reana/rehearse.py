"""`relance reana rehearse`: an analysis run here the way a server would run it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from relance.cli import loading, places, signals
from relance.cli.reana import concluding, options, sending, supply, telling
from relance.errors import ExitCode, InputError
from relance.model import RuntimeKind

_CONTAINED = [kind.value for kind in RuntimeKind if kind is not RuntimeKind.PLAIN]


@click.command()
@click.argument("analysis", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--set", "assignments", metavar="NAME=VALUE", multiple=True,
              help="Another value of a parameter: signal.mass='2.5 TeV'.")  # fmt: skip
@click.option("--runtime", type=click.Choice(_CONTAINED), help="What jobs run in; the first that works.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), show_default="all cores", help="Most jobs at once.")
@click.option("-k", "--keep-going", is_flag=True, help="Go on with jobs that don't need a failed one.")
@click.option("--keep", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Keep workspace and logs in this new folder.")  # fmt: skip
@places.STORE
@options.QUIET
def rehearse(  # noqa: PLR0917 - click passes each by name
    analysis: Path,
    assignments: tuple[str, ...],
    runtime: str | None,
    jobs: int | None,
    keep_going: bool,
    keep: Path | None,
    chosen_store: Path | None,
    quiet: bool,
) -> ExitCode:
    """Run the Snakemake analysis of DIR (default: here) on this machine as REANA would.

    The workspace holds what reana.yaml sends and nothing else. Each job is 'cd WORKSPACE && COMMAND' under
    bash, in its image, as user 1000 of group 0: with no folders made beforehand, and without Snakemake's
    'set -euo pipefail'. So what would break there breaks here. Jobs have no network.

    \b
    relance reana rehearse
    relance reana rehearse --keep-going --keep rehearsal
    """
    from relance.cli.reana import source
    from relance.engines import local, rehearsal
    from relance.engines.reana import declared, parameters
    from relance.engines.reana.declared import Language

    environment = dict(os.environ)
    say = telling.say(quiet=quiet)
    if not (analysis / declared.NAME).is_file():
        raise InputError(
            f"{analysis} can't be rehearsed",
            expected=f"a folder with {declared.NAME}",
            found="none",
            next_step="write one (docs/reana.md shows how)",
        )
    with (
        signals.raising(),
        source.opened(str(analysis), environment, chosen_store) as given,
        tempfile.TemporaryDirectory(prefix="relance-") as scratch,
        _folder(keep) as folder,
    ):
        asked = sending.Asked(None, assignments, (), None, look=False)
        request = sending.prepare(given, asked, environment, Path(scratch)).request
        found = request.declared
        if found.language is not Language.SNAKEMAKE or found.file is None:
            raise InputError(
                f"a workflow in {found.language}",
                expected="snakemake",
                found=found.language,
                next_step="submit it, or compile it: relance convert",
            )
        engine = local.prepare(
            found.folder,
            RuntimeKind(runtime) if runtime else None,
            outer=environment,
            cache=places.cache(environment),
            load=partial(loading.load, places.store(environment, chosen_store)),
            say=say,
        )
        say(f"jobs run in {engine.runtime.kind} {engine.runtime.version} as user {rehearsal.USER}")
        with signals.noting(lambda: say("stopping")) as noted:
            done = rehearsal.run(
                rehearsal.workspace(found, folder),
                found.file,
                parameters.configuration(found, request.parameters),
                engine.runtime,
                engine.images,
                jobs=jobs or len(os.sched_getaffinity(0)),
                environment=environment,
                keep_going=keep_going,
                stop=lambda: noted.first,
            )
        if done.stopped:
            return noted.exit_code
        built = {name for image in engine.images for name in image.written}
        concluding.conclude(done, keep, supply.look(environment), built)
    if not quiet:
        click.echo("it would run on REANA" + (f"; its workspace is {done.workspace}" if keep else ""))
    return ExitCode.OK


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="relance-rehearsal-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
