"""Which jobs of a workflow run, which are restored, and which need nothing; nothing happens here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from relance.errors import InputError
from relance.model import UNKNOWN, Digest, JobRecord, Unknown
from relance.steps import difference, entries, key, order
from relance.steps.entries import Entry, EntryOutput
from relance.steps.key import Ingredients, KeyContext, Unkeyed
from relance.steps.ledger import Made
from relance.store.layout import Layout
from relance.store.store import Store


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


@dataclass(frozen=True)
class _Content:
    """What is known of an output as it will be."""

    digest: Digest | None = None
    key: Digest | None = None
    """Of the job that makes it, if its content is known to nobody."""


@dataclass
class _Job:
    """A job while it is judged."""

    asked: Asked
    makers: dict[str, _Job]
    """Who makes its inputs, by input."""
    ingredients: Ingredients | None = None
    key: Digest | None = None
    unkeyed: str = ""
    """Why it has no key."""
    entry: Entry | None = None
    damaged: bool = False
    """Whether there is an entry that can't be read."""
    right: bool = False
    """Whether what lies there of it is what a job with its key made."""
    stale: bool = False
    """Whether what lies there was made by, or from, something else."""
    disturbed: bool = False
    """Whether something that it reads is restored beneath it."""
    behind: str = ""
    """The input that is made by a job that runs, if there is one."""
    state: State = State.REUSE
    why: str = ""
    restored: tuple[EntryOutput, ...] = ()
    touched: bool = False
    """Whether its outputs get a new time."""

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.asked.record.outputs

    @property
    def temporary(self) -> frozenset[str]:
        named = self.asked.record.temporary
        return frozenset() if isinstance(named, str) else frozenset(named)

    @property
    def unsure(self) -> bool:
        """Whether Snakemake doesn't know yet what this checkpoint will open."""
        return self.asked.checkpoint and self.asked.pending

    def output(self, path: str) -> EntryOutput | None:
        return self.entry.output(path) if self.entry else None


def plan(situation: Situation, store: Store) -> Plan:
    """Say what becomes of each job.

    A job runs if what is needed of it neither lies there, right, nor can be restored, and if a job runs that
    it reads from. Needed are the targets, and what jobs read that run.
    """
    layout = store.layout
    jobs = _linked(situation.jobs)
    contents: dict[str, _Content] = {}
    for job in jobs:
        _judge(job, situation, store, contents)
    while True:
        _decide(jobs, situation, layout)
        if not _spread(jobs):
            break
    return Plan(tuple(_planned(job, situation, store) for job in jobs), situation.targets)


def _linked(asked: Sequence[Asked]) -> list[_Job]:
    """Return the jobs, each with those that make its inputs, and after them."""
    jobs = [_Job(one, {}) for one in asked]
    needed = order.makers([one.record for one in asked])
    for job, makers in zip(jobs, needed, strict=True):
        job.makers = {path: jobs[at] for path, at in makers.items()}
    return [jobs[at] for at in order.ordered(needed)]


def _judge(job: _Job, situation: Situation, store: Store, contents: dict[str, _Content]) -> None:
    """Find a job's key and entry, and what its outputs will be as far as that is known before it runs."""
    coming = {path: _coming(path, job, situation, contents) for path in job.asked.record.inputs}
    found = _ingredients(job, situation, coming)
    if isinstance(found, Unkeyed):
        job.unkeyed = found.why
    else:
        job.ingredients, job.key = found, key.of_ingredients(found)
        try:
            job.entry = entries.read(store, job.key)
        except InputError:
            job.damaged = True
        job.entry = _fuller(job.entry, situation.known.get(job.key), store.layout)
    job.right = _is_right(job, situation)
    job.stale = not job.right and (
        any(_outdated(path, job, situation) for path in job.outputs)
        or any(
            maker.stale and coming[path].digest not in _former(path, situation)
            for path, maker in job.makers.items()
        )
    )
    for path in job.outputs:
        contents[path] = _will_be(path, job, situation)


def _fuller(stored: Entry | None, known: Entry | None, layout: Layout) -> Entry | None:
    """Return the store's entry of a job, or the other if that one alone can be restored whole."""
    if stored is None or known is None:
        return stored or known
    lost = [output.path for output in stored.outputs if not entries.kept(layout, output)]
    same = [output.digest for output in stored.outputs] == [output.digest for output in known.outputs]
    return known if lost and same else stored


def _former(path: str, situation: Situation) -> set[Digest | Unknown]:
    """Return what an output was when what lies there was made of it, as far as that is known."""
    made = situation.made.get(path)
    found = situation.digests.get(path, made.digest if made is not None else None)
    return set() if found is None else {found}


