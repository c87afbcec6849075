"""What a capsule knows of its jobs, as entries like those of the step store.

They stand for this capsule's own jobs only and never go into the store: whoever made the capsule may say of a
job what is not true, and other analyses have the same jobs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from relance.capsule.model import Capsule, CapsuleFile
from relance.errors import InputError
from relance.model import UNKNOWN, Digest, Stored
from relance.steps import entries, key
from relance.steps.entries import Entry, EntryOutput, Member
from relance.steps.key import KeyContext, Unkeyed
from relance.store.store import Store


def known(capsule: Capsule, context: KeyContext) -> dict[Digest, Entry]:
    """Return an entry for each finished job of a capsule whose key can be told, by key.

    context: what determines the results of all jobs alike, here and in the captured run.
    """
    files = {file.path: file for file in capsule.files}
    digests = {**{path: file.digest for path, file in files.items()}, **capsule.trees}
    beneath = _beneath(capsule)
    keys: dict[str, Digest] = {}
    found: dict[Digest, Entry] = {}
    for job in capsule.jobs:
        record = job.record
        if record.status not in {"ok", "not run"}:
            continue
        made = {path: keys[path] for path in record.inputs if path in keys}
        told = key.ingredients(record, digests, context, made)
        if isinstance(told, Unkeyed):
            continue
        own = key.of_ingredients(told)
        keys.update(dict.fromkeys(record.outputs, own))
        outputs = tuple(_output(path, files, capsule.trees, beneath) for path in record.outputs)
        started, ended = job.times.started, job.times.ended
        seconds = None if UNKNOWN in {started, ended} else float(ended) - float(started)
        found[own] = Entry(own, told, record.rule, seconds, outputs)
    return found


class Layered(Mapping[Digest, Entry]):
    """What a capsule knows, and beneath it what a store knows; only the former is listed."""

    def __init__(self, own: Mapping[Digest, Entry], beneath: Store) -> None:
        self._own = own
        self._beneath = beneath

    def __getitem__(self, job: Digest) -> Entry:
        """Return the entry of a key.

        Raises:
            KeyError: nobody knows it.
        """
        if job in self._own:
            return self._own[job]
        try:
            found = entries.read(self._beneath, job)
        except InputError:
            found = None
        if found is None:
            raise KeyError(job)
        return found

    def __iter__(self) -> Iterator[Digest]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


def _output(
    path: str,
    files: Mapping[str, CapsuleFile],
    trees: Mapping[str, Digest],
    beneath: Mapping[str, list[CapsuleFile]],
) -> EntryOutput:
    if path in files:
        file = files[path]
        stored = file.stored or Stored(file.digest, file.size)
        return EntryOutput(path, "file", file.digest, file.size, (Member("", stored, file.executable),))
    if path not in trees:
        return EntryOutput(path, "gone", UNKNOWN, UNKNOWN)
    inside = beneath.get(path, [])
    members = [
        Member(
            PurePosixPath(file.path).relative_to(path).as_posix(),
            file.stored or Stored(file.digest, file.size),
            file.executable,
        )
        for file in inside
    ]
    members += [Member(folder) for folder in _folders(members)]
    output = EntryOutput(path, "folder", trees[path], sum(file.size for file in inside), tuple(members))
    # Links and empty folders among products are not in a capsule: then only its digest is known.
    whole = entries.tree(output) == trees[path]
    return output if whole else EntryOutput(path, "gone", trees[path], output.size)


def _beneath(capsule: Capsule) -> dict[str, list[CapsuleFile]]:
    """Return the files in each folder that is known as a whole, however deep they lie."""
    found: dict[str, list[CapsuleFile]] = {tree: [] for tree in capsule.trees}
    for file in capsule.files:
        for folder in PurePosixPath(file.path).parents:
            if str(folder) in found:
                found[str(folder)].append(file)
    return found


def _folders(members: list[Member]) -> Iterator[str]:
    folders = {
        str(folder)
        for member in members
        for folder in PurePosixPath(member.path).parents
        if str(folder) != "."
    }
    yield from sorted(folders)
