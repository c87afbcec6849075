"""A recast from its check to its comparison; nothing is printed, and nothing lies half-written."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from relance.capsule import results as captured
from relance.capture import truth
from relance.errors import RelanceError
from relance.model import RunStatus
from relance.recast import auditing, changes, fetching, jobs, outcome, plots, preparing, record, reuse
from relance.recast import folder as recast_folder
from relance.recast.changes import CaseFiles, Checked
from relance.recast.model import Audited, Planned, Recast
from relance.recast.request import Effects, Request, Unfinished
from relance.rerun import absent, execution
from relance.rerun.folder import Work
from relance.steps.settle import Settled
from relance.store.atomic import write_bytes

_WORK = "work"
_AUDIT = "audit"


def check(request: Request) -> Checked:
    """Check all that is changed against the interface of the capsule; nothing is written.

    Raises:
        InputError: something isn't allowed; all of it is told.
    """
    files = CaseFiles(request.capsule.files, request.store.content / "blobs" / "sha256")
    configuration = captured.configuration(request.capsule)
    return changes.checked(request.capsule.specification, request.changes, configuration, files)


def plan(request: Request, checked: Checked, say: Callable[[str], None]) -> Planned:
    """Say which jobs a recast would run, and why; nothing is left behind.

    Raises:
        RelanceError: as `recast`, before anything runs.
    """
    _tell_unheard(request, checked, say)
    with tempfile.TemporaryDirectory(prefix="relance-recast-") as temporary:
        work = preparing.prepared(request, checked, Path(temporary) / _WORK, say)
        bench = preparing.bench(request, checked, work, say)
        settled = reuse.settle(bench, restoring=request.reuse, dry=True)
        needed = fetching.needed(settled, work)
        left = tuple(file for file in absent.held(work) if file not in needed)
    identity = request.capsule.specification.identity
    return Planned(
        request.parent,
        identity.name,
        identity.version,
        checked,
        jobs.of(settled.plan, None),
        {file.path: file.size for file in needed},
        {file.path: file.size for file in left},
    )


def recast(request: Request, checked: Checked, folder: Path, effects: Effects) -> Recast | Unfinished:
    """Run what the changes reach in a folder of its own, and compare the results with the captured ones.

    A folder in which the same recast was interrupted goes on; one in which it is done is only read.

    Raises:
        InputError: the folder holds something else; something of the capsule is damaged; the results can't
            be read.
        MissingPartError: this machine lacks a sandbox or a runtime.
    """
    began = time.time()
    folder = folder.resolve()
    specification = request.capsule.specification
    identity = specification.identity
    beginning = record.beginning(
        request.parent, identity.name, identity.version, checked, specification.interface
    )
    with recast_folder.claimed(folder), request.store.writing():
        former = recast_folder.former(folder, beginning)
        if former is not None and former["status"] == "ok":
            return _again(request, checked, folder, former, effects.say)
        record.begin(folder, beginning)
        _tell_unheard(request, checked, effects.say)
        with ExitStack() as started:
            try:
                work = preparing.resumed(request, checked, folder / _WORK, effects.say)
                bench = preparing.bench(request, checked, work, effects.say)
                start = started.enter_context(execution.starting(work, bench.settings, bench.engine))
                settled = reuse.settle(bench, start, restoring=request.reuse)
                fetching.bring(settled, work, request.cache, effects.say, allowed=request.fetch)
            except RelanceError:
                if former is None:  # nothing ran: leave nothing either
                    started.close()
                    shutil.rmtree(folder / _WORK, ignore_errors=True)
                    (folder / record.NAME).unlink(missing_ok=True)
                raise
            # Waited for however this ends: Python is aborted if it ends while matplotlib is being loaded.
            started.callback(plots.prepare(outcome.of_capsule(request, lambda _: None)).join)
            with effects.watching() as watch:
                rerun = execution.run(work, bench.settings, watch, bench.engine, start, settled.readings)
        if rerun.record is not None:
            reuse.remember(rerun.record, bench, settled)
        if rerun.result.status is not RunStatus.OK:
            return Unfinished(folder, rerun.result)
        audited: tuple[Audited, ...] = ()
        chosen = auditing.sample(settled.plan, request.audit)

        def supply(settled: Settled, work: Work) -> None:
            fetching.bring(settled, work, request.cache, effects.say, allowed=request.fetch)

        if chosen:
            effects.say(f"running {len(chosen)} of the restored jobs once more")
            again = folder / _AUDIT
            shutil.rmtree(again, ignore_errors=True)
            fresh = preparing.prepared(request, checked, again, effects.say)
            with effects.watching() as watch:
                bench = preparing.bench(request, checked, fresh, effects.say)
                audited = auditing.audit(bench, chosen, watch, supply)
            shutil.rmtree(again, ignore_errors=True)
        done = outcome.compared(request, checked, work, effects.say)
        done = replace(
            done,
            jobs=jobs.of(settled.plan, rerun.record),
            audit=audited,
            runtime=rerun.result.runtime,
            started=began,
            seconds=round(time.time() - began, 3),
        )
        absent.release(work)
        if rerun.path is not None:
            _note_run(work, rerun.path)
        record.finish(done, beginning)
    return done


def _again(
    request: Request,
    checked: Checked,
    folder: Path,
    former: Mapping[str, Any],
    say: Callable[[str], None],
) -> Recast:
    """Return a recast that was done before, from its folder."""
    say(f"this recast is done already, in {folder}")
    work = Work(folder / _WORK, request.store, request.capsule)
    done = outcome.compared(request, checked, work, say)
    return record.completed(done, former)


def _tell_unheard(request: Request, checked: Checked, say: Callable[[str], None]) -> None:
    declared = request.capsule.specification.interface.parameters
    asked = {name: declared[name] for name in checked.parameters}
    for text in truth.unheard(asked, captured.configuration(request.capsule)):
        say(text)


def _note_run(work: Work, path: Path) -> None:
    """Put the run's record where those of an analysis lie, so that the recast can be captured."""
    place = work.analysis / ".snakemake" / "relance" / path.parent.name
    if work.lies(str(place.relative_to(work.analysis))) is None:
        return  # a link of the capsule leads elsewhere
    place.mkdir(parents=True, exist_ok=True)
    write_bytes(place / path.name, path.read_bytes())