def _ingredients(job: _Job, situation: Situation, coming: Mapping[str, _Content]) -> Ingredients | Unkeyed:
    if job.asked.never:
        return Unkeyed(job.asked.never)
    for path, content in coming.items():
        maker = job.makers.get(path)
        if maker is not None and maker.unsure:
            return Unkeyed(f"what it reads is known only when '{maker.asked.record.rule}' is done")
        if content == _Content():
            return Unkeyed(f"input {path} is {'not there' if maker is None else 'made by a step that runs'}")
    record = job.asked.record
    sources = () if isinstance(record.code.files, str) else record.code.files
    files = {path: situation.digests[path] for path in sources if path in situation.digests}
    if not isinstance(record.code.files, str) and len(files) < len(set(sources)):
        return Unkeyed("one of its source files is not there")
    files |= {path: content.digest for path, content in coming.items() if content.digest is not None}
    made = {path: content.key for path, content in coming.items() if content.key is not None}
    return key.ingredients(record, files, situation.context, made)


def _coming(path: str, job: _Job, situation: Situation, contents: Mapping[str, _Content]) -> _Content:
    """Return what an input will be when its job reads it."""
    maker = job.makers.get(path)
    if maker is None:
        return _Content(situation.digests.get(path))
    if path in contents:
        return contents[path]
    folder = next(name for name in order.and_folders(path) if name in maker.outputs)
    if path in situation.digests and contents.get(folder) == _Content(situation.digests.get(folder)):
        return _Content(situation.digests[path])
    output = maker.output(folder)
    name = str(PurePosixPath(path).relative_to(folder))
    for member in output.members if output else ():
        if member.path == name and member.stored is not None:
            return _Content(member.stored.digest)
    return _Content()


def _is_right(job: _Job, situation: Situation) -> bool:
    """Return whether all that lies there of a job is what one with its key made: here, or for the store."""
    lying = _lying(job, situation)
    if job.key is None or not lying:
        return False
    agrees = [_agrees(path, job, situation) for path in lying]
    if all(agrees):
        return True
    whole = len(lying) == len(set(job.outputs) - job.temporary | set(lying))
    return whole and all(
        agreed or _known_here(path, job, situation) for path, agreed in zip(lying, agrees, strict=True)
    )


def _lying(job: _Job, situation: Situation) -> list[str]:
    return [path for path in job.outputs if path in situation.digests]


def _agrees(path: str, job: _Job, situation: Situation) -> bool:
    output = job.output(path)
    return output is not None and output.digest == situation.digests[path]


def _known_here(path: str, job: _Job, situation: Situation) -> bool:
    made = situation.made.get(path)
    return made is not None and made == Made(job.key or Digest(""), situation.digests[path])


def _is_ours(path: str, situation: Situation) -> bool:
    """Return whether what lies there is what an earlier run made, and nobody touched since."""
    made = situation.made.get(path)
    return made is not None and made.digest == situation.digests[path]


def _outdated(path: str, job: _Job, situation: Situation) -> bool:
    """Return whether an output is surely what a job with another key made, and nobody touched since."""
    made = situation.made.get(path)
    return (
        job.key is not None
        and made is not None
        and made.key != job.key
        and situation.digests.get(path, made.digest) == made.digest
        and not (path in situation.digests and _agrees(path, job, situation))
    )


def _will_be(path: str, job: _Job, situation: Situation) -> _Content:
    """Return what an output will be when all is done; nothing if its job has to run for that."""
    if path in situation.digests and (job.right or _content_enough(job)):
        return _Content(situation.digests[path])
    made = situation.made.get(path)
    output = job.output(path)
    if made is not None and made.key == job.key and (output is None or path in job.temporary):
        return _Content(key=job.key) if made.digest == UNKNOWN else _Content(made.digest)
    if output is None:
        return _Content()
    return _Content(key=job.key) if output.digest == UNKNOWN else _Content(output.digest)


def _content_enough(job: _Job) -> bool:
    """Return whether Snakemake is content with what lies there, and nobody knows better."""
    return not (job.asked.pending or job.stale or job.disturbed)


