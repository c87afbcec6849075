"""What is known of each job before anything runs: its key, its entry, what lies there, what will be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from relance.errors import InputError
from relance.model import UNKNOWN, Digest, Unknown
from relance.steps import entries, key, order
from relance.steps.entries import Entry, EntryOutput
from relance.steps.key import Ingredients, Unkeyed
from relance.steps.ledger import Made
from relance.steps.plan import Asked, Situation, State
from relance.store.layout import Layout
from relance.store.store import Store


@dataclass(frozen=True)
class Content:
    """What is known of an output as it will be."""

    digest: Digest | None = None
    key: Digest | None = None
    """Of the job that makes it, if its content is known to nobody."""


@dataclass
class Job:
    """A job while it is judged."""

    asked: Asked
    makers: dict[str, Job]
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
        """What it makes."""
        return self.asked.record.outputs

    @property
    def temporary(self) -> frozenset[str]:
        """What of it Snakemake removes once it was read."""
        named = self.asked.record.temporary
        return frozenset() if isinstance(named, str) else frozenset(named)

    @property
    def unsure(self) -> bool:
        """Whether Snakemake doesn't know yet what this checkpoint will open."""
        return self.asked.checkpoint and self.asked.pending

    def output(self, path: str) -> EntryOutput | None:
        """Return what the store knows of an output."""
        return self.entry.output(path) if self.entry else None


def linked(asked: Sequence[Asked]) -> list[Job]:
    """Return the jobs, each with those that make its inputs, and after them."""
    jobs = [Job(one, {}) for one in asked]
    needed = order.makers([one.record for one in asked])
    for job, makers in zip(jobs, needed, strict=True):
        job.makers = {path: jobs[at] for path, at in makers.items()}
    return [jobs[at] for at in order.ordered(needed)]


def judge(job: Job, situation: Situation, store: Store, contents: dict[str, Content]) -> None:
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
        any(is_outdated(path, job, situation) for path in job.outputs)
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


def _ingredients(job: Job, situation: Situation, coming: Mapping[str, Content]) -> Ingredients | Unkeyed:
    if job.asked.never:
        return Unkeyed(job.asked.never)
    for path, content in coming.items():
        maker = job.makers.get(path)
        if maker is not None and maker.unsure:
            return Unkeyed(f"what it reads is known only when '{maker.asked.record.rule}' is done")
        if content == Content():
            return Unkeyed(f"input {path} is {'not there' if maker is None else 'made by a step that runs'}")
    record = job.asked.record
    sources = () if isinstance(record.code.files, str) else record.code.files
    files = {path: situation.digests[path] for path in sources if path in situation.digests}
    files |= {path: content.digest for path, content in coming.items() if content.digest is not None}
    made = {path: content.key for path, content in coming.items() if content.key is not None}
    return key.ingredients(record, files, situation.context, made)


def _coming(path: str, job: Job, situation: Situation, contents: Mapping[str, Content]) -> Content:
    """Return what an input will be when its job reads it."""
    maker = job.makers.get(path)
    if maker is None:
        return Content(situation.digests.get(path))
    if path in contents:
        return contents[path]
    folder = next(name for name in order.and_folders(path) if name in maker.outputs)
    if path in situation.digests and contents.get(folder) == Content(situation.digests.get(folder)):
        return Content(situation.digests[path])
    output = maker.output(folder)
    name = str(PurePosixPath(path).relative_to(folder))
    for member in output.members if output else ():
        if member.path == name and member.stored is not None:
            return Content(member.stored.digest)
    return Content()


def _is_right(job: Job, situation: Situation) -> bool:
    """Return whether all that lies there of a job is what one with its key made: here, or for the store."""
    there = lying(job, situation)
    if job.key is None or not there:
        return False
    agreed = [agrees(path, job, situation) for path in there]
    if all(agreed):
        return True
    whole = len(there) == len(set(job.outputs) - job.temporary | set(there))
    return whole and all(
        is_agreed or _known_here(path, job, situation) for path, is_agreed in zip(there, agreed, strict=True)
    )


def lying(job: Job, situation: Situation) -> list[str]:
    """Return the outputs that lie there."""
    return [path for path in job.outputs if path in situation.digests]


def agrees(path: str, job: Job, situation: Situation) -> bool:
    """Return whether an output that lies there is what the store says."""
    output = job.output(path)
    return output is not None and output.digest == situation.digests[path]


def _known_here(path: str, job: Job, situation: Situation) -> bool:
    made = situation.made.get(path)
    return made is not None and made == Made(job.key or Digest(""), situation.digests[path])


def is_ours(path: str, situation: Situation) -> bool:
    """Return whether what lies there is what an earlier run made, and nobody touched since."""
    made = situation.made.get(path)
    return made is not None and made.digest == situation.digests[path]


def is_outdated(path: str, job: Job, situation: Situation) -> bool:
    """Return whether an output is surely what a job with another key made, and nobody touched since."""
    made = situation.made.get(path)
    return (
        job.key is not None
        and made is not None
        and made.key != job.key
        and situation.digests.get(path, made.digest) == made.digest
        and not (path in situation.digests and agrees(path, job, situation))
    )


def _will_be(path: str, job: Job, situation: Situation) -> Content:
    """Return what an output will be when all is done; nothing if its job has to run for that."""
    if path in situation.digests and (job.right or is_enough(job)):
        return Content(situation.digests[path])
    made = situation.made.get(path)
    output = job.output(path)
    if made is not None and made.key == job.key and (output is None or path in job.temporary):
        return Content(key=job.key) if made.digest == UNKNOWN else Content(made.digest)
    if output is None:
        return Content()
    return Content(key=job.key) if output.digest == UNKNOWN else Content(output.digest)


def is_enough(job: Job) -> bool:
    """Return whether Snakemake is content with what lies there, and nobody knows better."""
    return not (job.asked.pending or job.stale or job.disturbed)
