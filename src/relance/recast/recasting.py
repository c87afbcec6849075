"""A recast from its check to its comparison; nothing is printed, and nothing lies half-written."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from relance import digest, document
from relance.capsule import results as captured
from relance.capsule.checkout import Fetch
from relance.capsule.model import Capsule
from relance.capture import truth
from relance.engines import leavings
from relance.engines.base import Watch
from relance.engines.limits import USUAL, Limits
from relance.errors import InputError, MissingPartError, RelanceError
from relance.model import Digest, RunRecord, RunResult, RunStatus, RuntimeKind
from relance.recast import auditing, changes, comparison, conditions, plots, record, reuse
from relance.recast.changes import CaseFiles, Changes, Checked
from relance.recast.model import Audited, Job, Planned, Recast
from relance.recast.reuse import Bench
from relance.rerun import execution
from relance.rerun import folder as rerun_folder
from relance.rerun.configuration import merged
from relance.rerun.execution import Settings
from relance.rerun.folder import Work
from relance.results import Results, reading
from relance.results.validation import judged
from relance.steps.plan import Plan
from relance.store import content
from relance.store.atomic import write_bytes, write_text
from relance.store.store import Store

TABLE = "results.txt"
_WORK = "work"
_LOCK = "lock"
_AUDIT = "audit"
_READY = "ready"


@dataclass(frozen=True)
class Request:
    """What to recast, and how."""

    store: Store
    parent: Digest
    """Of the capsule."""
    capsule: Capsule
    changes: Changes
    outer: Mapping[str, str] = field(default_factory=dict)
    """The caller's environment variables; jobs see none of them."""
    cache: Path = Path()
    """Folder for what can be made again."""
    runtime: RuntimeKind | None = None
    trusted: bool = False
    """Whether the capsule's Snakefile is run without a sandbox."""
    cores: int = 1
    reuse: bool = True
    audit: int = 0
    """How many restored jobs are run once more."""
    fetch: bool = False
    """Whether inputs that the capsule keeps by reference are brought first, by the network."""
    limits: Limits = USUAL
    """What it may take of this machine, unless it is trusted."""


@dataclass(frozen=True)
class Effects:
    """What a recast has on its caller."""

    say: Callable[[str], None]
    watching: Callable[[], AbstractContextManager[Watch]]
    """Entered for as long as jobs run."""


@dataclass(frozen=True)
class Unfinished:
    """A recast that a failed job, a refusal or a signal ended; the same request goes on."""

    folder: Path
    result: RunResult


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
        work = _prepared(request, checked, Path(temporary) / _WORK, say)
        settled = reuse.settle(_bench(request, checked, work, say), restoring=request.reuse, dry=True)
    identity = request.capsule.specification.identity
    return Planned(request.parent, identity.name, identity.version, checked, _jobs(settled.plan, None))


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
    with _claimed(folder), request.store.writing():
        former = _former(folder, beginning)
        if former is not None and former["status"] == "ok":
            return _again(request, checked, folder, former, effects.say)
        record.begin(folder, beginning)
        _tell_unheard(request, checked, effects.say)
        with ExitStack() as started:
            try:
                work = _work(request, checked, folder / _WORK, effects.say)
                bench = _bench(request, checked, work, effects.say)
                start = started.enter_context(execution.starting(work, bench.settings, bench.engine))
                settled = reuse.settle(bench, start, restoring=request.reuse)
            except RelanceError:
                if former is None:  # nothing ran: leave nothing either
                    started.close()
                    shutil.rmtree(folder / _WORK, ignore_errors=True)
                    (folder / record.NAME).unlink(missing_ok=True)
                raise
            drawing = plots.prepare(_captured(request, lambda _: None))
            with effects.watching() as watch:
                rerun = execution.run(work, bench.settings, watch, bench.engine, start, settled.readings)
        if rerun.record is not None:
            reuse.remember(rerun.record, bench, settled)
        if rerun.result.status is not RunStatus.OK:
            return Unfinished(folder, rerun.result)
        audited: tuple[Audited, ...] = ()
        chosen = auditing.sample(settled.plan, request.audit)
        if chosen:
            effects.say(f"running {len(chosen)} of the restored jobs once more")
            again = folder / _AUDIT
            shutil.rmtree(again, ignore_errors=True)
            fresh = _prepared(request, checked, again, effects.say)
            with effects.watching() as watch:
                audited = auditing.audit(_bench(request, checked, fresh, effects.say), chosen, watch)
            shutil.rmtree(again, ignore_errors=True)
        drawing.join()
        done = _compared(request, checked, work, effects.say)
        done = replace(
            done,
            jobs=_jobs(settled.plan, rerun.record),
            audit=audited,
            runtime=rerun.result.runtime,
            started=began,
            seconds=round(time.time() - began, 3),
        )
        if rerun.path is not None:
            _note_run(work, rerun.path)
        record.finish(done, beginning)
    return done


