"""The workflow of a work folder read and run in a sandbox, recorded as any run is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from relance.engines import environments, leavings, snakemake
from relance.engines.base import Watch
from relance.engines.isolated import preparing
from relance.engines.isolated.engine import IsolatedEngine
from relance.engines.isolated.forged import MALFORMED, not_snakemakes
from relance.engines.isolated.start import Start
from relance.engines.limits import USUAL, Limits
from relance.engines.snakemake import RunFolder
from relance.errors import InputError
from relance.model import UNKNOWN, RunRecord, RunRequest, RunResult, RunStatus, RuntimeKind
from relance.recording import build, files, sources
from relance.recording.sources import Called, Graph
from relance.rerun import absent, configuration, images
from relance.rerun.folder import Work
from relance.rerun.images import Images

_MOST_NAMED = 5
_TIMEOUT = 600.0  # seconds that reading a workflow may take


@dataclass(frozen=True)
class Settings:
    """How a work folder is run."""

    outer: Mapping[str, str]
    """The caller's environment variables; what runs sees none of them."""
    runtime: RuntimeKind | None = None
    """What jobs run in; None: the first that works."""
    trusted: bool = False
    """Whether Snakemake runs on the machine itself, as `relance run` does; plain processes need it."""
    cores: int = 1
    values: Mapping[str, object] = field(default_factory=dict)
    """Values that replace those of the captured configuration; nested as in it."""
    targets: tuple[str, ...] = ()
    """Files to make; empty: what the Snakefile asks for first."""
    keep_going: bool = False
    arguments: tuple[str, ...] = ()
    """More arguments of Snakemake, such as `--forcerun reduce`."""
    limits: Limits = USUAL
    """What a run may take of this machine, unless it is trusted."""
    cache: Path = Path()
    """Folder for the environments of plain processes; the work folder if there is none."""
    say: Callable[[str], None] = lambda _text: None
    """Told what is done in place of something better, and what takes long."""
    progress: Callable[[int, int], None] = lambda _done, _all: None
    """Told, while the record is made, the bytes hashed and all there are to hash."""


@dataclass(frozen=True)
class Rerun:
    """What came of a run in a work folder.

    The record of a run that isn't trusted says what its workflow claims: which file came of which job. Never
    keep its jobs as steps that other analyses would take for done (`steps.remember`).
    """

    result: RunResult
    """Its status may be any: a failed step and an interruption are results, not exceptions."""
    record: RunRecord | None
    """None if nothing ran: the analysis was refused, or the run was interrupted."""
    path: Path | None
    """The record's file, beside the run's events."""


def engine(work: Work, settings: Settings) -> IsolatedEngine:
    """Choose and try what Snakemake and its jobs run in, and make the images ready for it.

    `graph` and `run` do this themselves where they aren't given one: it takes a moment.

    Raises:
        InputError: an image is damaged or hostile.
        MissingPartError: there is no sandbox on this machine, or no runtime for the jobs.
    """
    analysis = work.analysis
    # Work folders come and go; environments are known by what is in them, and serve the next as well.
    root = environments.root_for(work.folder, settings.cache, lambda *_: settings.cache == Path())
    locked = environments.of_analysis(analysis, root)
    return preparing.prepare(
        Images(work.store, work.capsule, analysis, settings.say).ready,
        work.runs,
        wanted=settings.runtime,
        trusted=settings.trusted,
        outer=settings.outer,
        outside=work.outside,
        locked=locked,
        bounds=settings.limits,
        say=settings.say,
    )


def reading(work: Work) -> RunFolder:
    """Return the folder that stands for a run's own while the graph is read: it holds the settings."""
    return RunFolder(work.runs / "reading")


def graph(
    work: Work, settings: Settings, by: IsolatedEngine | None = None, start: Start | None = None
) -> Graph:
    """Return the jobs that the workflow has with these values; nothing runs but the Snakefile's own Python.

    `start` is a Snakemake of `starting`, if there is one: it reads the graph itself where it is trusted.

    Raises:
        InputError: Snakemake refuses the workflow; its words are passed on.
        AnalysisError: what it told can't be read, as only a hostile workflow does it.
        MissingPartError: there is no sandbox on this machine.
    """
    runner = by or engine(work, settings)
    folder = reading(work)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.settings.unlink(missing_ok=True)
    request = _request(work, settings)
    snakemake.write_settings(request, folder)
    line = snakemake.arguments(request, runner.runtime.kind, folder, enclosed=True)
    at = line.index("--quiet")  # a refusal is told on the console alone: there are no events
    line = [*line[:at], *line[at + 2 :]]
    call = _Call(runner, work.analysis, (folder.settings,) if folder.settings.exists() else (), start)
    try:
        found, problem = sources.graph(line, work.analysis, {}, call)
    except MALFORMED as error:
        raise not_snakemakes(folder, error) from error
    if found is not None:
        _require_inside(work, (path for job in found.jobs for path in (*job["output"], *job["log"])))
    if found is None:
        lacking = ", ".join(file.path for file in work.missing[:_MOST_NAMED] if file.locations)
        raise InputError(
            "the workflow of the capsule can't be read",
            expected="Snakemake to list its jobs",
            found=problem or "nothing that it said",
            next_step=f"add --fetch: {lacking} is kept elsewhere, and comes only if that is asked for"
            if lacking
            else "give other values, or ask the capsule's authors",
        )
    return found


