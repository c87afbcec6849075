"""Where the image of a run comes from: what the run itself used, else the registry that its rule names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from relance.capture.images import Imported
from relance.errors import RelanceError
from relance.store.importing import entry
from relance.store.importing.entry import Entered
from relance.store.importing.mapping import Mapped
from relance.store.importing.source import Kind, Source
from relance.store.layout import Layout

_ENGINES = {"podman": Kind.PODMAN, "docker": Kind.DOCKER}

Enter = Callable[[Mapped], Entered]
"""Takes an image into the store; raises a RelanceError if it can't be had."""


def bring(layout: Layout, place: Mapped, analysis: Path, runtime: str, enter: Enter) -> Imported:
    """Bring the image of a rule into the store.

    What a mapping says counts before all else. The engine that ran the jobs has the very image; a registry
    may have another under a tag by now, or be gone: then the store's image of that name is taken, else the
    file that Apptainer ran, which stands for it, having lost its OCI configuration.

    Args:
        layout: of the store.
        place: what the rule names, and where that is.
        analysis: the analysis's folder.
        runtime: what jobs ran in.
        enter: see `Enter`.

    Raises:
        RelanceError: it can't be had.
    """
    if place.by_rule or place.source.kind is not Kind.REGISTRY:
        entered = enter(place)
        return Imported(entered.image, None, entered.stands_for)
    if runtime in _ENGINES:
        there = Mapped(place.name, Source(_ENGINES[runtime], place.source.name))
        with suppress(RelanceError):  # it was removed there since
            return Imported(enter(there).image, None, None)
    try:
        return Imported(enter(place).image, None, None)
    except RelanceError:
        known = entry.named(layout, place.name)
        if known is not None:
            return Imported(known, None, None)
        file = _pulled(analysis, place.name)
        if not file.is_file():
            raise
        return Imported(enter(Mapped(place.name, Source(Kind.SIF, path=file))).image, None, place.name)


def _pulled(analysis: Path, written: str) -> Path:
    """Return the file that Snakemake pulls what a rule writes into."""
    name = hashlib.md5(written.encode(), usedforsecurity=False).hexdigest()
    return analysis / ".snakemake" / "singularity" / f"{name}.simg"
