"""`relance record`: make the record of a run that has none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relance.cli.progress import counting
from relance.engines import folders, snakemake
from relance.errors import ExitCode, InputError
from relance.recording import files, sources
from relance.recording.files import RecordedRun

if TYPE_CHECKING:
    from relance.recording import build

_SLACK = 1.0  # seconds


@click.command()
@click.argument("analysis", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def record(analysis: Path, quiet: bool) -> ExitCode:
    """Record the last run of the analysis in DIR (default: here).

    A run under `snakemake --logger relance` is recorded from its events; any other from the metadata that
    Snakemake keeps and the files that lie there: what can't be told any more is `unknown`. Nothing runs, but
    the Snakefile is read.
    """
    click.echo(str(last(analysis.resolve(), quiet=quiet)))
    return ExitCode.OK


def last(analysis: Path, *, quiet: bool) -> Path:
    """Return the record of the last run in a folder, made if there is none yet.

    Runs that were refused before any job, and dry runs, are passed over: they changed nothing.

    Raises:
        InputError: nothing was ever run there, or the last run goes on.
    """
    known = files.runs(analysis)
    latest = next((run for run in reversed(known) if not is_idle(run)), None)
    if latest is None and _has_run_nothing(analysis):
        raise InputError(
            f"{analysis} has no run to record",
            expected="a folder in which Snakemake has run a job",
            found=_found_instead(analysis, known),
            next_step=_how_to_run(known),
        )
    if latest is not None and folders.goes_on(latest.folder):
        raise InputError(
            f"{analysis} can't be recorded now",
            expected="its last run to have ended",
            found=f"{latest.name}, which goes on",
            next_step="wait for its end, or capture an earlier one of 'relance runs' with --run ID",
        )
    if latest is not None and _is_complete(latest) and not _ran_since(analysis, latest.folder / files.NAME):
        return latest.folder / files.NAME
    folder, events = None, None
    if latest is not None and latest.events and not _ran_since(analysis, latest.folder / files.EVENTS):
        folder, events = latest.folder, latest.folder / files.EVENTS
        if latest.record and files.is_current(folder / files.NAME):
            return folder / files.NAME
    from relance.recording import build

    graph = snakemake.RunFolder(folder).graph if folder is not None else None
    request = build.Request(analysis, events, dict(os.environ), graph=graph)
    return make(request, folder, quiet=quiet)


def _found_instead(analysis: Path, known: list[RecordedRun]) -> str:
    if not analysis.is_dir():
        return "no such folder"
    if known:
        return "only dry runs, or runs that were refused before any job"
    return "none" if (analysis / ".snakemake").is_dir() else "no '.snakemake' in it"


def _how_to_run(known: list[RecordedRun]) -> str:
    console = known[-1].folder / "console.log" if known else None
    if console is not None and console.is_file():
        return f"run the analysis (relance run); {console} has what the last try said"
    return "run the analysis first (relance run), or name the folder that it ran in"


def is_idle(run: RecordedRun) -> bool:
    """Return whether a run did nothing; what has a record did something."""
    told = sources.events(run.folder / files.EVENTS) if run.events and not run.record else None
    return told is not None and told.idle


def _is_complete(run: RecordedRun) -> bool:
    """Return whether nothing here tells more of a run than its record.

    It took place elsewhere, or in a recast, whose events lie where the workflow could not write to; or all
    was restored, so that there are no events, and Snakemake alone would not know with which values.
    """
    path = run.folder / files.NAME
    if run.events or not run.record or not files.is_current(path):
        return False
    facts = files.read(path)["run"]
    return "remote" in facts or facts["made"] == "during the run" or facts["status"] == "ok"


def _ran_since(analysis: Path, events: Path) -> bool:
    """Return whether Snakemake noted a job after the last event: then a later run had nobody to watch it."""
    return max(_noted(analysis), default=0.0) > events.stat().st_mtime + _SLACK


def _has_run_nothing(analysis: Path) -> bool:
    # Without the folder, which Snakemake makes before all else, somebody removed what it noted.
    metadata = analysis / ".snakemake" / "metadata"
    return not metadata.parent.is_dir() or (metadata.is_dir() and not _noted(analysis))


def _noted(analysis: Path) -> list[float]:
    """Return when Snakemake noted what, Unix time in seconds: something for each output of a finished job."""
    return [path.stat().st_mtime for path in (analysis / ".snakemake" / "metadata").rglob("*")]


def make(request: build.Request, folder: Path | None, *, quiet: bool) -> Path:
    """Make a record and write it into a run's folder, or a new one; return its path."""
    from relance.recording import build

    def say(text: str) -> None:
        if not quiet:
            click.echo(f"relance: {text}", err=True)

    parent = request.analysis / ".snakemake" / "relance"
    with counting("recording", quiet=quiet) as progress:
        made = build.record(request, build.Effects(parent / "digests.json", say, progress))
    if folder is None:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    return files.write(made, folder)
