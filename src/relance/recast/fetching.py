"""Which inputs kept elsewhere a recast needs: those of the jobs that run, and no others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from relance.capsule import fetching
from relance.capsule.model import CapsuleFile
from relance.errors import InputError
from relance.model import UNKNOWN
from relance.rerun import absent
from relance.rerun.folder import Work
from relance.steps.plan import State
from relance.steps.settle import Settled

_MOST_NAMED = 5


def needed(settled: Settled, work: Work) -> tuple[CapsuleFile, ...]:
    """Return the inputs of which only the place is held and that jobs may read that run.

    All of them where jobs become known only during the run.
    """
    held = absent.held(work)
    if settled.plan.behind or settled.outdated or any(part.lost for part in settled.restored):
        return held
    read: set[str] = set()
    for job in settled.plan.of(State.RUN):
        read.update(job.record.inputs)
        read.update(() if job.record.code.files == UNKNOWN else job.record.code.files)
    return tuple(
        file for file in held if not read.isdisjoint({file.path, *map(str, PurePosixPath(file.path).parents)})
    )


def bring(settled: Settled, work: Work, cache: Path, say: Callable[[str], None], *, allowed: bool) -> None:
    """Fetch what is needed, verified, into its place.

    Raises:
        InputError: the network may not be used.
        MissingPartError: no location of a file has it.
    """
    files = needed(settled, work)
    left = [file for file in absent.held(work) if file not in files]
    if left:
        say(f"not needed, and left where it is kept: {told(left)}")
    if not files:
        return
    if not allowed:
        raise InputError(
            "inputs of jobs that are to run are kept elsewhere",
            expected="them here",
            found=told(files),
            next_step="add --fetch: they come only if that is asked for",
        )
    say(f"fetching {told(files)}")
    lay = fetching.fetcher(files, cache)
    for file in files:
        place = work.analysis / file.path
        when = place.stat().st_mtime  # older than what was restored, which must not seem outdated
        place.rmdir()
        lay(file, place)
        place.chmod(0o755 if file.executable else 0o644)
        os.utime(place, (when, when))


def told(files: list[CapsuleFile] | tuple[CapsuleFile, ...]) -> str:
    """Return files with their sizes, in words."""
    named = ", ".join(f"{file.path} ({_size(file.size)})" for file in files[:_MOST_NAMED])
    if len(files) <= _MOST_NAMED:
        return named
    total = _size(sum(file.size for file in files))
    return f"{named} and {len(files) - _MOST_NAMED} more, {total} in all"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count} bytes"
