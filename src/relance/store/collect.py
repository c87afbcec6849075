"""Removes from a store what nothing keeps any more."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from relance.errors import InputError
from relance.model import Digest
from relance.store import reach, runtime_images
from relance.store.reach import Kind, Root
from relance.store.store import Store

GRACE = 3600.0
"""Seconds: what is younger stays, since a writer that holds no lock may name it yet."""


@dataclass(frozen=True)
class Collected:
    """What was removed, or would be; bytes are those of the blobs and files."""

    blobs: int
    bytes: int
    steps: int
    """Entries that were dropped."""
    referrers: int
    """Unnamed manifests that were about something that is gone."""
    leftovers: int
    """Files of writers that were killed."""
    young: int
    """Blobs that nothing keeps, but too young to be removed."""
    runtime_images: int = 0
    """Runtime images of images that are gone."""
    unknown_images: int = 0
    """Runtime images that stay, since nobody knows what they were made of."""


def collect(
    store: Store,
    *,
    dry_run: bool = False,
    steps_older_than: float | None = None,
    grace: float = GRACE,
    now: Callable[[], float] = time.time,
    waiting: Callable[[], None] = lambda: None,
) -> Collected:
    """Remove blobs that are reached from no name, no report about something kept, and no step's entry.

    Runtime images go with the images that they were made of.

    It waits until nobody writes (`Store.writing`), and keeps writers waiting until it is done; `waiting` is
    called if it has to. A dry run does neither. It may be stopped at any moment.

    steps_older_than: seconds; entries of steps that nobody used for so long are dropped first.

    Raises:
        InputError: the index or something that is kept can't be read, so that nobody knows what it keeps.
    """
    with nullcontext() if dry_run else store.alone(waiting):
        layout = store.layout
        old = _old_steps(store, steps_older_than, now())
        roots = reach.roots(store, steps=False)
        steps = [reach.step_root(store, path) for path in reach.entries(store) if path not in old]
        kept = _kept([*roots, *steps])
        rubbish = [blob for blob in layout.blobs() if blob not in kept]
        kept |= _blobs(reach.unlisted_referrers(store, [*roots, *steps], rubbish))
        listed = {entry.digest for entry in layout.index()}
        gone = frozenset(listed - kept)
        # A step's entry tells the image that it ran in, which it doesn't need any more.
        runtime = runtime_images.unneeded(store, _blobs(roots))
        files = [path for path in runtime.images if _age(path, now()) >= grace]
        size = sum(path.stat().st_size for path in files)
        if not dry_run:
            _remove_files((*files, *(runtime.notes if len(files) == len(runtime.images) else ())))
        blobs = young = 0
        if not dry_run:
            # First what names, then what is named: stopped in between, nothing names what is gone.
            _remove_files(old)
            _drop_marks(store)
            if gone:
                layout.detach(gone)
        for blob in rubbish:
            if blob in kept:
                continue
            path = layout.path(blob)
            try:
                status = path.stat()
            except FileNotFoundError:  # a dry run beside a collection
                continue
            if max(status.st_mtime, status.st_ctime) > now() - grace:
                young += 1
                continue
            blobs += 1
            size += status.st_size
            if not dry_run:
                path.unlink()
        leftovers = [*layout.leftovers(), *_abandoned_images(store, now() - GRACE)]
        size += sum(path.stat().st_size for path in leftovers if path.is_file())
        for path in leftovers if not dry_run else ():
            if path.is_dir():
                _remove_folder(path)
            else:
                path.unlink(missing_ok=True)
        return Collected(blobs, size, len(old), len(gone), len(leftovers), young, len(files), runtime.unknown)


def _remove_files(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _age(path: Path, now: float) -> float:
    status = path.stat()
    return now - max(status.st_mtime, status.st_ctime)


def _kept(roots: Iterable[Root]) -> set[Digest]:
    roots = tuple(roots)
    for root in roots:
        if root.faults and root.kind is not Kind.STEP:
            fault = root.faults[0]
            raise InputError(
                f"what {root.name} keeps is not known, so nothing can be removed",
                expected=fault.expected,
                found=fault.found,
                next_step="see 'relance store fsck'; get it again, or forget it with 'relance store forget'",
            )
    return _blobs(roots)


def _blobs(roots: Iterable[Root]) -> set[Digest]:
    return {blob for root in roots for blob in root.blobs}


def _old_steps(store: Store, seconds: float | None, now: float) -> set[Path]:
    if seconds is None:
        return set()
    return {path for path in reach.entries(store) if path.stat().st_mtime < now - seconds}


def _drop_marks(store: Store) -> None:
    """Remove what notes, by outputs, an entry that is gone (`relance.steps.entries`)."""
    left = {path.stem for path in reach.entries(store)}
    for folder in store.every_steps:
        for mark in folder.glob("outputs/*/*"):
            if mark.name not in left:
                mark.unlink(missing_ok=True)


def _abandoned_images(store: Store, before: float) -> list[Path]:
    """Return the folders in which images were being made or taken in by processes that were killed."""
    found = []
    for folder in sorted([*store.runtime.glob(".part-*"), *store.content.glob(".part-*")]):
        if max(path.lstat().st_mtime for path in (folder, *folder.rglob("*"))) < before:
            found.append(folder)
    return found


def _remove_folder(folder: Path) -> None:
    """Remove a folder; in the file tree of an image, some may be closed to their owner."""
    for name, folders, _ in os.walk(folder):
        for inner in folders:
            path = Path(name) / inner
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder)
