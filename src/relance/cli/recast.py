"""`relance recast`: run a captured analysis again with another signal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relance.cli import display, limiting, places, signals
from relance.errors import AnalysisError, ExitCode, InputError
from relance.model import RunStatus, RuntimeKind

if TYPE_CHECKING:
    from relance.recast.changes import Changes
    from relance.recast.model import Planned, Recast
    from relance.recast.request import Unfinished

_LAST_LINES = 20


@click.command()
@click.argument("capsule")
@click.option("--set", "assignments", metavar="NAME=VALUE", multiple=True,
              help="Another value of a parameter, with its unit: signal.mass='2.5 TeV'.")  # fmt: skip
@click.option("--input", "inputs", metavar="NAME=FILE", multiple=True, help="Another file for an input.")
@click.option("--case", metavar="NAME", help="The values of a validation case of the analysis.")
@click.option("--from", "file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Changes from a YAML file.")  # fmt: skip
@click.option("-o", "--output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for the recast; CAPSULE-recast-… here if left out.")  # fmt: skip
@click.option("-n", "--dry-run", is_flag=True, help="Say what would run and why; keep nothing, run nothing.")
@click.option("--audit", metavar="[N]", type=click.IntRange(min=0), is_flag=False, flag_value=3, default=0,
              show_default="none", help="Run N (3) of the restored jobs once more and compare.")  # fmt: skip
@click.option(
    "--fetch", is_flag=True, help="Bring inputs that are kept by reference and that jobs need that run."
)
@click.option("--no-reuse", is_flag=True, help="Restore nothing: run every job.")
@click.option("--runtime", type=click.Choice([kind.value for kind in RuntimeKind]),
              help="What jobs run in; the first that works if left out.")  # fmt: skip
@click.option("--trust", is_flag=True, help="Run the capsule's Snakefile without a sandbox, as your own.")
@limiting.LIMIT
@click.option("--cores", type=click.IntRange(min=1), show_default="all",
              help="Most processor cores to use at once.")  # fmt: skip
@places.MAPPING
@places.STORE
@click.option("--json", "as_json", is_flag=True, help="Print the content of recast.json on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def recast(  # noqa: PLR0917 - click passes each by name
    capsule: str,
    assignments: tuple[str, ...],
    inputs: tuple[str, ...],
    case: str | None,
    file: Path | None,
    output: Path | None,
    dry_run: bool,
    audit: int,
    fetch: bool,
    no_reuse: bool,
    runtime: str | None,
    trust: bool,
    limits: tuple[str, ...],
    cores: int | None,
    mapping_file: Path | None,
    chosen_store: Path | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Run the analysis in CAPSULE again with other parameters or input files, and compare the results.

    Only the jobs that the changes reach are run; what the others made is restored from the capsule. All that
    is given is checked against the interface of the analysis before anything runs.

    \b
    relance recast dilepton --set signal.mass=2500
    relance recast dilepton --input signal=events.hepmc.gz
    relance recast dilepton --from heavy.yaml --dry-run
    """
    from relance.cli import capsules
    from relance.engines.base import Watch
    from relance.recast import recasting
    from relance.recast.request import Effects, Request, Unfinished, folder_name

    environment = dict(os.environ)
    usable = cores or len(os.sched_getaffinity(0))

    def say(text: str) -> None:
        if not quiet:
            click.echo(f"relance: {text}", err=True)

    changes = _changes(assignments, inputs, case, file)
    with signals.raising():
        store, descriptor, content = capsules.opened(capsule, environment, chosen_store)
        if mapping_file is not None:
            from relance.cli import mapped

            content = mapped.added(store, content, mapping_file, say)
        request = Request(
            store=store,
            parent=descriptor.digest,
            capsule=content,
            changes=changes,
            outer=environment,
            cache=places.cache(environment),
            runtime=RuntimeKind(runtime) if runtime else None,
            trusted=trust,
            cores=usable,
            reuse=not no_reuse,
            audit=audit,
            fetch=fetch,
            limits=limiting.read(limits),
        )
        checked = recasting.check(request)
        if dry_run:
            _tell_plan(recasting.plan(request, checked, say), as_json=as_json)
            return ExitCode.OK
        folder = output or Path.cwd() / folder_name(request, checked)
        noted = signals.Noted()

        @contextmanager
        def watching() -> Iterator[Watch]:
            nonlocal noted
            with (
                signals.noting(lambda: say("stopping; half-written results are removed")) as noted,
                display.showing(sys.stderr, usable, quiet=quiet) as show,
            ):
                yield Watch(show, lambda: noted.first)

        effects = Effects(say, watching)
        outcome = recasting.recast(request, checked, folder.absolute(), effects)
    if isinstance(outcome, Unfinished):
        return _conclude(outcome, noted)
    _tell(outcome, as_json=as_json, quiet=quiet)
    differing = [audited for audited in outcome.audit if audited.differing]
    disagreeing = [judged for judged in outcome.validation if not judged.agrees]
    for audited in differing:
        click.echo(
            f"error: job '{audited.job}' made something else when it was run once more: "
            f"{', '.join(audited.differing)}",
            err=True,
        )
    for judged in disagreeing:
        click.echo(
            f"error: result '{judged.name}': found {judged.found}, expected {judged.reference.value} within "
            f"{judged.reference.tolerance:g}",
            err=True,
        )
    return ExitCode.FAILED if differing or disagreeing else ExitCode.OK


