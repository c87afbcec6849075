"""What a plan is made from and what it says: the jobs of a workflow, and what becomes of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from relance.model import Digest, JobRecord
from relance.steps import order
from relance.steps.entries import Entry, EntryOutput
from relance.steps.key import KeyContext
from relance.steps.ledger import Made


@dataclass(frozen=True)
class Asked:
    """A job of the graph, before anything runs."""

    record: JobRecord
    checkpoint: bool = False
    """Whether the graph behind it is known only when it is done."""
    pending: bool = True
    """Whether Snakemake would run it, if nothing were restored."""
    reason: str = ""
    """Why it would, in Snakemake's words."""
    never: str = ""
    """Why it can't be reused, if something else than its key tells that."""


@dataclass(frozen=True)
class Situation:
    """An analysis as it is before a run."""

    jobs: tuple[Asked, ...]
    targets: tuple[str, ...]
    """What is asked for."""
    context: KeyContext
    digests: Mapping[str, Digest]
    """Of all that lies there, complete: source files, inputs, and outputs of earlier runs; by path."""
    made: Mapping[str, Made] = field(default_factory=dict)
    """What is known of the outputs of earlier runs; see `relance.steps.ledger`."""
    protected: frozenset[str] = frozenset()
    """Outputs that lie there and can't be written to."""
    broken: frozenset[str] = frozenset()
    """Outputs that lie there half-written."""
    known: Mapping[Digest, Entry] = field(default_factory=dict)
    """Entries that count besides those of the store, for this plan alone: what a capsule says of its jobs."""


class State(StrEnum):
    """What becomes of a job."""

    REUSE = "reuse"
    """Nothing: what it makes lies there, or nobody needs it."""
    RESTORE = "restore"
    RUN = "run"


@dataclass(frozen=True)
class PlannedJob:
    """A job and what becomes of it."""

    record: JobRecord
    state: State
    why: str
    key: Digest | None
    """None: it is never reused."""
    entry: Entry | None = None
    """What the store knows of it."""
    restored: tuple[EntryOutput, ...] = ()
    """Outputs that are put back."""
    removed: tuple[str, ...] = ()
    """Outputs of an earlier run that are right no more."""
    settled: tuple[str, ...] = ()
    """Outputs that lie there and are right, but that Snakemake would make again; they get a new time."""
    forgotten: tuple[str, ...] = ()
    """Outputs of which Snakemake's own notes are right no more."""
    opens: bool = False
    """Whether more jobs become known when it is done: a checkpoint that Snakemake holds for undone."""

    @property
    def name(self) -> str:
        """The rule with its wildcards, as people tell jobs apart."""
        wildcards = {} if isinstance(self.record.wildcards, str) else self.record.wildcards
        return " ".join([self.record.rule, *(f"{name}={value}" for name, value in wildcards.items())])

    @property
    def changes(self) -> bool:
        """Whether something has to be restored, removed or settled before Snakemake starts."""
        return bool(self.restored or self.removed or self.settled or self.forgotten)


@dataclass(frozen=True)
class Plan:
    """What becomes of every job that the graph has."""

    jobs: tuple[PlannedJob, ...]
    """Each after those that it needs."""
    targets: tuple[str, ...]

    def of(self, state: State) -> tuple[PlannedJob, ...]:
        """Return the jobs of one state."""
        return tuple(job for job in self.jobs if job.state is state)

    @property
    def first(self) -> tuple[PlannedJob, ...]:
        """Checkpoints that need not run, and what is above them.

        With them restored, the graph has to be read again, and planned.
        """
        needed = order.makers([job.record for job in self.jobs])
        waiting = [at for at, job in enumerate(self.jobs) if job.opens and job.state is not State.RUN]
        found: set[int] = set()
        while waiting:
            at = waiting.pop()
            if at not in found:
                found.add(at)
                waiting += needed[at].values()
        return tuple(self.jobs[at] for at in sorted(found) if self.jobs[at].state is not State.RUN)

    @property
    def behind(self) -> tuple[str, ...]:
        """Checkpoints that aren't done: the jobs behind them are not yet known."""
        return tuple(sorted({job.record.rule for job in self.jobs if job.opens}))