def _tell_unheard(request: Request, checked: Checked, say: Callable[[str], None]) -> None:
    declared = request.capsule.specification.interface.parameters
    asked = {name: declared[name] for name in checked.parameters}
    for text in truth.unheard(asked, captured.configuration(request.capsule)):
        say(text)


def folder_name(request: Request, checked: Checked) -> str:
    """Return what the folder of a recast is called if nobody says: the same for the same recast."""
    name = re.sub(r"[^\w.-]+", "_", request.capsule.specification.identity.name)
    told = digest.of_json([request.parent, checked.digest]).removeprefix("sha256:")
    return f"{name}-recast-{told[:8]}"


def _work(request: Request, checked: Checked, folder: Path, say: Callable[[str], None]) -> Work:
    """Return the work folder, that of an interrupted call if it can go on."""
    outside = any(file.path.startswith("/") for file in request.capsule.files)
    if (folder / _READY).exists() and not outside:
        work = Work(folder, request.store, request.capsule)
        # Whoever had it is gone, since nobody else may be in this folder.
        leavings.remove(work.analysis / ".snakemake" / "locks", work.analysis)
        return work
    shutil.rmtree(folder, ignore_errors=True)
    work = _prepared(request, checked, folder, say)
    (folder / _READY).touch()
    return work


def _bench(request: Request, checked: Checked, work: Work, say: Callable[[str], None]) -> Bench:
    settings = Settings(
        outer=request.outer,
        runtime=request.runtime,
        trusted=request.trusted,
        cores=request.cores,
        limits=request.limits,
        values=_values(checked, work),
        cache=request.cache,
        say=say,
    )
    engine = execution.engine(work, settings)
    steps = reuse.steps_of(request.store, request.parent, trusted=request.trusted)
    return Bench(work, settings, engine, steps)


def _note_run(work: Work, path: Path) -> None:
    """Put the run's record where those of an analysis lie, so that the recast can be captured."""
    place = work.analysis / ".snakemake" / "relance" / path.parent.name
    if work.lies(str(place.relative_to(work.analysis))) is None:
        return  # a link of the capsule leads elsewhere
    place.mkdir(parents=True, exist_ok=True)
    write_bytes(place / path.name, path.read_bytes())


def _prepared(request: Request, checked: Checked, folder: Path, say: Callable[[str], None]) -> Work:
    """Check the capsule out and put the given files where the configuration will say they are."""
    fetch = _fetch(request) if request.fetch else None
    work = rerun_folder.prepare(request.store, request.capsule, folder, say, fetch=fetch)
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
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.parent.resolve().is_relative_to(root):
            raise InputError(
                f"{given.place} can't be written",
                expected="a folder of the analysis",
                found="a link that leads out of it",
                next_step="don't trust this capsule",
            )
        content.restore(layout, stored, place)
    return work


def _fetch(request: Request) -> Fetch:
    from relance.capsule import fetching  # noqa: PLC0415 - what speaks with the network takes a while to load

    return fetching.fetcher(request.capsule.files, request.cache)