def _changes(
    assignments: Iterable[str], inputs: Iterable[str], case: str | None, file: Path | None
) -> Changes:
    from relance.recast import changes

    given = changes.Changes(
        _pairs(assignments, "--set", "signal.mass=2500"),
        {name: Path(path) for name, path in _pairs(inputs, "--input", "signal=events.hepmc.gz").items()},
        case,
    )
    return given.over(changes.load(file)) if file else given


def _pairs(given: Iterable[str], option: str, example: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name or not value or name != name.strip():
            raise InputError(
                f"{option} {pair}",
                expected=f"a name and a value, such as {example}",
                found="no '='" if not equals else repr(pair),
                next_step="write both, without spaces around '='",
            )
        if name in found:
            raise InputError(
                f"{option} {pair}", expected="each name once", found=f"'{name}' twice", next_step="keep one"
            )
        found[name] = value
    return found


def _tell_plan(planned: Planned, *, as_json: bool) -> None:
    from relance.cli.inspect import size

    if as_json:
        from relance.recast import record

        click.echo(record.text_of_plan(planned))
        return
    running = [job for job in planned.jobs if job.state == "run"]
    for job in running:
        click.echo(f"{job.name}\n    why: {job.why}")
    for words, files in (("would be fetched", planned.fetched), ("needed by none of them", planned.left)):
        for path, count in files.items():
            click.echo(f"{path}\n    kept elsewhere, {size(count)}: {words}")
    restored = sum(job.state == "restore" for job in planned.jobs)
    click.echo(
        f"{len(running)} jobs would run, {restored} be restored; "
        f"{len(planned.jobs) - len(running) - restored} are not needed"
    )


def _tell(done: Recast, *, as_json: bool, quiet: bool) -> None:
    from relance.recast import comparison, outcome, record
    from relance.results.figures import quantity

    if as_json:
        click.echo((done.folder / record.NAME).read_text("utf-8"), nl=False)
        return
    if quiet:
        return
    ran = sum(job.state == "run" for job in done.jobs)
    restored = sum(job.state == "restore" for job in done.jobs)
    taken = f" in {display.duration(done.seconds)}" if done.seconds is not None else ""
    click.echo(f"{ran} jobs run, {restored} restored{taken}")
    for name, condition in done.conditions.items():
        click.echo(f"{name}: {quantity(condition.value, condition.unit)}")
    click.echo()
    click.echo(comparison.text(comparison.rows(done.captured, done.results)))
    click.echo()
    for audited in done.audit:
        if not audited.differing:
            click.echo(f"run once more, with the same outputs: {audited.job}")
    for path in (done.folder / record.NAME, done.folder / outcome.TABLE, *done.plots):
        click.echo(f"    {_shown(path)}")
    click.echo(f"    {_shown(done.analysis)}  (the analysis as it ran)")


def _conclude(outcome: Unfinished, noted: signals.Noted) -> ExitCode:
    """Return the exit status of a recast that did not come to its end, or raise why."""
    result = outcome.result
    if result.status is RunStatus.INTERRUPTED:
        done = f"{result.steps_done} of {result.steps_total} jobs are done and kept"
        click.echo(f"error: interrupted; {done}; type the same command to go on", err=True)
        return noted.exit_code
    if result.status is RunStatus.REFUSED:
        click.echo(f"error: {result.message}", err=True)
        return ExitCode.BAD_INPUT
    for step in result.failed:
        logs = [result.analysis / name for name in step.logs]
        log = next((path for path in logs if path.is_file()), result.record / "console.log")
        lines = log.read_text("utf-8", "replace").splitlines() if log.is_file() else []
        click.echo(f"job '{step.name}' failed; the end of {_shown(log)}:", err=True)
        for line in lines[-_LAST_LINES:]:
            click.echo(f"    {line}", err=True)
    raise AnalysisError(
        f"{', '.join(f'job {step.name!r}' for step in result.failed) or 'the run'} failed",
        expected="exit status 0",
        found="an error, shown above" if result.failed else result.message,
        next_step=f"see {_shown(result.record / 'console.log')}; jobs that are done are kept",
    )


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
