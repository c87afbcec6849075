"""Before a run: the graph read, a plan made, and the folder made what the plan says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relance.engines.snakemake import RunFolder
from relance.recording.build import Effects
from relance.recording.sources import Graph
from relance.steps import behind, ledger, situation
from relance.steps.plan import Plan, PlannedJob, Situation, State
from relance.steps.planning import plan
from relance.steps.restore import Restored, remove, restore
from relance.steps.situation import Place, Runner
from relance.store.hashing import Hasher
from relance.store.store import Store

_UNSEEN = (
    "it was restored for another configuration, and only a run finds out whether it is right for this one"
)


@dataclass(frozen=True)
class Folders:
    """Where a run takes place."""

    analysis: Path
    run: RunFolder
    """The run's own, with the values given for it."""
    lies: Callable[[str], Path | None] | None = None
    """As `recording.build.Request` has it."""


@dataclass(frozen=True)
class Settled:
    """What became of an analysis's folder before a run."""

    graph: Graph
    """As it is then."""
    plan: Plan
    """Of all jobs that are known then."""
    restored: tuple[Restored, ...]
    """What was done; nothing in a dry run."""
    outdated: Mapping[str, str] = field(default_factory=dict)
    """Results of checkpoints that are done, and of what is above them, that are right no more; and why."""
    dry: bool = False
    """Whether all is left as it was."""
    readings: tuple[Graph, ...] = ()
    """The graph each time that it was read: once a checkpoint is there it has the jobs above no more."""

    @property
    def jobs(self) -> tuple[PlannedJob, ...]:
        """The jobs that something was restored of, checkpoints first."""
        found = {job.record.outputs: job for restored in self.restored for job in restored.jobs}
        return tuple(found.values())

    @property
    def runs(self) -> bool:
        """Whether anything is left to do for Snakemake."""
        lost = any(restored.lost for restored in self.restored)
        return lost or bool(self.plan.of(State.RUN) or self.plan.behind or self.outdated)


def settle(
    read: Callable[[], Graph | None],
    folders: Folders,
    runner: Runner,
    store: Store,
    effects: Effects,
    *,
    dry: bool = False,
    links: bool = True,
    adjusted: Callable[[Situation], Situation] = lambda found: found,
) -> Settled | None:
    """Plan a run and restore what needs no running; None if the graph can't be read.

    A checkpoint that can be restored comes first: then the graph is read again, since more jobs are known.

    Args:
        read: asks Snakemake for the graph.
        folders: where the run takes place.
        runner: what will run the jobs.
        store: where results are known.
        effects: as of making a record.
        dry: only plan.
        links: as `restore` has it.
        adjusted: what the caller knows besides of what is there and of what determines results.

    Raises:
        InputError: a file that jobs read can't be read, or changes meanwhile.
    """
    done: list[Restored] = []
    readings: list[Graph] = []
    outdated: dict[str, str] = {}
    before: tuple[tuple[str, ...], ...] | None = None
    looked = False
    while True:
        graph = read()
        if graph is None:
            return None
        readings.append(graph)
        place = Place(folders.analysis, folders.run, graph, folders.lies)
        there = adjusted(situation.read(place, runner, effects))
        hashes = behind.hasher(folders.analysis, Hasher(effects.cache).files)
        stale = behind.outdated(there, store, hashes)
        outdated |= stale
        if stale and not dry:
            remove(folders.analysis, stale)
            continue
        workflow = behind.fingerprint(graph, hashes, folders.lies)
        unseen = () if looked else behind.unseen(there, store, hashes, folders.analysis, workflow)
        looked = True
        if dry:
            outdated |= dict.fromkeys(unseen, _UNSEEN)
        elif unseen:
            remove(folders.analysis, unseen)
            continue
        found = plan(there, store)
        first = tuple(job for job in found.first if job.changes)
        names = tuple(job.record.outputs for job in first)
        if dry or not first or names == before:
            break
        before = names
        done.append(restore(first, folders.analysis, store, links=links))
    if not dry and any(job.changes for job in found.jobs):
        done.append(restore(found.jobs, folders.analysis, store, links=links))
    if not dry:
        put_back = (output.path for part in done for job in part.jobs for output in job.restored)
        ledger.note_seen(folders.analysis, put_back, workflow)
    return Settled(graph, found, tuple(done), outdated, dry, tuple(readings))
