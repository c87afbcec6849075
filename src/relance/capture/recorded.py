"""The record of the run that is to be captured, with the reasons why some runs can't be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from relance.capsule.encoding import MalformedError, decode
from relance.capture.sources import places, within
from relance.errors import InputError, quoted
from relance.model import UNKNOWN, JobRecord, RunRecord
from relance.recording import files


def load(path: Path) -> RunRecord:
    """Read the record of a run.

    Raises:
        InputError: it can't be read, or is of another version.
    """
    value: dict[str, Any] = dict(files.read(path))
    times = value["times"]
    flat = {
        "run": value["run"],
        "jobs": value["jobs"],
        "files": value["files"],
        "started": times["started"],
        "ended": times["ended"],
        "times": times["jobs"],
    }
    try:
        return decode(RunRecord, flat)
    except MalformedError as error:
        raise InputError(
            f"{path}: {'.'.join(map(str, error.place))}",
            expected=error.expected,
            found=error.found,
            next_step="make it again with 'relance record'",
        ) from None


def check(record: RunRecord) -> None:
    """Refuse a run that did not do all that it was asked for, or whose files are no longer what it made.

    Raises:
        InputError: a job failed or did not finish, or a file was altered or removed since.
    """
    broken = [job for job in record.jobs if job.status in {"failed", "unfinished"}]
    if broken:
        raise InputError(
            "the run can't be captured",
            expected="every job to have ended well",
            found=f"{quoted([name(job) for job in broken])} {broken[0].status}",
            next_step="run the analysis to its end: relance run DIR",
        )
    altered = [file.path for file in record.files if file.altered]
    if altered:
        raise InputError(
            "the run can't be captured",
            expected="its files as it made and read them",
            found=f"{quoted(altered)} written since",
            next_step=again(record, altered),
        )
    temporary = {
        path for job in record.jobs if job.temporary != UNKNOWN for path in job.temporary
    }  # gone is what they are for
    gone = [file.path for file in record.files if file.kind == "gone" and file.path not in temporary]
    if set(gone) & set(record.run.targets):
        raise InputError(
            "the run can't be captured",
            expected="its results",
            found=f"{quoted(gone)} gone",
            next_step="run the analysis again",
        )


def refuse_without_makers(record: RunRecord, made: Collection[str]) -> None:
    """Refuse a run of which the record lacks steps: their products would be taken for raw inputs.

    Snakemake's graph has no steps above a checkpoint that is done, and no notes on what was restored.

    Args:
        record: of the run.
        made: outputs in the analysis's folder that are known to come from a step (`steps.ledger`).

    Raises:
        InputError: it names what came of them.
    """
    if not made:
        return
    recorded = products(record)
    raw = {path for job in record.jobs for path in job.inputs if not within(path, recorded)}
    lost = sorted({place for path in raw for place in places(path) if place in made})
    if lost:
        raise InputError(
            "the run can't be captured",
            expected="a record of all steps",
            found=f"none of those that made {quoted(lost)}, which were restored before",
            next_step=f"remove {quoted(lost)} and type relance run: they are restored again, and recorded",
        )


def products(record: RunRecord) -> frozenset[str]:
    """Return the paths that jobs made: files, and folders as a whole."""
    return frozenset(path for job in record.jobs for path in (*job.outputs, *job.logs))


def again(record: RunRecord, changed: Sequence[str]) -> str:
    """Return what to do about files that are others now than in the run.

    Products that somebody wrote to are up to date for Snakemake, which would not make them anew.
    """
    made = {path for job in record.jobs for path in job.outputs}
    products = [path for path in changed if path in made]
    first = f"remove {quoted(products)}, and " if products else ""
    return f"{first}run the analysis again: what is up to date is kept"


def name(job: JobRecord) -> str:
    """Return how people tell a job from others: its rule and wildcards."""
    wildcards = () if job.wildcards == UNKNOWN else sorted(job.wildcards.items())
    return " ".join([job.rule, *(f"{key}={value}" for key, value in wildcards)])
