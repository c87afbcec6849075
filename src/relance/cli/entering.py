"""How an image enters the store that a capture lacks: from the engine that ran it, a registry or a file."""

from __future__ import annotations

import os
from pathlib import Path

from relance.capture import bringing
from relance.capture.images import Imported
from relance.cli import registries
from relance.store import base as bases
from relance.store import runtime_images
from relance.store.docker import Docker
from relance.store.importing import entry, mapping
from relance.store.importing.entry import Entered
from relance.store.importing.mapping import ImageMapping, Mapped
from relance.store.importing.source import Kind
from relance.store.podman import Podman
from relance.store.registry.reference import Reference
from relance.store.store import Store


def bring(store: Store, written: str, analysis: Path, runtime: str, mapping_file: Path | None) -> Imported:
    """Take the image that a rule names into the store; see `capture.bringing`.

    Raises:
        RelanceError: it can't be had.
    """
    made_here = runtime_images.image_of(store, analysis / written)
    if made_here is not None and mapping_file is None:
        return Imported(made_here, runtime_images.made_of(store, made_here.config.digest), None)
    rules = ImageMapping() if mapping_file is None else mapping.read(mapping_file)
    place = entry.find(written, rules, analysis)
    return bringing.bring(store.layout, place, analysis, runtime, lambda chosen: enter(store, chosen))


def enter(store: Store, place: Mapped) -> Entered:
    """Take an image into the store; see `importing.entry.enter`.

    Raises:
        RelanceError: it can't be had.
    """
    host = Reference.parse(place.source.name).host if place.source.kind is Kind.REGISTRY else ""
    engines: dict[Kind, entry.Engine] = {Kind.DOCKER: Docker(), Kind.PODMAN: Podman()}
    access = registries.access(os.environ, host, None)
    return entry.enter(store.layout, place, bases.architecture(), access, engines)
