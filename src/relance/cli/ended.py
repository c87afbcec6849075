"""Says what came of a run of this machine's Snakemake, and why it failed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from relance.cli import batch, display, signals
from relance.errors import AnalysisError, ExitCode
from relance.model import RunResult, RunStatus, StepProgress

_LAST_LINES = 20
_MOST_RESULTS = 12


def as_json(result: RunResult) -> str:
    """Return the result as `--json` prints it."""
    return json.dumps(dataclasses.asdict(result), indent=2, default=str)


def tell(result: RunResult, *, dry_run: bool) -> None:
    """Print what came of a run that went well."""
    if result.status is not RunStatus.OK:
        return
    if dry_run:
        _tell_plan(result)
        return
    if not result.steps_total:
        restored = any(step.state == "restore" for step in result.plan)
        click.echo(
            "nothing to run: every result is there, restored or up to date"
            if restored
            else "nothing to do: every result is there and up to date"
        )
        return
    click.echo(f"{result.steps_done} steps in {display.duration(result.seconds)}; the results:")
    for name in result.results[:_MOST_RESULTS]:
        click.echo(f"    {_shown(result.analysis / name)}")
    if len(result.results) > _MOST_RESULTS:
        click.echo(f"    and {len(result.results) - _MOST_RESULTS} more beside them")


def _tell_plan(result: RunResult) -> None:
    """Print what a dry run found out."""
    restored = [step for step in result.plan if step.state == "restore"]
    for step in restored:
        click.echo(f"{step.name}\n    restored: {step.why}")
    for planned in result.planned:
        click.echo(f"{planned.name}\n    why: {planned.reason}")
    if not result.planned and not restored:
        click.echo("nothing to do")
        return
    counts = [f"{len(restored)} steps would be restored"] if restored else []
    if result.planned or not counts:
        counts.append(f"{len(result.planned)} steps would run")
    click.echo(", ".join(counts))


def conclude(result: RunResult, noted: signals.Noted) -> ExitCode:
    """Return the exit status, after telling on stderr why it isn't 0."""
    match result.status:
        case RunStatus.OK:
            return ExitCode.OK
        case RunStatus.INTERRUPTED:
            done = f"{result.steps_done} of {result.steps_total} steps are done and kept"
            click.echo(f"error: interrupted; {done}; type the same command to go on", err=True)
            return noted.exit_code
        case RunStatus.REFUSED:
            click.echo(f"error: {result.message}", err=True)
            return ExitCode.BAD_INPUT
    for step in result.failed:
        _tell_log(result, step)
    raise _failure(result)


def _failure(result: RunResult) -> AnalysisError:
    names = ", ".join(f"'{step.name}'" for step in result.failed)
    if not names:
        return AnalysisError(
            "the run failed",
            expected="every step to make its outputs",
            found=result.message,
            next_step=f"read {_shown(result.record / 'console.log')}",
        )
    return AnalysisError(
        f"step {names} failed",
        expected="exit status 0",
        found="an error, shown above",
        next_step=f"mend it and type the same command (steps that are done are kept); all that steps and "
        f"engine printed is in {_shown(result.record / 'console.log')}",
    )


def _tell_log(result: RunResult, step: StepProgress) -> None:
    """Print the last lines of what a failed step wrote: its own log, else the console's record."""
    logs = [result.analysis / name for name in step.logs]
    written = [
        log
        for log in logs
        if log.is_file() and log.stat().st_size and log.stat().st_mtime >= step.started - 1
    ]
    log = written[0] if written else result.record / "console.log"
    if reason := batch.reason(step):
        click.echo(f"step '{step.name}' failed: {reason}", err=True)
        if not written:
            return
    click.echo(f"step '{step.name}' failed; the end of {_shown(log)}:", err=True)
    for line in batch.lines(log, result.record)[-_LAST_LINES:]:
        click.echo(f"    {line}", err=True)


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
