"""Built images given to the engines that keep images of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from relance.errors import MissingPartError
from relance.store.builder import Builder
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.images import LocalImage
from relance.store.layout import Layout
from relance.store.normalise import Image


def load(folder: Path, local: LocalImage, engine: Builder) -> bool:
    """Give a built image, every blob verified, to an engine; return whether it had to be given.

    `folder` holds the OCI layout that the image was built into; nothing is written to it.

    Raises:
        InputError: a blob is missing or damaged; nothing is loaded.
        AnalysisError: the engine did not take it.
        MissingPartError: the image is not in the layout, or the engine knows it by another digest then.
    """
    if engine.has(local.config):
        return False
    if not (folder / "oci-layout").is_file() or not Layout(folder).has(local.manifest):
        raise MissingPartError(
            f"image {local.reference} can't be loaded",
            expected=f"it in {folder}",
            found="no such image: it was built for another user or machine, or deleted since",
            next_step="type 'relance images build --force'",
        )
    layout = Layout(folder)
    size = layout.path(local.manifest).stat().st_size
    image = Image.read(layout, Descriptor(MANIFEST_TYPE, local.manifest, size))
    engine.load(layout, image, local.reference)
    if not engine.has(local.config):
        raise MissingPartError(
            f"image {local.reference} can't be used in {engine.name}",
            expected=f"it to be known as {local.config}",
            found="it loaded, but under another digest",
            next_step="use another runtime, or Docker without its containerd image store",
        )
    return True


def answering(names: Sequence[str], engines: Sequence[Builder]) -> tuple[Builder, ...]:
    """Return the engines of these names, or all that answer.

    Raises:
        MissingPartError: a named one doesn't answer, or none does.
    """
    wanted = [engine for engine in engines if not names or engine.name in names]
    there = tuple(engine for engine in wanted if engine.available())
    silent = [engine.name for engine in wanted if engine not in there]
    if not there or (names and silent):
        raise MissingPartError(
            "images can't be loaded",
            expected=f"{' and '.join(names)} to answer" if names else "Podman or Docker",
            found=f"no answer of {', '.join(silent)}",
            next_step="install and start it; Apptainer and plain processes need no loading",
        )
    return there
