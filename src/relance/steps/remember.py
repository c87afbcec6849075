"""Finished jobs of a recorded run become entries of the step store, and what they made is kept."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from relance.errors import InputError
from relance.model import UNKNOWN, Digest, FileDigest, JobRecord, JobTimes, RunRecord, Stored
from relance.steps import entries, key, ledger, order
from relance.steps.entries import Entry, EntryOutput, Member
from relance.steps.key import Ingredients, KeyContext, Unkeyed
from relance.steps.ledger import Made
from relance.steps.notes import MARK
from relance.store import content
from relance.store.hashing import Hasher, Memory
from relance.store.hashing import contents as files_below
from relance.store.layout import Layout
from relance.store.store import Store

LARGEST = 2_000_000_000
"""Bytes; of larger files only digests are remembered, if nobody asks for more."""


@dataclass(frozen=True)
class Keeping:
    """What of a run's products is kept, besides what is known of them."""

    cache: Path
    """File that remembers digests."""
    largest: int = LARGEST
    """Bytes; content of larger files is not kept."""
    told: Callable[[int], None] = lambda _: None
    """Hears the bytes as they are kept; called from several threads."""


@dataclass(frozen=True)
class Remembered:
    """What came of remembering a run."""

    steps: int
    """Finished jobs that can be reused from now on."""
    known_only: tuple[str, ...]
    """Outputs whose content is not kept: too large."""
    skipped: Mapping[str, str]
    """Why other finished jobs can't be reused, by rule."""


def remember(
    store: Store, record: RunRecord, analysis: Path, context: KeyContext, keeping: Keeping
) -> Remembered:
    """Make entries of a run's finished jobs, and keep the contents of what they made.

    Not remembered are jobs that have no key, and those whose outputs, inputs or source files changed after
    they began: nobody knows what they were then. What is temporary is known, but not kept. A job that the
    store knows already stays as it is known.

    Raises:
        InputError: a file can't be read, or changes meanwhile.
        OSError: the store can't be written to.
    """
    finished, skipped = _keyed(record, analysis, context)
    known = {file.path: file for file in record.files}
    ledger.note(analysis, dict(_made(finished, known)))
    layout = store.layout
    new = [job for job in finished if not _is_complete(store, layout, job)]
    with store.writing():
        contents = _contents(layout, analysis, new, keeping)
        done = len(finished) - len(new)
        known_only: list[str] = []
        for job in new:
            try:
                entry = job.entry(analysis, known, contents)
            except _ChangedError as error:
                skipped.setdefault(job.record.rule, str(error))
                continue
            entries.write(store, entry)
            done += 1
            known_only += [
                output.path
                for output in entry.outputs
                if output.path not in job.temporary and not entries.kept(layout, output)
            ]
    for job in finished:
        if job not in new:
            entries.touch(store, job.key)
    return Remembered(done, tuple(known_only), skipped)


class _ChangedError(Exception):
    """An output is not any more what the record says."""


@dataclass(frozen=True)
class _Finished:
    """A job that ended well, with what determines its result."""

    record: JobRecord
    times: JobTimes
    key: Digest
    ingredients: Ingredients

    @property
    def temporary(self) -> frozenset[str]:
        named = self.record.temporary
        return frozenset() if isinstance(named, str) else frozenset(named)

    def entry(
        self, analysis: Path, known: Mapping[str, FileDigest], contents: Mapping[Path, Stored]
    ) -> Entry:
        """Return the job's entry.

        Raises:
            _ChangedError: an output is not what the record says.
        """
        seconds = None
        if not isinstance(self.times.started, str) and not isinstance(self.times.ended, str):
            seconds = round(self.times.ended - self.times.started, 3)
        return Entry(
            self.key,
            self.ingredients,
            self.record.rule,
            seconds,
            tuple(_output(analysis, known[path], contents) for path in self.record.outputs),
            tuple(_log(analysis, path, contents) for path in self.record.logs if analysis / path in contents),
        )


