"""What `relance run` takes from the store instead of running it, and what it leaves there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from relance.cli.progress import counting
from relance.engines.local import Start
from relance.errors import named
from relance.model import RunRecord, RunRequest, StepPlan, StepProgress, StepState
from relance.recording import sources
from relance.recording.build import Effects
from relance.recording.sources import Called, Graph
from relance.specification import reading
from relance.specification.model import Outside
from relance.steps import entries, ledger, notes, remember, settle, situation
from relance.steps.plan import PlannedJob, State
from relance.steps.settle import Folders, Settled
from relance.steps.situation import Place, Runner
from relance.store.store import Store

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Size(click.ParamType[int]):
    """A number of bytes: `500MB`, `2 GB`, `all`, `none`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes; -1 for none."""
        if isinstance(value, int):
            return value
        text = str(value).strip().removesuffix("B")
        if text in {"all", "none"}:
            return -1 if text == "none" else 1 << 62
        number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "")
        try:
            return round(float(number) * _UNITS[unit])
        except (ValueError, KeyError):
            self.fail(f"{value!r} is no size: give one such as 500MB or 2GB, 'all' or 'none'", param, ctx)


@dataclass(frozen=True)
class Reuse:
    """The store as one run uses it."""

    start: Start
    store: Store
    say: Callable[[str], None]
    quiet: bool

    @property
    def request(self) -> RunRequest:
        """What is run."""
        return self.start.request

    def settle(self) -> Settled | None:
        """Plan the run and restore what needn't run; None if nothing is known, or nothing can be told.

        Raises:
            RelanceError: a file that jobs read can't be read.
        """
        analysis = self.request.analysis
        if notes.locked(analysis) or (entries.empty(self.store) and not ledger.read(analysis)):
            return None
        option = situation.harmful(self.request.arguments)
        if option is not None:
            self.say(f"nothing is taken from the store, since Snakemake is given {option}")
            return None
        with counting("reading what lies there", quiet=self.quiet) as progress:
            effects = Effects(digests(analysis), lambda _: None, progress)
            folders = Folders(analysis, self.start.folder)
            return settle.settle(
                self._graph, folders, self._runner, self.store, effects, dry=self.request.dry_run
            )

    def remember(self, record: RunRecord, known: Settled | None, largest: int) -> None:
        """Keep what finished jobs made.

        Raises:
            RelanceError: a file can't be read.
            OSError: the store can't be written to.
        """
        graph = sources.written_graph(self.start.folder.graph) or (known.graph if known else None)
        if graph is None:
            return
        analysis = self.request.analysis
        context = situation.context(Place(analysis, self.start.folder, graph), self._runner, record.run)
        with counting("keeping results", quiet=self.quiet) as progress:
            total = sum(file.size for file in record.files if not isinstance(file.size, str))
            done = 0

            def told(count: int) -> None:
                nonlocal done
                done += count
                progress(done, total)

            keeping = remember.Keeping(digests(analysis), largest, told)
            found = remember.remember(self.store, record, analysis, context, keeping)
        if found.known_only and largest >= 0:
            self.say(f"too large to be kept in the store (see --keep): {', '.join(found.known_only)}")

    def _graph(self) -> Graph | None:
        engine, folder = self.start.engine, self.start.folder
        arguments = engine.reading(self.request, folder)
        return sources.graph(arguments, self.request.analysis, {}, _Call(self.start))[0]

    @property
    def _runner(self) -> Runner:
        engine = self.start.engine
        runtime = engine.runtime
        declared = outside(self.request.analysis)
        surely = frozenset(one.written for one in engine.substitutes)
        return Runner(
            runtime.kind, runtime.version, engine.images, engine.environments, declared, surely=surely
        )


@dataclass(frozen=True)
class _Call:
    """Asks the Snakemake that is to run for its graph; see `recording.sources.Call`."""

    start: Start

    def __call__(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], scratch: Path
    ) -> Called:
        """Run a command in the folder and environment of the run."""
        del folder, environment, scratch
        answer = self.start.read(command)
        return Called(answer.status, answer.said)


def outside(analysis: Path) -> tuple[Outside, ...]:
    """Return what the specifications of an analysis say that it needs and nobody can hold.

    Raises:
        InputError: a specification can't be read.
    """
    paths = sorted((analysis / "specs").glob("*.yaml"))
    return tuple(
        one for path in paths if reading.is_specification(path) for one in reading.load(path).outside
    )


def told(settled: Settled) -> tuple[StepPlan, ...]:
    """Return a plan as a run's result tells it."""
    above = (StepPlan(name, "run", why) for name, why in _above(settled).items())
    known = (StepPlan(job.name, job.state.value, job.why) for job in settled.plan.jobs)
    return (*above, *known)


def planned(settled: Settled) -> tuple[StepProgress, ...]:
    """Return the steps that would run, as a dry run's result tells them."""
    above = [
        StepProgress(0, name, {}, StepState.RUNNING, 0.0, reason=why) for name, why in _above(settled).items()
    ]
    return (*above, *(_step(number, job) for number, job in enumerate(settled.plan.of(State.RUN), 1)))


def _above(settled: Settled) -> Mapping[str, str]:
    """Return what a dry run found to be outdated where Snakemake's graph has no step for it."""
    behind = "what is behind it is known only when it is done"
    found = settled.outdated.items() if settled.dry else ()
    return {f"the step that makes {path}": f"{why}; {behind}" for path, why in found}


def nothing_ran(record: RunRecord) -> RunRecord:
    """Return the record of a run in which all was restored, made from what lies there."""
    jobs = tuple(replace(job, status="not run", exit=None, attempts=0) for job in record.jobs)
    return replace(record, run=replace(record.run, status="ok"), jobs=jobs)


def summary(settled: Settled) -> Iterator[str]:
    """Yield what was done before the run, in words."""
    names = [job.name for job in settled.jobs]
    if names:
        size = sum(restored.size for restored in settled.restored)
        yield f"restored {len(names)} steps from the store ({size / 1e6:.1f} MB): {named(names)}"
    yield from (f"{path} is made again: {why}" for path, why in settled.outdated.items())
    removed = [path for restored in settled.restored for path in restored.removed]
    if removed:
        yield f"removed what earlier runs made of other code, parameters or inputs: {named(removed)}"
    for restored in settled.restored:
        yield from (f"not restored, so its step runs: {lost}" for lost in restored.lost)
    for job in settled.plan.jobs:
        if "protected" in job.why and job.state is State.REUSE:
            yield f"{job.name}: {job.why}"


def _step(number: int, job: PlannedJob) -> StepProgress:
    wildcards: Mapping[str, str] = {} if isinstance(job.record.wildcards, str) else job.record.wildcards
    return StepProgress(
        job=number,
        rule=job.record.rule,
        wildcards=wildcards,
        state=StepState.RUNNING,
        started=0.0,
        outputs=job.record.outputs,
        logs=job.record.logs,
        command=job.record.command or "",
        reason=job.why,
    )


def digests(analysis: Path) -> Path:
    """Return the file that remembers digests of an analysis's files."""
    return analysis / ".snakemake" / "relance" / "digests.json"
