"""`relance run`: execute an analysis on this machine, or from it on a cluster."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from relance.cli import batch, display, ended, loading, places, reuse, signals, values
from relance.cli.progress import counting
from relance.cli.reuse import Reuse
from relance.engines import local, snakemake
from relance.engines import shown as outside
from relance.engines.base import Watch
from relance.engines.local import LocalEngine, Start
from relance.engines.slurm import RUNTIMES
from relance.engines.snakemake import RunFolder
from relance.engines.substitutes import Substitute
from relance.errors import ExitCode, RelanceError
from relance.model import RunRecord, RunRequest, RunResult, RunStatus, Runtime, RuntimeKind, Slurm
from relance.recording import build, files, sources
from relance.recording.build import Effects
from relance.steps.settle import Settled
from relance.store.store import Store


class _PassingOn(click.Command):
    """A command that keeps what stands after `--` for another program."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        others = _for_yadage(args)
        if others is None:
            return super().make_context(info_name, args, parent, **extra)
        from relance.cli.run_yadage import run_yadage

        return run_yadage.make_context(f"{info_name} --engine yadage", others, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own, passed_on = args, []
        if "--" in args:
            at = args.index("--")
            own, passed_on = args[:at], args[at + 1 :]
        ctx.meta["passed_on"] = tuple(passed_on)
        return super().parse_args(ctx, own)


def _for_yadage(arguments: list[str]) -> list[str] | None:
    """Return the other arguments if yadage is asked for, which takes others than Snakemake; None if not."""
    for position, argument in enumerate(arguments):
        if argument == "--":
            return None
        if argument == "--engine=yadage":
            return arguments[:position] + arguments[position + 1 :]
        if argument == "--engine" and arguments[position + 1 : position + 2] == ["yadage"]:
            return arguments[:position] + arguments[position + 2 :]
    return None


@click.command(cls=_PassingOn, options_metavar="[OPTIONS]", epilog="What stands after -- goes to Snakemake.")
@click.argument("analysis", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--engine",
    type=click.Choice(["snakemake", "yadage"]),
    default="snakemake",
    show_default=True,
    expose_value=False,
    help="For yadage see 'relance run --engine yadage --help'.",
)
@click.option("--config", metavar="FILE|NAME", help="Configuration: a file, or one the analysis brings.")
@click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Replace a value of it.")
@click.option(
    "--runtime",
    type=click.Choice([kind.value for kind in RuntimeKind]),
    help="What steps run in; the first that works if left out.",
)
@click.option(
    "--cores", type=click.IntRange(min=1), show_default="all", help="Most processor cores to use at once."
)
@batch.options
@click.option(
    "--reuse/--no-reuse",
    "reusing",
    default=True,
    help="Restore steps whose results the store has; the default.",
)
@click.option(
    "--keep",
    type=reuse.Size(),
    default="2GB",
    show_default=True,
    metavar="SIZE",
    help="Keep results up to this size in the store: such as 500MB, all or none.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would run and why; run nothing.")
@click.option("-k", "--keep-going", is_flag=True, help="Go on with steps that don't need a failed one.")
@places.MAPPING
@places.STORE
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.pass_context
def run(  # noqa: PLR0917 - click passes each by name
    context: click.Context,
    analysis: Path,
    config: str | None,
    assignments: tuple[str, ...],
    runtime: str | None,
    cores: int | None,
    slurm: Slurm | None,
    reusing: bool,
    keep: int,
    dry_run: bool,
    keep_going: bool,
    mapping_file: Path | None,
    chosen_store: Path | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Run the analysis in DIR (default: here) and say where its results lie.

    Steps whose results are there and up to date are not run again; those that ran anywhere with the same
    code, parameters, image and inputs are restored from the store. The rules' containers run in Apptainer;
    where there is none in Podman or Docker; else their programs run as plain processes in environments with
    the same locked packages.

    \b
    relance run --config tiny                     a configuration that the analysis brings
    relance run --set signal.mass=2500            another signal
    relance run --dry-run                         what would run, and why
    relance run --on slurm                        each step a job of the cluster
    relance run -- --forcerun fit                 any option of Snakemake
    """
    analysis = analysis.resolve()
    usable = cores or len(os.sched_getaffinity(0))
    at_once = slurm.jobs if slurm else usable

    def say(text: str) -> None:
        if not quiet:
            click.echo(f"relance: {text}", err=True)

    store = places.store(os.environ, chosen_store)
    request = RunRequest(
        analysis=analysis,
        configuration=values.configuration(config, analysis, Path.cwd()) if config else None,
        settings=values.settings(assignments),
        cores=cores if slurm else usable,
        dry_run=dry_run,
        keep_going=keep_going,
        arguments=context.meta["passed_on"],
        slurm=slurm,
    )
    shown = None if dry_run else outside.shown(reuse.outside(analysis), os.environ)
    kind = RuntimeKind(runtime) if runtime else None
    with signals.raising():
        engine = local.prepare(
            analysis,
            kind,
            outer=os.environ,
            cache=places.cache(os.environ),
            load=partial(loading.load, store),
            say=say,
            make=not dry_run,
            shown=shown,
            among=RUNTIMES if slurm else tuple(RuntimeKind),
            instead=_mapped(store, request, mapping_file, kind, say),
        )
    if shown is not None and shown.told:
        say(f"steps see, as the specification says that they need it: {shown.told}")
    if not dry_run:
        where = f", as up to {at_once} jobs of Slurm at once" if slurm else ""
        say(f"steps run {_runner(engine.runtime)}{where}")
    with engine.opened(request) as folder, engine.starting(request, folder) as start:
        reused = Reuse(start, Store(store), say, quiet) if reusing else None
        with signals.raising():
            settled = _settled(reused)
        with signals.noting(lambda: say("stopping; half-written results are removed")) as noted:
            result = _without_running(start, settled)
            if result is None:
                with display.showing(sys.stderr, at_once, quiet=quiet or dry_run) as show:
                    result = start.run(Watch(show, lambda: noted.first))
        if settled is not None:
            result = dataclasses.replace(result, plan=reuse.told(settled))
        if not dry_run:
            with signals.raising():
                record = _recorded(result, engine, settled, quiet=quiet, elsewhere=slurm is not None)
                if record is not None and reused is not None:
                    _remembered(reused, record, settled, keep)
    if result.uncontained:
        say(
            f"without 'container:', so with this machine's programs, files and environment, ran: "
            f"{', '.join(result.uncontained)}"
        )
    if as_json:
        click.echo(ended.as_json(result))
    elif not quiet:
        ended.tell(result, dry_run=dry_run)
    return ended.conclude(result, noted)


def _mapped(
    store: Path,
    request: RunRequest,
    mapping_file: Path | None,
    kind: RuntimeKind | None,
    say: Callable[[str], None],
) -> tuple[Substitute, ...]:
    if mapping_file is None:
        return ()
    from relance.cli import mapped

    return mapped.for_run(Store(store), request, mapping_file, kind, say)


def _runner(runtime: Runtime) -> str:
    if runtime.kind is RuntimeKind.PLAIN:
        return "as plain processes in locked environments, not in containers"
    return f"in {runtime.kind} {runtime.version}"


def _settled(reused: Reuse | None) -> Settled | None:
    """Restore what needn't run, and say so; where that fails everything runs, and the reason is told."""
    try:
        settled = reused.settle() if reused else None
    except (RelanceError, OSError) as error:
        click.echo(f"warning: nothing is taken from the store: {error}", err=True)
        return None
    if settled is not None and reused is not None and not reused.request.dry_run:
        for line in reuse.summary(settled):
            reused.say(line)
    return settled


def _without_running(start: Start, settled: Settled | None) -> RunResult | None:
    """Return the result if nothing is left to run, or to be said by Snakemake; else None."""
    request = start.request
    if settled is None or (settled.runs and not request.dry_run):
        return None
    return RunResult(
        analysis=request.analysis,
        runtime=start.engine.runtime.kind,
        status=RunStatus.OK,
        message="",
        steps_total=0,
        steps_done=0,
        failed=(),
        seconds=0.0,
        results=settled.plan.targets,
        record=start.folder.path,
        planned=reuse.planned(settled) if request.dry_run else (),
    )


def _recorded(
    result: RunResult, engine: LocalEngine, settled: Settled | None, *, quiet: bool, elsewhere: bool
) -> RunRecord | None:
    """Make the run's record; where that fails the run is what it was, and the reason is told."""
    folder = RunFolder(result.record)
    interrupted = result.status is RunStatus.INTERRUPTED and result.steps_done
    restored = settled is not None and settled.jobs
    if not (result.steps_total or restored) or not (
        interrupted or result.status in {RunStatus.OK, RunStatus.FAILED}
    ):
        return None
    ran = bool(result.steps_total)
    request = build.Request(
        result.analysis,
        folder.events if ran else None,
        snakemake.environment(os.environ, result.runtime, folder),
        result.runtime,
        engine.runtime.version or "unknown",
        sources.written_graph(folder.graph) or (settled.graph if settled else None),
        before=not ran,
        earlier=settled.readings if settled else (),
        stand_ins={one.written: one.record(result.runtime) for one in engine.substitutes},
    )

    def say(text: str) -> None:
        if not quiet:
            click.echo(f"relance: {text}", err=True)

    try:
        with counting("recording", quiet=quiet) as progress:
            made = build.record(request, Effects(reuse.digests(result.analysis), say, progress))
        if not ran:
            made = reuse.nothing_ran(made)
        if elsewhere:
            made = batch.elsewhere(made)
        files.write(made, folder.path)
    except (RelanceError, OSError) as error:
        click.echo(f"warning: the run was not recorded: {error}", err=True)
        return None
    return made


def _remembered(reused: Reuse, record: RunRecord, settled: Settled | None, keep: int) -> None:
    """Leave in the store what finished steps made; where that fails the reason is told."""
    try:
        reused.remember(record, settled, keep)
    except (RelanceError, OSError) as error:
        click.echo(f"warning: the store doesn't know this run's steps: {error}", err=True)
