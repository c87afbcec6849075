"""The options by which steps run on a batch system, and what it said of those that failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import click

from relance.errors import InputError
from relance.model import UNKNOWN, RunRecord, Slurm, StepProgress

_JOBS = 100


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; it gets what they ask for as `slurm`, None if steps run here.

    Raises:
        InputError: `--jobs` stands alone.
        MissingPartError: no jobs can be submitted from this machine.
    """

    @wraps(command)
    def called(*, system: str | None, jobs: int | None, **others: Any) -> Any:
        return command(slurm=_found(system, jobs), **others)

    for option in reversed(
        (
            click.option(
                "--on", "system", type=click.Choice(["slurm"]), help="Run steps as jobs of this batch system."
            ),
            click.option(
                "--jobs",
                metavar="N",
                type=click.IntRange(min=1),
                help=f"With --on: most jobs to have there at once; {_JOBS} if left out.",
            ),
        )
    ):
        called = option(called)
    return called


def _found(system: str | None, jobs: int | None) -> Slurm | None:
    if system is None:
        if jobs is not None:
            raise InputError(
                f"--jobs {jobs}",
                expected="'--on slurm' with it",
                found="no --on",
                next_step="add --on; on this machine '--cores' limits what runs at once",
            )
        return None
    from relance.engines import slurm

    return slurm.find(jobs or _JOBS)


def elsewhere(record: RunRecord) -> RunRecord:
    """Return the record of a run whose jobs ran on machines that nobody told of."""
    return replace(record, run=replace(record.run, platform=UNKNOWN, processor=UNKNOWN))


def reason(step: StepProgress) -> str:
    """Return why the batch system refused or ended a step; nothing if the step failed by itself."""
    from relance.engines import slurm

    return slurm.reason(step.message)


def lines(log: Path, record: Path) -> list[str]:
    """Return the lines of a step's log; of one that the batch system wrote, those of the step itself.

    record: the folder of the run.
    """
    from relance.engines import slurm
    from relance.engines.snakemake import RunFolder

    written = log.read_text("utf-8", "replace").splitlines() if log.is_file() else []
    return slurm.said(written) if log.is_relative_to(RunFolder(record).slurm) else written
