"""An analysis, a recorded run of it and its specification become a capsule in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relance import digest
from relance.capsule import writing
from relance.capsule.model import Capsule, CapsuleFile, Parent, Role
from relance.capture import files, images, jobs, openness, recorded, sources, truth
from relance.capture.files import Candidate
from relance.capture.images import Import
from relance.capture.secrecy import Searched
from relance.errors import InputError, quoted
from relance.model import UNKNOWN, Digest, RunRecord, Stored
from relance.specification import reading as specifications
from relance.specification.model import Specification
from relance.steps import ledger
from relance.store import content
from relance.store.descriptors import Descriptor
from relance.store.hashing import Hasher, Memory
from relance.store.store import Store

INSIDE_UP_TO = 1 << 30
"""Bytes; a larger input has to be kept by reference, or asked for."""


@dataclass(frozen=True)
class Request:
    """What to capture. Paths are absolute."""

    analysis: Path
    record: Path
    """The run's record.json."""
    specification: Path
    name: str | None = None
    """What the capsule is called in the store; None: name and version of the specification."""
    inside_up_to: int = INSIDE_UP_TO
    parent: Parent | None = None


@dataclass(frozen=True)
class Effects:
    """What a capture has on its caller, and what it is given by it."""

    bring: Import
    """Brings an image into the store that isn't there yet."""
    cache: Path
    """File that remembers digests."""
    progress: Callable[[int, int], None]
    """Told the bytes done and all there are."""


@dataclass(frozen=True)
class Captured:
    """A capsule that is in the store."""

    descriptor: Descriptor
    capsule: Capsule
    name: str
    replaced: Digest | None
    """What the name meant before, if that was another capsule; nothing keeps that any more."""


@dataclass(frozen=True)
class Plan:
    """What a capture takes in, before anything is written."""

    record: RunRecord
    specification: Specification
    listed: sources.Listed
    candidates: tuple[Candidate, ...]

    def kept(self) -> tuple[Candidate, ...]:
        """Return the files whose content goes into the capsule."""
        return tuple(candidate for candidate in self.candidates if candidate.kept)

    def size(self) -> int:
        """Return the bytes of these."""
        return sum(candidate.size or 0 for candidate in self.kept())


def plan(request: Request) -> Plan:
    """Say what a capture takes in.

    Raises:
        InputError: the run or the specification can't be used, a file that the run read is no longer there,
            or an input is too large to be kept inside.
    """
    record = recorded.load(request.record)
    recorded.check(record)
    specification = specifications.load(request.specification)
    made = recorded.products(record)
    recorded.refuse_without_makers(record, ledger.read(request.analysis))
    listed = sources.listed(request.analysis, specification.workflow.sources, made)
    candidates = files.candidates(request.analysis, record, specification, listed)
    _refuse_missing(record, candidates)
    _refuse_large(request, candidates)
    if request.parent is None:  # a recast leaves to its parent what it had no need of
        _refuse_gone(files.gone(request.analysis, record, specification))
        truth.refuse_untrue(request.analysis, record, specification)
    return Plan(record, specification, listed, candidates)


def capture(store: Store, request: Request, effects: Effects) -> Captured:
    """Capture a run; the same run captured twice has the same digest.

    Raises:
        InputError: what is to be captured is not what the run read and made, or can't be preserved.
        RelanceError: an image can't be had. Nothing is named in the store then.
    """
    planned = plan(request)
    record = planned.record
    with store.writing():
        layout = store.layout
        found = images.collect(layout, request.analysis, record, effects.bring)
        searched = Searched(effects.cache.with_name("searched.json"))
        searched.images(layout, found.images, planned.specification.allowed_secrets)
        kept = _put(store, planned, effects, searched)
        known = {file.path: file.digest for file in record.files if file.digest != UNKNOWN}
        held = _held(planned, kept, known, effects.cache)
        trees = {
            file.path: file.digest
            for file in record.files
            if file.kind == "folder" and file.digest != UNKNOWN
        }
        now = _trees(request.analysis, trees, effects.cache)
        _refuse_changed(record, {**now, **{file.path: file.digest for file in held}})
        capsule = Capsule(
            specification=planned.specification,
            specification_text=request.specification.read_bytes(),
            run=record.run,
            started=None if record.started == UNKNOWN else record.started,
            ended=None if record.ended == UNKNOWN else record.ended,
            files=held,
            links=planned.listed.links,
            folders=planned.listed.folders,
            trees=trees,
            jobs=jobs.ordered(record),
            images=found.images,
            unknown=(*openness.unknown(record), *found.unknown),
            not_closed=(*openness.not_closed(record, planned.specification), *found.not_closed),
            parent=request.parent,
        )
        name = request.name or usual_name(planned.specification, request.parent)
        before = layout.names().get(writing.full_name(name, capsule))
        descriptor = writing.write(layout, capsule, name=name)
    replaced = before.digest if before and before.digest != descriptor.digest else None
    return Captured(descriptor, capsule, name, replaced)


def usual_name(specification: Specification, parent: Parent | None) -> str:
    """Return what a capsule is called if nobody says: a recast must not take the name of its parent."""
    identity = specification.identity
    if parent is None:
        return f"{identity.name}:{identity.version}"
    told = digest.of_json([parent.digest, dict(parent.parameters), dict(parent.inputs)])
    return f"{identity.name}-recast-{told.removeprefix('sha256:')[:8]}:{identity.version}"


