"""Reads all of a store and tells what is damaged, who needs it, and how to mend it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from relance.errors import InputError
from relance.model import Digest
from relance.store import locking, reach
from relance.store.hashing import opened, usable_threads
from relance.store.layout import Layout
from relance.store.reach import Kind, Root
from relance.store.store import Store

_CHUNK = 1 << 20
_AGAIN = "capture, pull or build again what needs it: the same content takes its place"

Told = Callable[[int, int], None]
"""Hears the bytes read and all there are to read."""


@dataclass(frozen=True)
class Damage:
    """Something of a store that is not what it should be."""

    subject: str
    """A path, or the digest of a blob that is missing."""
    expected: str
    found: str
    needed_by: tuple[str, ...]
    """Names, or digests of what has none; empty if nothing but results of steps needs it."""
    place: Path | None = None
    """The damaged file; None if it is missing, or would only be lost by moving it away."""
    moved: Path | None = None
    """Where it was moved to."""

    @property
    def mended(self) -> bool:
        """Whether nothing is wrong any more: it is out of the way, and whatever needed it can do without."""
        return self.moved is not None and not self.needed_by

    @property
    def next_step(self) -> str:
        """What to do about it."""
        if self.mended:
            return "nothing: it is made again when it is needed"
        if self.place is not None and self.moved is None:
            return f"--repair moves it away; then {_AGAIN}" if self.needed_by else "--repair moves it away"
        return _AGAIN if self.subject.startswith("sha256:") or self.moved else "put it back from a backup"


@dataclass(frozen=True)
class Health:
    """What was checked, by number, and what is wrong."""

    blobs: int
    bytes: int
    names: int
    steps: int
    runtime_images: int
    leftovers: int
    """Files of writers that were killed, which `relance store gc` removes."""
    damages: tuple[Damage, ...]

    @property
    def sound(self) -> bool:
        """Whether all that is needed is there and right."""
        return all(damage.mended for damage in self.damages)


def check(
    store: Store, *, repair: bool = False, told: Told = lambda _done, _all: None, threads: int | None = None
) -> Health:
    """Read every blob, manifest, step's entry and runtime image, and compare them with their digests.

    repair: move what is damaged to `damaged/` in the store, out of the way of the same content.
    """
    layout = store.layout
    # Names before blobs: a writer names what is there already.
    roots, broken = _roots(store)
    places = {blob: layout.path(blob) for blob in layout.blobs()}
    images = sorted(store.runtime.glob("*.sqsh"))
    found = _hashed([*places.values(), *images], told, threads or usable_threads())
    damages = {damage.subject: damage for damage in broken}
    for damage in (
        *_wrong_blobs(places, found, roots),
        *_missing(layout, roots),
        *_unreadable(layout, roots),
        *_wrong_images(images, found),
    ):
        damages.setdefault(damage.subject, damage)
    if repair and damages:
        with store.alone():
            damages = {subject: _moved(store, damage) for subject, damage in damages.items()}
    return Health(
        len(places),
        sum(size for size, _ in found.values()),
        sum(root.kind is Kind.NAME for root in roots),
        sum(root.kind is Kind.STEP for root in roots),
        len(images),
        len(layout.leftovers()),
        tuple(damages[subject] for subject in sorted(damages)),
    )


def _roots(store: Store) -> tuple[tuple[Root, ...], list[Damage]]:
    try:
        return reach.roots(store), []
    except InputError as error:
        index = str(store.content / "index.json")
        damage = Damage(index, error.expected, error.found, ("every name",))
        return tuple(reach.step_root(store, path) for path in reach.entries(store)), [damage]


def _hashed(paths: list[Path], told: Told, threads: int) -> Mapping[Path, tuple[int, str]]:
    """Return size and digest of each file, or why it has none; what is gone meanwhile is left out."""
    sizes = {path: path.stat().st_size for path in paths if path.exists()}
    total, done, lock = sum(sizes.values()), 0, Lock()

    def count(number: int) -> None:
        nonlocal done
        with lock:
            done += number
            told(done, total)

    with ThreadPoolExecutor(threads) as pool:
        order = sorted(sizes, key=sizes.__getitem__, reverse=True)
        results = pool.map(lambda path: _digest(path, count), order)
        return {path: (sizes[path], result) for path, result in zip(order, results, strict=True)}


def _digest(path: Path, count: Callable[[int], None]) -> str:
    state = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    try:
        with opened(path) as stream:
            while number := stream.readinto(buffer):
                state.update(buffer[:number])
                count(number)
    except InputError as error:
        return error.found
    except OSError as error:
        return error.strerror or str(error)
    return f"sha256:{state.hexdigest()}"


def _wrong_blobs(
    places: Mapping[Digest, Path], found: Mapping[Path, tuple[int, str]], roots: tuple[Root, ...]
) -> Iterator[Damage]:
    for blob, path in places.items():
        if path in found and found[path][1] != blob:
            yield Damage(str(path), blob, found[path][1], _owners(roots, blob), path)


def _missing(layout: Layout, roots: tuple[Root, ...]) -> Iterator[Damage]:
    missing = {blob: size for root in roots for blob, size in root.blobs.items() if not layout.has(blob)}
    for blob, size in missing.items():
        owners = _owners(roots, blob)
        if owners:
            yield Damage(blob, f"{size} bytes", "no such blob", owners)


def _unreadable(layout: Layout, roots: tuple[Root, ...]) -> Iterator[Damage]:
    for root in roots:
        owner = () if root.kind is Kind.STEP else (root.name,)
        for fault in root.faults:
            if fault.blob is None:
                yield Damage(fault.subject, fault.expected, fault.found, owner, Path(fault.subject))
            elif layout.has(fault.blob):
                # The bytes are those of its digest: out of the way it would be of no more use.
                subject = str(layout.path(fault.blob))
                yield Damage(subject, fault.expected, fault.found, _owners((root,), fault.blob))


def _wrong_images(images: list[Path], found: Mapping[Path, tuple[int, str]]) -> Iterator[Damage]:
    for path in images:
        if path in found and found[path][1] != f"sha256:{path.stem}":
            yield Damage(str(path), f"sha256:{path.stem}", found[path][1], ("the image made of it",), path)


def _owners(roots: tuple[Root, ...], blob: Digest) -> tuple[str, ...]:
    return tuple(sorted({root.name for root in roots if root.kind is not Kind.STEP and blob in root.blobs}))


def _moved(store: Store, damage: Damage) -> Damage:
    if damage.place is None or not damage.place.exists():
        return damage
    if _digest(damage.place, lambda _: None) == damage.expected:
        return replace(damage, moved=damage.place, needed_by=())  # written anew since
    folder = store.folder / "damaged"
    locking.make_folder(folder)
    target = folder / damage.place.name
    damage.place.replace(target)
    return replace(damage, moved=target)
