"""How an image enters a store, wherever it comes from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from relance.errors import InputError
from relance.model import Digest
from relance.store.importing import docker_archive, folders, layouts, remote, sif
from relance.store.importing.image import Found, take_in
from relance.store.importing.mapping import ImageMapping, Mapped, mapped
from relance.store.importing.source import Kind, Source, parse
from relance.store.layout import Layout
from relance.store.normalise import Image
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access
from relance.store.registry.transfer import Told

NAMES = "image/"
"""What the names of taken-in images begin with in a layout's index."""


class Engine(Protocol):
    """A program that keeps images of its own."""

    name: str

    def available(self) -> bool:
        """Tell whether it answers."""
        ...

    def save(self, name: str, path: Path) -> Digest:
        """Write an image as an archive and return the digest that the engine knows it by."""
        ...


@dataclass(frozen=True)
class Entered:
    """An image that is in the store now.

    wanted: the name that was asked for. source: where it came from. reference: what a registry's reference
    meant, by digest. stands_for: the wanted name, if a mapping said what to use for it. remarks: what a
    reader should know, in words.
    """

    image: Image
    wanted: str
    source: Source
    reference: Reference | None = None
    stands_for: str | None = None
    remarks: tuple[str, ...] = ()


def find(wanted: str, mapping: ImageMapping, here: Path) -> Mapped:
    """Return where the image that is asked for will be taken from.

    Raises:
        InputError: it can't be understood, or nothing lies there.
    """
    return mapped(wanted, mapping) or Mapped(wanted, parse(wanted, here))


def enter(  # noqa: PLR0917 - each is another collaborator
    layout: Layout,
    place: Mapped,
    architecture: str,
    access: Access,
    engines: Mapping[Kind, Engine],
    told: Told = lambda _moved: None,
) -> Entered:
    """Store an image, its layers uncompressed and verified, and say where it came from.

    It gets no name in the layout's index; `name` gives it one.

    Raises:
        InputError: it is missing, hostile, for another processor, or not what the mapping says.
        MissingPartError: a registry, engine or program that is needed doesn't answer.
        AnalysisError: a program failed.
    """
    entered = _entered(layout, place, architecture, access, engines, told)
    found = entered.image.config.digest
    if place.config is not None and found != place.config:
        raise InputError(
            f"{place.source} stands in for {place.name}",
            expected=f"the configuration {place.config}, as the mapping says",
            found=found,
            next_step="correct the mapping, or leave 'config' out if another image will do",
        )
    if place.config is not None:
        same = f"it is the image that the mapping means: its configuration is {found}"
        return replace(entered, remarks=(*entered.remarks, same))
    return entered


def name(layout: Layout, image: Image, given: str) -> str:
    """Name an image in the layout's index, so that it is kept and found; return the name.

    Images of registries have the same name however they are written.
    """
    chosen = index_name(given)
    layout.name(chosen, image.manifest)
    return chosen


def index_name(given: str) -> str:
    """Return the name that an image has in a layout's index."""
    try:
        return f"{NAMES}{Reference.of_image(given)}"
    except InputError:
        return f"{NAMES}{given}"


def named(layout: Layout, given: str) -> Image | None:
    """Return the image of this name in a layout, if there is one.

    Raises:
        InputError: it is damaged.
    """
    manifest = layout.names().get(index_name(given))
    return None if manifest is None else Image.read(layout, manifest)


def _entered(  # noqa: PLR0917 - as `enter`
    layout: Layout,
    place: Mapped,
    architecture: str,
    access: Access,
    engines: Mapping[Kind, Engine],
    told: Told,
) -> Entered:
    source = place.source
    stands_for = place.name if place.by_rule else None
    remarks: tuple[str, ...] = ()
    if source.kind is Kind.REGISTRY:
        asked = Reference.parse(source.name)
        got = remote.pull(layout, asked, architecture, access, told)
        if asked.digest is None:
            remarks = (f"the tag {asked.tag!r} means {got.reference.pin} now",)
        return Entered(got.image, place.name, source, got.reference, stands_for, remarks)
    if source.kind is Kind.SIF:
        image = sif.take_in(layout, source.path, architecture)
        remarks = ("a SIF file has no OCI configuration: the image's digest was made here, from its files",)
        return Entered(image, place.name, source, None, stands_for, remarks)
    if source.kind in engines:
        image, remarks = _from_engine(layout, source, architecture, engines[source.kind])
        return Entered(image, place.name, source, None, stands_for, remarks)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=layout.folder) as scratch:
        image = _from_path(layout, source.kind, source.path, source.name, architecture, Path(scratch))
    return Entered(image, place.name, source, None, stands_for)


def _from_engine(
    layout: Layout, source: Source, architecture: str, engine: Engine
) -> tuple[Image, tuple[str, ...]]:
    if not engine.available():
        raise InputError(
            f"{source} can't be taken in",
            expected=f"{engine.name} to answer",
            found="no answer",
            next_step=f"install or start {engine.name}",
        )
    with tempfile.TemporaryDirectory(prefix=".part-", dir=layout.folder) as scratch:
        path = Path(scratch) / "image.tar"
        known = engine.save(source.name, path)
        with folders.opened(path, Path(scratch)) as tar:
            kind = Kind.DOCKER_ARCHIVE if tar.has(docker_archive.LISTING) else Kind.OCI_ARCHIVE
        image = _from_path(layout, kind, path, "", architecture, Path(scratch))
    if image.config.digest == known:
        return image, ()
    return image, (f"{engine.name} knows the image as {known}",)


def _from_path(  # noqa: PLR0917 - as `enter`
    layout: Layout, kind: Kind, path: Path, wanted: str, architecture: str, scratch: Path
) -> Image:
    if kind is Kind.LAYOUT:
        return take_in(layout, layouts.find(folders.Disk(path), wanted, architecture), architecture)
    with folders.opened(path, scratch) as tar:
        find: Callable[[], Found] = (
            (lambda: docker_archive.find(tar, wanted))
            if kind is Kind.DOCKER_ARCHIVE
            else (lambda: layouts.find(tar, wanted, architecture))
        )
        return take_in(layout, find(), architecture)