def _decide(jobs: Sequence[_Job], situation: Situation, layout: Layout) -> None:
    """Give each job its state, from the targets to the raw inputs."""
    needed = set(situation.targets)
    for job in reversed(jobs):
        wanted = [path for path in job.outputs if path in needed]
        if job.asked.pending and not job.right:
            # Snakemake would renew what lies there of it, and all that was made of that.
            wanted += [path for path in _lying(job, situation) if not _outdated(path, job, situation)]
        job.restored, job.why = (), ""
        if not job.outputs:
            job.state, job.why = State.RUN, "it makes no file that could be kept"
        elif job.behind:
            job.state, job.why = State.RUN, f"input {job.behind} is made by a step that runs"
        elif job.disturbed:
            job.state, job.why = State.RUN, "what it reads is restored, and nobody knows what it was made of"
        elif not wanted:
            job.state, job.why = State.REUSE, "nothing that it makes is needed"
        else:
            _choose(job, list(dict.fromkeys(wanted)), situation, layout)
        if job.state is State.RUN:
            for path in job.asked.record.inputs:
                needed.update(order.and_folders(path) if path in job.makers else ())


def _choose(job: _Job, wanted: Sequence[str], situation: Situation, layout: Layout) -> None:
    missing = [path for path in wanted if path not in situation.digests]
    if not missing and job.right:
        job.state, job.why = State.REUSE, "its results lie there"
        return
    if not missing and _content_enough(job):
        doubt = "nobody recorded what made them" if job.key else job.unkeyed
        job.state, job.why = State.REUSE, f"its results lie there, as Snakemake sees it; {doubt}"
        return
    protected = [path for path in wanted if path in situation.protected]
    if protected and not missing and not job.asked.pending:
        # Not ours to remove: whoever protected it wants to be asked.
        job.why = f"{protected[0]} is outdated, but protected: remove it to renew it"
        job.state = State.REUSE
        return
    if job.entry is None:
        job.state = State.RUN
        return
    lacking = [
        path for path in job.outputs if path not in situation.digests or not _agrees(path, job, situation)
    ]
    kept = {path: output for path in lacking if (output := _kept(layout, job.output(path)))}
    lost = [path for path in wanted if path in lacking and path not in kept]
    if lost:
        job.state, job.why = State.RUN, f"{lost[0]} is known, but its content is not kept in the store"
        return
    job.state, job.why, job.restored = State.RESTORE, "the store has its results", tuple(kept.values())


def _kept(layout: Layout, output: EntryOutput | None) -> EntryOutput | None:
    return output if output is not None and entries.kept(layout, output) else None


def _spread(jobs: Sequence[_Job]) -> bool:
    """Mark jobs that Snakemake will run for what happens before them; return whether there are new ones."""
    found = False
    for job in jobs:
        job.touched = job.state is State.REUSE and job.right and job.asked.pending
        for path, maker in job.makers.items():
            if maker.state is State.RUN and not job.behind:
                job.behind, found = path, True
            if job.state is not State.REUSE:
                continue
            if job.right:
                job.touched = job.touched or bool(maker.restored) or maker.touched
            elif maker.restored and not job.disturbed:
                job.disturbed, found = True, True
    return found


def _planned(job: _Job, situation: Situation, store: Store) -> PlannedJob:
    lying = _lying(job, situation)
    # What Snakemake doesn't know to be outdated it would keep, whatever runs before.
    unseen = job.state is State.RUN and not job.asked.pending
    outdated = [
        path
        for path in lying
        if path not in situation.protected and not job.right
        if _outdated(path, job, situation) or (unseen and _is_ours(path, situation))
    ]
    restored = {output.path for output in job.restored}
    # Those of a job that runs are Snakemake's own matter.
    broken = [path for path in job.outputs if path in situation.broken and job.state is not State.RUN]
    settled: tuple[str, ...] = ()
    if job.touched or job.state is State.RESTORE:
        settled = tuple(path for path in lying if path not in restored and path not in outdated)
    return PlannedJob(
        job.asked.record,
        job.state,
        job.why or _why(job, situation, store),
        job.key,
        job.entry,
        job.restored,
        (*(path for path in (*outdated, *broken) if path not in restored),),
        settled,
        job.outputs if (job.asked.pending or job.restored) and job.state is not State.RUN else (),
        job.unsure,
    )


def _why(job: _Job, situation: Situation, store: Store) -> str:
    """Say why a job runs that the store doesn't know."""
    if job.damaged:
        return "its entry in the store is damaged"
    if job.ingredients is None:
        told = f" ({job.asked.reason})" if job.asked.reason else ""
        return f"it is not reused, for {job.unkeyed}{told}"
    alike = [
        entry
        for entry in situation.known.values()
        if tuple(output.path for output in entry.outputs) == tuple(job.outputs)
    ]
    differs = difference.nearest(job.ingredients, [*alike, *entries.alike(store, job.outputs)])
    return differs or "the store knows no such step"
