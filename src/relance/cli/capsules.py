"""The capsule that a command line names: in the store, in a tar file, in an OCI layout, in a registry."""

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
from relance.store.descriptors import Descriptor
from relance.store.layout import Layout
from relance.store.registry.reference import Reference
from relance.store.store import Store

HELP = (
    "CAPSULE is a name or digest in the store, a .tar file, the folder of an OCI layout (DIR or DIR:NAME), "
    "or HOST/REPOSITORY:TAG or @sha256:… in a registry."
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
        MissingPartError: a registry does not answer, or refuses.
    """
    store = Store(places.store(environment, chosen))
    place = _place(store, text)
    if place is None:
        reference = _in_registry(text)
        described = _in_store(store, text) if reference is None else _pulled(store, reference, environment)
        return store, described, reading.read(store.layout, described)
    path, name = place
    with store.writing(), sources.opened(path) as source:
        described = archive.choose(source, name, str(path))
        return store, described, archive.bring(store.layout, source, described, name=None)


def lies_elsewhere(text: str) -> bool:
    """Return whether a capsule is named that lies in a file or a folder; a name of the store has no slash."""
    return ("/" in text or text.endswith(".tar")) and file_or_layout(text) is not None


def in_store(
    text: str, environment: Mapping[str, str], chosen: Path | None = None
) -> tuple[Store, Descriptor]:
    """Return the capsule that is meant, in the store; it isn't read there, since it may be damaged.

    Raises:
        InputError: as `opened`.
        MissingPartError: as `opened`.
    """
    store = Store(places.store(environment, chosen))
    if not lies_elsewhere(text) and store.content.exists():
        return store, reading.find(store.layout, text)
    store, described, _ = opened(text, environment, chosen)
    return store, described


@contextmanager
def looked_at(text: str, environment: Mapping[str, str], chosen: Path | None = None) -> Iterator[Found]:
    """Give the capsule that is meant where it lies; nothing is copied.

    Raises:
        InputError: there is none, more than one, or it is broken or hostile.
        MissingPartError: a registry does not answer, or refuses.
    """
    store = Store(places.store(environment, chosen))
    place = _place(store, text)
    reference = _in_registry(text) if place is None else None
    if reference is not None:
        from relance.cli import registries
        from relance.store.registry import pulling
        from relance.store.registry.blobs import RemoteBlobs
        from relance.store.registry.session import Session

        with Session(reference, registries.access(environment, reference.host, None)) as session:
            described, _ = pulling.resolve(session, reference)
            remote = RemoteBlobs(session)
            yield Found(remote, described, reading.read(remote, described), None)
        return
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


def _in_registry(text: str) -> Reference | None:
    """Return the reference that is meant; None for what no registry has, such as the name of a capsule."""
    try:
        return Reference.parse(text)
    except InputError:
        return None


def _pulled(store: Store, reference: Reference, environment: Mapping[str, str]) -> Descriptor:
    """Bring a capsule of a registry into the store, once everything that tells of it was read."""
    from relance.cli import registries
    from relance.store.registry import pulling
    from relance.store.registry.blobs import RemoteBlobs
    from relance.store.registry.session import Session

    access = registries.access(environment, reference.host, None)
    with Session(reference, access) as session:
        described, _ = pulling.resolve(session, reference)
        reading.read(RemoteBlobs(session), described)
    pinned = Reference(reference.host, reference.repository, described.digest)
    with store.writing():
        return pulling.pull(store.layout, pinned, access).manifest


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
