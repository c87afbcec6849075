"""A capsule's files as a folder again, and nothing outside that folder, whatever the capsule says."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from relance.capsule import documents, images, letter, oci, rules
from relance.capsule.model import Capsule, CapsuleFile, Role
from relance.capsule.replay import replay_script
from relance.errors import InputError
from relance.model import Digest, Stored
from relance.store import content, locking
from relance.store.hashing import usable_threads
from relance.store.layout import Layout

OUTSIDE = f"{rules.OWN}/outside"
"""Holds inputs whose path is absolute, under that path."""
IMAGES = f"{rules.OWN}/images"
"""OCI layout of the images, if they were asked for."""

_TEMPORARY = ".relance-checkout-"
_LOCK = "lock"

Fetch = Callable[[CapsuleFile, Path], bool]
"""Brings a file that the capsule only knows to a path; it must verify it. Returns whether it could."""


@dataclass(frozen=True)
class CheckedOut:
    """What a checkout made."""

    folder: Path
    files: int
    size: int
    """Bytes of the files."""
    missing: tuple[CapsuleFile, ...]
    """Those that the capsule knows but doesn't hold, and that were not fetched."""
    outside: Mapping[str, Path]
    """Where inputs lie whose path is absolute, by that path."""


def checkout(
    layout: Layout,
    capsule: Capsule,
    folder: Path,
    *,
    roles: Collection[Role] = tuple(Role),
    say: Callable[[str], None] = lambda _: None,
    told: Callable[[int], None] = lambda _: None,
    fetch: Fetch | None = None,
    known_as: Digest | None = None,
    papers: bool = True,
    with_images: bool = False,
    mtime: float | None = None,
) -> CheckedOut:
    """Write a capsule's files into a new or empty folder, verified, and say what it doesn't hold.

    A new folder is there whole or not at all; one that is there gets everything at the end. Links are made
    last, so that none is ever written through. What a killed checkout left beside is removed by the next.

    Args:
        layout: holds the capsule's blobs.
        capsule: is checked once more (`rules.check`).
        folder: doesn't exist, or is empty.
        roles: which files; links and empty folders come with the sources.
        say: hears what a user should know.
        told: hears the bytes as they are written, from several threads.
        fetch: brings files that are kept by reference.
        known_as: the capsule's digest, for CAPSULE.md.
        papers: whether replay.sh, jobs.json and CAPSULE.md are written too; where the analysis has a file of
            that name, ours goes into the folder `.relance`.
        with_images: whether the images come too, for replay.sh, as an OCI layout in `.relance/images`.
        mtime: Unix time, s, of all files, so that Snakemake finds all of them up to date; now if None.

    Raises:
        InputError: the folder has something in it, a blob is missing or damaged, or the capsule is hostile.
    """
    rules.check(capsule)
    wanted = [file for file in capsule.files if file.role in roles]
    when = time.time() if mtime is None else mtime
    with _making(folder) as place:
        held = [(file, place / inside(file.path)) for file in wanted if file.stored is not None]
        known = [(file, place / inside(file.path)) for file in wanted if file.stored is None]
        for path in sorted({path.parent for _, path in (*held, *(known if fetch else ()))}):
            path.mkdir(parents=True, exist_ok=True)
        _restore(layout, held, when, told)
        missing = [file for file, path in known if not _fetched(fetch, file, path, when)]
        if Role.SOURCE in roles:
            for name in capsule.folders:
                (place / name).mkdir(parents=True, exist_ok=True)
        if with_images:
            _bring_images(layout, capsule, place / IMAGES)
        if papers:
            _write_papers(capsule, place, known_as)
        if Role.SOURCE in roles:
            _link(capsule, place, when)
    for file in missing:
        where = f"; it can be had at {', '.join(file.locations)}" if file.locations else ""
        say(f"{file.path} is not in the capsule: {file.size} bytes, {file.digest}{where}")
    return CheckedOut(
        folder,
        len(wanted) - len(missing),
        sum(file.size for file in wanted) - sum(file.size for file in missing),
        tuple(missing),
        {file.path: folder / inside(file.path) for file in wanted if file.path.startswith("/")},
    )


def inside(path: str) -> str:
    """Return where a path of a capsule lies in a checkout of it: itself, but an absolute one in OUTSIDE."""
    return f"{OUTSIDE}{path}" if path.startswith("/") else path


@contextmanager
def _making(folder: Path) -> Iterator[Path]:
    """Give a temporary folder, whose content lies in `folder` after the block, and nowhere after an error."""
    there = os.path.lexists(folder)
    beside = folder if there else folder.absolute().parent
    if beside.is_dir():
        _remove_abandoned(beside)
    if there and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} can't take a checkout",
            expected="a new or empty folder",
            found="other files in it" if folder.is_dir() else "a file",
            next_step="name another folder",
        )
    beside.mkdir(parents=True, exist_ok=True)
    # A folder that is there may be where somebody stands: it is filled, not replaced.
    temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=beside))
    try:
        place = temporary / "made"
        with locking.locked(temporary / _LOCK, shared=False):
            place.mkdir()
            yield place
            if there:
                for path in sorted(place.iterdir()):
                    path.rename(folder / path.name)
            else:
                place.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what checkouts left that were killed."""
    for path in folder.glob(f"{_TEMPORARY}*"):
        with suppress(OSError):
            if not locking.held(path / _LOCK):
                shutil.rmtree(path)


def _restore(
    layout: Layout, held: list[tuple[CapsuleFile, Path]], when: float, told: Callable[[int], None]
) -> None:
    def one(pair: tuple[CapsuleFile, Path]) -> None:
        file, path = pair
        if file.stored is not None:
            content.restore(layout, file.stored, path, executable=file.executable, mtime=when, told=told)

    with ThreadPoolExecutor(usable_threads()) as pool:
        try:
            for _ in pool.map(one, held):
                pass
        finally:
            pool.shutdown(cancel_futures=True)


def _fetched(fetch: Fetch | None, file: CapsuleFile, path: Path, when: float) -> bool:
    if fetch is None or not fetch(file, path):
        return False
    path.chmod(0o755 if file.executable else 0o644)
    os.utime(path, (when, when))
    return True


def _link(capsule: Capsule, place: Path, when: float) -> None:
    for link in capsule.links:
        path = place / link.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(link.target)
        os.utime(path, (when, when), follow_symlinks=False)


def _bring_images(layout: Layout, capsule: Capsule, folder: Path) -> None:
    folder.mkdir(parents=True)
    target = Layout(folder)
    for image in images.held(layout, capsule).values():
        for blob in (*image.layers, image.config, image.manifest):
            if target.size(blob.digest) is None:
                content.restore(layout, Stored(blob.digest, blob.size), target.path(blob.digest))
        target.name(image.manifest.digest.removeprefix("sha256:")[:12], image.manifest)


def _write_papers(capsule: Capsule, place: Path, known_as: Digest | None) -> None:
    texts = {
        oci.REPLAY: replay_script(capsule).encode(),
        documents.JOBS: documents.write(capsule).jobs,
        letter.NAME: letter.text(capsule, known_as).encode(),
    }
    taken = {file.path.partition("/")[0] for file in capsule.files}
    taken |= {name.partition("/")[0] for name in (*(link.path for link in capsule.links), *capsule.folders)}
    for name, data in texts.items():
        path = place / rules.OWN / name if name in taken else place / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if name == oci.REPLAY else 0o644)