def _values(checked: Checked, work: Work) -> Mapping[str, object]:
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


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Make the folder of a recast and keep others out of it for as long as the block runs."""
    if folder.exists() and not (folder / record.NAME).exists() and set(_names(folder)) - {_LOCK}:
        raise InputError(
            f"{folder} can't be the folder of a recast",
            expected="a new or empty folder, or that of the same recast",
            found="other files",
            next_step="name another with -o DIR",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"{folder} is in use",
                expected="no other recast in it",
                found="one that goes on",
                next_step="wait for it, or name another folder with -o DIR",
            ) from error
        try:
            yield
        finally:
            if _names(folder) == [_LOCK]:
                shutil.rmtree(folder, ignore_errors=True)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else [folder.name]


def _former(folder: Path, beginning: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what an earlier call of the same recast left in its folder.

    Raises:
        InputError: another recast lies there.
    """
    former = record.read(folder)
    told = ("parent", "changes")
    if former is not None and record.same(former, beginning, told):
        return former
    if former is not None:
        raise InputError(
            f"{folder} holds another recast",
            expected="the same capsule and changes",
            found=f"{former['parent']['name']} with {json.dumps(former['changes']['settings'])}"[:200],
            next_step="name another folder with -o DIR",
        )
    return None


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
    done = _compared(request, checked, work, say)
    return record.completed(done, former)


def _compared(request: Request, checked: Checked, work: Work, say: Callable[[str], None]) -> Recast:
    """Read the results, compare them with the captured ones, and write table and plots."""
    specification = request.capsule.specification
    folder = work.folder.parent
    # What was asked for: what the workflow itself says of its configuration need not be true.
    configuration = merged(captured.configuration(request.capsule), _values(checked, work))
    found = reading.read(specification, work.analysis, configuration)
    known = _captured(request, say)
    case = specification.validation.get(checked.case or "")
    write_text(folder / TABLE, comparison.text(comparison.rows(known, found)) + "\n")
    return Recast(
        folder=folder,
        analysis=work.analysis,
        parent=request.parent,
        name=specification.identity.name,
        version=specification.identity.version,
        changes=checked,
        conditions=conditions.of(specification, configuration),
        captured=known,
        results=found,
        jobs=(),
        validation=judged(found, case) if case else (),
        plots=_draw(folder, known, found, say),
    )


def _captured(request: Request, say: Callable[[str], None]) -> Results | None:
    try:
        return captured.read(request.store.layout, request.capsule)
    except InputError as error:
        say(f"there is nothing to compare with: {error}")
        return None


def _draw(
    folder: Path, known: Results | None, found: Results, say: Callable[[str], None]
) -> tuple[Path, ...]:
    try:
        drawn = plots.draw(known, found)
    except MissingPartError as error:
        say(str(error))
        return ()
    written = []
    for kind, data in drawn.items():
        path = folder / f"limits.{kind}"
        write_bytes(path, data)
        written.append(path)
    return tuple(written)


def _jobs(planned: Plan, ran: RunRecord | None) -> tuple[Job, ...]:
    """Return what became of each job; those behind a checkpoint are known only from the record."""
    seconds = _seconds(ran) if ran is not None else {}
    known = tuple(
        Job(reuse.name(job.record), str(job.state), job.why, seconds.get(job.record.outputs))
        for job in planned.jobs
        if job.record.outputs
    )
    listed = {job.record.outputs for job in planned.jobs}
    behind = tuple(
        Job(reuse.name(job), "run", "made known by a checkpoint", seconds[job.outputs])
        for job in (ran.jobs if ran is not None else ())
        if job.outputs in seconds and job.outputs not in listed
    )
    return (*known, *behind)


def _seconds(ran: RunRecord) -> dict[tuple[str, ...], float]:
    """Return how long each job took that this run ran, by its outputs."""
    return {
        job.outputs: round(times.ended - times.started, 3)
        for job, times in zip(ran.jobs, ran.times, strict=True)
        if job.status == "ok" and not isinstance(times.ended, str) and not isinstance(times.started, str)
    }
