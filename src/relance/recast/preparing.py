"""The work folder of a recast: the capsule checked out, with what is given in its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from relance import document
from relance.capsule import fetching
from relance.capsule.checkout import Fetch
from relance.capsule.model import CapsuleFile
from relance.engines import leavings
from relance.errors import InputError
from relance.recast import changes, reuse
from relance.recast.changes import Checked
from relance.recast.request import Request
from relance.recast.reuse import Bench
from relance.rerun import absent, execution
from relance.rerun import folder as rerun_folder
from relance.rerun.configuration import merged
from relance.rerun.execution import Settings
from relance.rerun.folder import Work
from relance.store import content

_READY = "ready"


def resumed(request: Request, checked: Checked, folder: Path, say: Callable[[str], None]) -> Work:
    """Return the work folder, that of an interrupted call if it can go on."""
    outside = any(file.path.startswith("/") for file in request.capsule.files)
    if (folder / _READY).exists() and not outside:
        work = Work(folder, request.store, request.capsule)
        # Whoever had it is gone, since nobody else may be in this folder.
        leavings.remove(work.analysis / ".snakemake" / "locks", work.analysis)
        absent.hold(work)
        return work
    shutil.rmtree(folder, ignore_errors=True)
    work = prepared(request, checked, folder, say)
    (folder / _READY).touch()
    return work


def prepared(request: Request, checked: Checked, folder: Path, say: Callable[[str], None]) -> Work:
    """Check the capsule out and put the given files where the configuration will say they are.

    Of inputs that it keeps by reference only those come now without which the jobs can't be known.
    """
    later = absent.may_be(request.capsule)
    fetch = _fetch(request, later) if request.fetch else None
    work = rerun_folder.prepare(request.store, request.capsule, folder, fetch=fetch)
    for file in work.missing:
        if file not in later:
            say(f"{file.path} is not in the capsule: {file.size} bytes, {file.digest}")
    absent.hold(work)
    root = work.analysis.resolve()
    layout = request.store.layout
    for name, given in checked.inputs.items():
        place = work.analysis / given.place
        if not given.place.startswith(f"{changes.INPUTS}/"):
            continue  # a case's own file, which was checked out
        stored = content.put(layout, given.file)
        if stored.digest != given.digest:
            raise InputError(
                f"input '{name}': {given.file}",
                expected="the file that was checked",
                found="another content now",
                next_step="type the same command again",
            )
        _make_folder(place.parent, root, given.place)
        content.restore(layout, stored, place)
    return work


def _make_folder(folder: Path, root: Path, shown: str) -> None:
    """Make the folder of a given file where a capsule, which may be hostile, has its own files."""
    if not folder.resolve().is_relative_to(root):
        raise _in_the_way(shown, "a link that leads out of it", "don't trust this capsule")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        found = f"a file of the analysis where the folder '{changes.INPUTS}' should be"
        raise _in_the_way(shown, found, "rename that file in the analysis and capture it again") from None


def _in_the_way(shown: str, found: str, next_step: str) -> InputError:
    return InputError(
        f"{shown} can't be written", expected="a folder of the analysis", found=found, next_step=next_step
    )


def bench(request: Request, checked: Checked, work: Work, say: Callable[[str], None]) -> Bench:
    """Return the work folder with how it is run, and what is known of its steps.

    Raises:
        RelanceError: as `execution.engine`, or the case's configuration isn't there.
    """
    settings = Settings(
        outer=request.outer,
        runtime=request.runtime,
        trusted=request.trusted,
        cores=request.cores,
        limits=request.limits,
        values=values(checked, work),
        cache=request.cache,
        say=say,
    )
    engine = execution.engine(work, settings)
    steps = reuse.steps_of(request.store, request.parent, trusted=request.trusted)
    return Bench(work, settings, engine, steps)


def values(checked: Checked, work: Work) -> Mapping[str, object]:
    """Return what replaces values of the captured configuration: the case's file, then what was given."""
    if checked.configuration is None:
        return checked.settings
    place = work.lies(checked.configuration)
    if place is None or not place.is_file():
        raise InputError(
            f"{checked.configuration}, the configuration of case '{checked.case}'",
            expected="a file of the capsule",
            found="none",
            next_step="choose another case",
        )
    said = document.read(place).value
    return merged(said if isinstance(said, Mapping) else {}, checked.settings)


def _fetch(request: Request, later: Collection[CapsuleFile]) -> Fetch | None:
    now = [file for file in request.capsule.files if file.locations and file not in later]
    return fetching.fetcher(now, request.cache) if now else None