def _keyed(record: RunRecord, analysis: Path, context: KeyContext) -> tuple[list[_Finished], dict[str, str]]:
    """Return the finished jobs of a record, and by rule why others have no key."""
    jobs = record.jobs
    needed = order.makers(jobs)
    files = {file.path: file.digest for file in record.files if file.digest != UNKNOWN}
    altered = frozenset(file.path for file in record.files if file.altered)
    former = ledger.read(analysis)
    keys: dict[int, Digest] = {}
    found: list[_Finished] = []
    skipped: dict[str, str] = {}
    for at in order.ordered(needed):
        job, times = jobs[at], record.times[at]
        if job.status != "ok":
            # What is gone of a job that didn't run now is what the run that made it left.
            for path in job.outputs:
                left = former.get(path)
                if left is not None and left.digest != UNKNOWN and path not in altered:
                    files.setdefault(path, left.digest)
            continue
        made = {path: keys[maker] for path, maker in needed[at].items() if maker in keys}
        why = _changed(job, times, analysis, altered)
        ingredients = Unkeyed(why) if why else key.ingredients(job, files, context, made)
        if isinstance(ingredients, Unkeyed):
            skipped.setdefault(job.rule, ingredients.why)
        else:
            keys[at] = key.of_ingredients(ingredients)
            found.append(_Finished(job, times, keys[at], ingredients))
    return found, skipped


def _changed(job: JobRecord, times: JobTimes, analysis: Path, altered: frozenset[str]) -> str:
    """Return what of a job isn't what it was when the job began or ended; empty if all is."""
    sources = () if isinstance(job.code.files, str) else job.code.files
    late = [path for path in (*job.inputs, *job.outputs, *sources) if path in altered]
    if isinstance(times.started, str):
        return "nobody knows when it began"
    late += [path for path in sources if _modified(analysis / path) > times.started]
    return f"{late[0]} was written after it began" if late else ""


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return float("inf")


def _made(finished: Iterable[_Finished], known: Mapping[str, FileDigest]) -> Iterator[tuple[str, Made]]:
    for job in finished:
        for path in job.record.outputs:
            if path in known:
                yield path, Made(job.key, known[path].digest)


def _is_complete(store: Store, layout: Layout, job: _Finished) -> bool:
    """Return whether the store has an entry of a job, with the contents of all that isn't temporary."""
    try:
        entry = entries.read(store, job.key)
    except InputError:
        return False
    return entry is not None and all(
        output.path in job.temporary or entries.kept(layout, output) for output in entry.outputs
    )


def _contents(
    layout: Layout, analysis: Path, jobs: Iterable[_Finished], keeping: Keeping
) -> Mapping[Path, Stored]:
    """Keep what jobs made and wrote to logs, as far as it is to be kept, and return what each file is."""
    kept: set[Path] = set()
    only_known: set[Path] = set()
    for job in jobs:
        for path in (*job.record.outputs, *job.record.logs):
            for file in _files(analysis / path):
                wanted = path not in job.temporary and file.stat().st_size <= keeping.largest
                (kept if wanted else only_known).add(file)
    memory = Memory(keeping.cache)
    contents = dict(content.put_all(layout, kept, cache=memory, told=keeping.told))
    memory.write()
    hasher = Hasher(keeping.cache, keeping.told)
    for file, found in hasher.files(only_known - kept).items():
        contents[file] = Stored(found, file.stat().st_size)
    return contents


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in files_below(path) if file.name != MARK]
    return [path] if path.is_file() else []


def _output(analysis: Path, file: FileDigest, contents: Mapping[Path, Stored]) -> EntryOutput:
    """Return an output as the record and the file system tell it."""
    path = analysis / file.path
    if file.kind == "gone":
        return EntryOutput(file.path, "gone", file.digest, file.size)
    members = (_member(path, "", contents),) if file.kind == "file" else tuple(_members(path, contents))
    found = EntryOutput(file.path, file.kind, file.digest, file.size, members)
    whole = entries.tree(found) if file.kind == "folder" else found.contents[0].digest
    if whole != file.digest:
        raise _ChangedError(f"{file.path} was written after it ended")
    return found


def _log(analysis: Path, path: str, contents: Mapping[Path, Stored]) -> EntryOutput:
    member = _member(analysis / path, "", contents)
    stored = contents[analysis / path]
    return EntryOutput(path, "file", stored.digest, stored.size, (member,))


def _members(folder: Path, contents: Mapping[Path, Stored]) -> Iterator[Member]:
    for path in sorted(folder.rglob("*")):
        if path.name != MARK:
            yield _member(path, path.relative_to(folder).as_posix(), contents)


def _member(path: Path, name: str, contents: Mapping[Path, Stored]) -> Member:
    if path.is_symlink() and name:
        return Member(name, link=str(path.readlink()))
    if path.is_dir():
        return Member(name)
    if path not in contents:
        raise _ChangedError(f"{path.name} appeared after it ended")
    return Member(name, contents[path], bool(path.stat().st_mode & stat.S_IXUSR))