@contextmanager
def starting(work: Work, settings: Settings, by: IsolatedEngine) -> Iterator[Start]:
    """Start the Snakemake of `run`; it loads beside what the block does, and waits until `run` is called."""
    with by.starting(_request(work, settings)) as start:
        yield start


def run(  # noqa: PLR0917 - the last two are what was known before it
    work: Work,
    settings: Settings,
    watch: Watch,
    by: IsolatedEngine | None = None,
    start: Start | None = None,
    earlier: Sequence[Graph] = (),
) -> Rerun:
    """Run the workflow to its end and record it.

    What `steps.restore` put into the folder before is up to date for Snakemake and isn't run. `start` is a
    Snakemake of `starting` with the same settings, if there is one; `earlier` is as in `build.Request`.

    Raises:
        MissingPartError: there is no sandbox on this machine, or no runtime for the jobs.
        InputError: a file that jobs read or wrote can't be read.
        AnalysisError: what the run left can't be read, as only a hostile one does it.
    """
    runner = by or engine(work, settings)
    result = start.run(watch) if start else runner.run(_request(work, settings), watch)
    if result.status not in {RunStatus.OK, RunStatus.FAILED}:
        return Rerun(result, None, None)
    folder = RunFolder(result.record)
    kind = runner.runtime.kind
    ran = images.records(runner.images, kind)
    request = build.Request(
        work.analysis,
        folder.events,
        {},
        kind.value,
        runner.runtime.version or UNKNOWN,
        folder.graph,
        _Call(runner, work.analysis, (folder.settings,) if folder.settings.exists() else ()),
        lies=work.lies,
        images=ran,
        stand_ins=images.stand_ins(work.capsule, ran),
        earlier=earlier,
    )
    effects = build.Effects(work.digests, settings.say, settings.progress)
    try:
        record = build.record(request, effects)
    except MALFORMED as error:
        raise not_snakemakes(folder, error) from error
    _require_inside(work, (path for job in record.jobs for path in (*job.outputs, *job.logs)))
    record = absent.as_captured(record, work)
    return Rerun(result, record, files.write(record, folder.path))


def _require_inside(work: Work, paths: Iterable[str]) -> None:
    """Refuse a workflow that says its jobs write elsewhere: nobody must take such files for its results."""
    for path in paths:
        if work.lies(path) is None:
            raise InputError(
                "the workflow of the capsule can't be run in a folder of its own",
                expected="outputs and logs in the analysis's folder",
                found=leavings.printable(path),
                next_step="ask the capsule's authors; jobs could not have written there",
            )


def _request(work: Work, settings: Settings) -> RunRequest:
    chosen = configuration.of_run(work.capsule.run, settings.values)
    main = work.capsule.run.snakefile
    return RunRequest(
        analysis=work.analysis,
        configuration=work.analysis / chosen.file if chosen.file else None,
        settings=chosen.values,
        cores=settings.cores,
        keep_going=settings.keep_going,
        arguments=(*settings.arguments, *(("--", *settings.targets) if settings.targets else ())),
        snakefile=None if main == UNKNOWN else main.path,
    )


@dataclass(frozen=True)
class _Call:
    """Asks Snakemake for its graph in the sandbox that it runs in; see `recording.sources.Call`."""

    engine: IsolatedEngine
    analysis: Path
    shown: Sequence[Path]
    start: Start | None = None

    def __call__(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], scratch: Path
    ) -> Called:
        """Run a command in the work folder, whatever folder and environment the events tell."""
        del folder, environment
        if self.start is not None and self.start.reads:
            said = self.start.read(command)
            return Called(said.status, said.text)
        said = self.engine.enclosed(command, self.analysis, scratch, timeout=_TIMEOUT, shown=self.shown)
        return Called(said.status, said.text)
