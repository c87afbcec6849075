"""The runtime images of a store, and which image each was made of, so that those of no image can go."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store import locking, squashfs
from relance.store.atomic import write_text
from relance.store.normalise import Image
from relance.store.squashfs import RuntimeImage
from relance.store.store import Store


@dataclass(frozen=True)
class Unneeded:
    """Runtime images that nothing needs: files, with the notes that name them."""

    images: tuple[Path, ...]
    notes: tuple[Path, ...]
    unknown: int
    """Others, of which the store doesn't know what they were made of."""


def make(store: Store, image: Image) -> RuntimeImage:
    """Make the runtime image of an image of the store, and note what it was made of.

    Raises:
        InputError: a layer is missing, damaged or hostile.
        MissingPartError: sqfstar is not there.
        AnalysisError: sqfstar failed, for example because the disk is full.
    """
    made = squashfs.build(store.layout, image, store.runtime)
    locking.make_folder(_notes(store))
    write_text(_note(store, image.config.digest), f"{made.digest}\n")
    return made


def made_of(store: Store, config: Digest) -> Digest | None:
    """Return the digest of what was made here of the image with this configuration; it may be gone."""
    return _read(_note(store, config))


def path(store: Store, runtime: Digest) -> Path:
    """Return where a runtime image lies if the store has it."""
    return store.runtime / f"{runtime.removeprefix('sha256:')}.sqsh"


def image_of(store: Store, file: Path) -> Image | None:
    """Return the image of the store that one of its runtime images was made of; None if it is none of these.

    Only images that have a name in the store are found.
    """
    if file.suffix != ".sqsh" or not file.is_file() or file.resolve().parent != store.runtime.resolve():
        return None
    known = f"sha256:{file.resolve().stem}"
    made_of = {f"sha256:{note.name}" for note in _notes(store).glob("*") if _read(note) == known}
    for manifest in store.layout.names().values():
        with suppress(InputError):  # a capsule, or an image that can't be used as it is
            image = Image.read(store.layout, manifest)
            if image.config.digest in made_of and digest.of_file(file) == known:
                return image
    return None


def unneeded(store: Store, kept: Collection[Digest]) -> Unneeded:
    """Return the runtime images that were made of images that are not kept."""
    needed, gone, notes = set(), set(), []
    for note in sorted(_notes(store).glob("*")):
        runtime = _read(note)
        if f"sha256:{note.name}" in kept:
            needed.add(runtime)
        else:
            gone.add(runtime)
            notes.append(note)
    files = {digest.parse(f"sha256:{file.stem}"): file for file in sorted(store.runtime.glob("*.sqsh"))}
    images = tuple(file for runtime, file in files.items() if runtime in gone - needed)
    return Unneeded(images, tuple(notes), len(files.keys() - gone - needed))


def _notes(store: Store) -> Path:
    return store.runtime.parent / "made"


def _note(store: Store, config: Digest) -> Path:
    return _notes(store) / config.removeprefix("sha256:")


def _read(note: Path) -> Digest | None:
    try:
        return digest.parse(note.read_text(encoding="utf-8").strip())
    except (OSError, ValueError, InputError):
        return None
