"""Makes an analysis's folder what a plan says it is before anything runs."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from relance.errors import InputError, RelanceError
from relance.model import UNKNOWN
from relance.steps import entries, ledger, notes
from relance.steps.entries import EntryOutput, Member
from relance.steps.ledger import Made
from relance.steps.plan import PlannedJob
from relance.store import content
from relance.store.hashing import usable_threads
from relance.store.layout import Layout
from relance.store.store import Store


@dataclass(frozen=True)
class Restored:
    """What was done in a folder."""

    jobs: tuple[PlannedJob, ...]
    """Those that something was restored of."""
    files: int
    size: int
    """Bytes."""
    removed: tuple[str, ...]
    """Outputs of earlier runs that were right no more."""
    lost: tuple[str, ...]
    """Outputs that could not be restored after all, and why; their jobs run."""


def restore(
    jobs: Sequence[PlannedJob],
    analysis: Path,
    store: Store,
    *,
    links: bool = True,
) -> Restored:
    """Remove what is outdated and put back what is known: Snakemake then runs the planned jobs and no other.

    Each output is there whole or not at all. All that is put back has one time, not older than any file that
    jobs read: Snakemake knows an outdated output by its time alone where it has no notes. An interrupted call
    leaves less than was planned, and nothing wrong.

    Args:
        jobs: those of a plan.
        analysis: the folder that it is a plan of.
        store: holds the contents.
        links: whether folders that hold outputs may be symbolic links that lead out of the analysis.

    Raises:
        InputError: such a link is there, and `links` says no.
    """
    for job in jobs:
        for path in (*(output.path for output in job.restored), *job.removed, *job.settled):
            _require_inside(analysis, path, links=links)
    now = _time(analysis, jobs)
    removed = tuple(path for job in jobs for path in job.removed)
    remove(analysis, removed)
    notes.forget(analysis, (path for job in jobs for path in job.forgotten))
    layout = store.layout
    todo = [(job, output) for job in jobs for output in job.restored]
    with ThreadPoolExecutor(usable_threads()) as pool:
        failures = list(pool.map(lambda one: _one(layout, analysis, one[0], one[1], now), todo))
    done = [one for one, failure in zip(todo, failures, strict=True) if not failure]
    for job in jobs:
        for path in job.settled:
            _touch(analysis / path, now)
        if job.key is not None and job.restored:
            _logs(layout, analysis, job, now, links=links)
            entries.touch(store, job.key)
    ledger.note(
        analysis,
        {
            output.path: Made(job.key, output.digest)
            for job, output in done
            if job.key is not None and output.digest != UNKNOWN
        },
    )
    contents = [stored for _, output in done for stored in output.contents]
    return Restored(
        tuple(job for job in jobs if any(one is job for one, _ in done)),
        len(contents),
        sum(stored.size for stored in contents),
        removed,
        tuple(failure for failure in failures if failure),
    )


def remove(analysis: Path, outputs: Iterable[str]) -> None:
    """Remove outputs, and what Snakemake notes of them."""
    outputs = tuple(outputs)
    notes.forget(analysis, outputs)
    for path in outputs:
        _remove(analysis / path)


def put(layout: Layout, output: EntryOutput, target: Path, *, mtime: float) -> None:
    """Write an output as its job left it to a path, whole or not at all; what was there is replaced.

    Raises:
        InputError: a blob is missing or damaged.
        OSError: it can't be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if output.kind == "file":
        if target.is_dir() and not target.is_symlink():
            _remove(target)
        (member,) = output.members
        _file(layout, member, target, mtime)
        return
    temporary = Path(tempfile.mkdtemp(prefix=".relance-", dir=target.parent))
    try:
        inside = temporary / "folder"
        inside.mkdir()
        for member in sorted(output.members, key=lambda member: member.path.count("/")):
            _member(layout, member, inside / member.path, mtime)
        (inside / notes.MARK).touch()
        _touch(inside, mtime)
        if os.path.lexists(target):
            target.rename(temporary / "former")
        inside.rename(target)
    finally:
        _remove(temporary)


def _one(layout: Layout, analysis: Path, job: PlannedJob, output: EntryOutput, now: float) -> str:
    """Restore one output; return why that failed, if it did: then its job runs, as if nothing were known."""
    path = analysis / output.path
    try:
        put(layout, output, path, mtime=now)
    except (RelanceError, OSError) as error:
        _remove(path)
        return f"{output.path}: {error}"
    if output.path in job.record.protected:
        _protect(path)
    return ""


def _logs(layout: Layout, analysis: Path, job: PlannedJob, now: float, *, links: bool) -> None:
    """Restore a job's logs as far as they are kept; they are no results."""
    for log in job.entry.logs if job.entry else ():
        if entries.kept(layout, log):
            with suppress(RelanceError, OSError):
                _require_inside(analysis, log.path, links=links)
                put(layout, log, analysis / log.path, mtime=now)


def _time(analysis: Path, jobs: Iterable[PlannedJob]) -> float:
    """Return the time that all restored files get: now, or that of a file that jobs read, if it is later."""
    paths = {path for job in jobs for path in job.record.inputs}
    for job in jobs:
        paths.update(() if isinstance(job.record.code.files, str) else job.record.code.files)
    latest = time.time()
    for path in paths:
        with suppress(OSError):
            latest = max(latest, (analysis / path).stat().st_mtime)
    return latest


def _file(layout: Layout, member: Member, target: Path, now: float) -> None:
    if member.stored is None:
        raise InputError(
            f"{target} can't be restored", expected="its content", found="none", next_step="run its step"
        )
    content.restore(layout, member.stored, target, executable=member.executable, mtime=now)


def _member(layout: Layout, member: Member, target: Path, now: float) -> None:
    if member.link is not None:
        target.symlink_to(member.link)
    elif member.stored is None:
        target.mkdir()
    else:
        _file(layout, member, target, now)


def _require_inside(analysis: Path, path: str, *, links: bool) -> None:
    """Refuse a path that leaves the analysis by a symbolic link among its folders."""
    root = analysis.resolve()
    parent = (root / path).parent
    if not links and not parent.resolve().is_relative_to(root):
        raise InputError(
            f"{path} can't be restored",
            expected="a path inside of the analysis",
            found=f"a symbolic link that leads to {parent.resolve()}",
            next_step="remove the link",
        )


def _touch(path: Path, now: float) -> None:
    mark = path / notes.MARK
    for one in (path, mark):
        with suppress(OSError):
            os.utime(one, (now, now))


def _protect(path: Path) -> None:
    """Take the right to write away, as Snakemake does with what a rule protects."""
    inside = [path, *(path.rglob("*") if path.is_dir() else ())]
    for one in inside:
        if not one.is_symlink():
            one.chmod(one.stat().st_mode & ~0o222)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
