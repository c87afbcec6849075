"""The capsule that a command line names: in the store, in a tar file, in an OCI layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from relance.capsule import archive, reading, sources
from relance.capsule.blobs import Blobs
from relance.capsule.model import Capsule
from relance.cli import places
from relance.errors import InputError
from relance.store.layout import Descriptor, Layout
from relance.store.store import Store

HELP = (
    "CAPSULE is a name or digest in the store, a .tar file, or the folder of an OCI layout (DIR or DIR:NAME)."
)


@dataclass(frozen=True)
class Found:
    """A capsule and where its blobs can be read."""

    blobs: Blobs
    descriptor: Descriptor
    capsule: Capsule
    layout: Layout | None
    """None if it lies in no store."""


def opened(
    text: str, environment: Mapping[str, str], chosen: Path | None = None
) -> tuple[Store, Descriptor, Capsule]:
    """Return the capsule that is meant, in the store; one that lies elsewhere is brought there, unnamed.

    Raises:
        InputError: there is none, more than one, or it is broken or hostile.
    """
    store = Store(places.store(environment, chosen))
    place = _place(store, text)
    if place is None:
        described = _in_store(store, text)
        return store, described, reading.read(store.layout, described)
    path, name = place
    with store.writing(), sources.opened(path) as source:
        described = archive.choose(source, name, str(path))
        return store, described, archive.bring(store.layout, source, described, name=None)


@contextmanager
def looked_at(text: str, environment: Mapping[str, str], chosen: Path | None = None) -> Iterator[Found]:
    """Give the capsule that is meant where it lies; nothing is copied.

    Raises:
        InputError: there is none, more than one, or it is broken or hostile.
    """
    store = Store(places.store(environment, chosen))
    place = _place(store, text)
    if place is None:
        described = _in_store(store, text)
        layout = store.layout
        yield Found(layout, described, reading.read(layout, described), layout)
        return
    path, name = place
    with sources.opened(path) as source:
        described = archive.choose(source, name, str(path))
        yield Found(source, described, reading.read(source, described), None)


def file_or_layout(text: str) -> tuple[Path, str | None] | None:
    """Return the file, or the folder of an OCI layout with the name in it, that is meant; None if neither."""
    whole, _, name = text.rpartition(":")
    for path, within in ((text, None), (whole, name)):
        if path and (Path(path).is_file() or (Path(path) / "oci-layout").is_file()):
            return Path(path), within
    return None


def _in_store(store: Store, text: str) -> Descriptor:
    if not store.content.exists():
        raise InputError(
            f"there is no capsule {text!r}",
            expected=f"a store in {store.folder}, or a file of this name",
            found="neither",
            next_step="capture one with 'relance capture', or name a .tar file",
        )
    return reading.find(store.layout, text)


def _place(store: Store, text: str) -> tuple[Path, str | None] | None:
    """Return the file or layout that is meant, with the name in it; a name of the store comes first."""
    if "/" not in text and not text.endswith(".tar") and _is_known(store, text):
        return None
    place = file_or_layout(text)
    if place is not None:
        return place
    if text.endswith(".tar"):
        raise InputError(
            f"{text} can't be read",
            expected="a capsule's .tar file",
            found="none",
            next_step="check the name",
        )
    return None


def _is_known(store: Store, text: str) -> bool:
    if not store.content.exists():
        return False
    try:
        reading.find(store.layout, text)
    except InputError:
        return False
    return True