def _put(store: Store, planned: Plan, effects: Effects, searched: Searched) -> Mapping[str, Stored]:
    wanted = {candidate.place: candidate.path for candidate in planned.kept()}
    total = planned.size()
    done = 0

    def told(count: int) -> None:
        nonlocal done
        done += count
        effects.progress(done, total)

    memory = Memory(effects.cache)
    search = searched.search(wanted, memory, planned.specification.allowed_secrets)
    # Each file is searched just before it is kept: the disk writes some while others are searched.
    stored = content.put_all(
        store.layout, wanted, cache=memory, told=told, admit=search.passes, admitted=searched.clean
    )
    memory.write()
    search.refuse()
    searched.remember(stored.values())
    return {wanted[path]: where for path, where in stored.items()}


def _held(
    planned: Plan,
    kept: Mapping[str, Stored],
    known: Mapping[str, Digest],
    cache: Path,
) -> tuple[CapsuleFile, ...]:
    """Return every file of the capsule: those that are kept, and those known by digest or reference alone."""
    unread = {
        candidate.path: Path(candidate.place)
        for candidate in planned.candidates
        if candidate.path not in kept and candidate.path not in known and candidate.size is not None
    }
    if unread:
        hasher = Hasher(cache)
        hashed = hasher.files(unread.values())
        hasher.remember()
        known = {**known, **{path: hashed[place] for path, place in unread.items()}}
    sizes = {file.path: file.size for file in planned.record.files}
    found = []
    for candidate in planned.candidates:
        stored = kept.get(candidate.path)
        sha256 = stored.digest if stored else known.get(candidate.path)
        size = stored.size if stored else sizes[candidate.path] if candidate.size is None else candidate.size
        if sha256 is None or size == UNKNOWN:
            continue
        external = candidate.external
        if external is not None and (f"sha256:{external.sha256}", external.size) != (sha256, size):
            raise _otherwise(candidate.path, sha256, f"sha256:{external.sha256}")
        found.append(
            CapsuleFile(
                candidate.path,
                candidate.role,
                sha256,
                size,
                stored,
                executable=candidate.role is Role.SOURCE and candidate.executable,
                locations=external.locations if external else (),
                adler32=external.adler32 if external else None,
                visibility=candidate.visibility,
            )
        )
    return tuple(found)


def _trees(analysis: Path, folders: Iterable[str], cache: Path) -> Mapping[str, Digest]:
    """Return the digests of those folders that are there, as they are now."""
    places = {path: analysis / path for path in folders if (analysis / path).is_dir()}
    if not places:
        return {}
    hasher = Hasher(cache)
    found = hasher.files(places.values())
    hasher.remember()
    return {path: found[place] for path, place in places.items()}


def _refuse_changed(record: RunRecord, now: Mapping[str, Digest]) -> None:
    """Refuse files and folders that are no longer what the run read or made; `now`: what they are."""
    run = record.run
    read = [
        file
        for group in (run.included, run.configuration_files, run.read)
        if group != UNKNOWN
        for file in group
    ]
    read += [] if run.snakefile == UNKNOWN else [run.snakefile]
    changed = sorted(
        {
            file.path
            for file in (*record.files, *read)
            if file.path in now and file.digest not in {UNKNOWN, now[file.path]}
        }
    )
    if changed:
        raise InputError(
            "the run can't be captured",
            expected="the files that it read and made",
            found=f"{quoted(changed)} changed since",
            next_step=recorded.again(record, changed),
        )


def _refuse_missing(record: RunRecord, candidates: Iterable[Candidate]) -> None:
    missing = [candidate.path for candidate in candidates if candidate.kept and candidate.size is None]
    if missing:
        raise InputError(
            "the run can't be captured",
            expected="the files that it read",
            found=f"{quoted(missing)} not there",
            next_step=f"put back what is missing, or {recorded.again(record, missing)}",
        )


def _refuse_gone(paths: Sequence[str]) -> None:
    """Refuse a run that made its results from restored steps, whose own products were not needed."""
    if paths:
        raise InputError(
            "the run can't be captured",
            expected="the products that the specification says to keep",
            found=f"{quoted(paths)} not there",
            next_step="make them: relance run --no-reuse DIR -- --forceall",
        )


def _refuse_large(request: Request, candidates: Sequence[Candidate]) -> None:
    large = [
        candidate
        for candidate in candidates
        if candidate.kept
        and candidate.role is Role.INPUT
        and candidate.size is not None
        and candidate.size > request.inside_up_to
    ]
    if large:
        size = large[0].size or 0
        raise InputError(
            f"input {quoted([candidate.path for candidate in large])} is large",
            expected=f"at most {request.inside_up_to / 1e9:.3g} GB inside of a capsule",
            found=f"{size / 1e9:.3g} GB",
            next_step="name its size, sha256 and locations under 'products.external' of the specification, "
            "or allow it with --inside-up-to",
        )


def _otherwise(path: str, found: Digest, expected: str) -> InputError:
    return InputError(
        f"{path} is not the data that the specification refers to",
        expected=expected,
        found=found,
        next_step="correct 'products.external' of the specification, or get the right file",
    )
