"""Images that a mapping file puts in the place of others: brought for a run, or added to a capsule."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from relance.capsule.model import Capsule, CapsuleImage
from relance.cli import entering
from relance.engines import snakemake
from relance.engines.snakemake import RunFolder
from relance.engines.substitutes import Substitute
from relance.model import UNKNOWN, RunRequest, RuntimeKind
from relance.recording import sources
from relance.store import runtime_images
from relance.store.importing import entry, mapping
from relance.store.importing.entry import Entered
from relance.store.store import Store


def for_run(
    store: Store,
    request: RunRequest,
    mapping_file: Path,
    kind: RuntimeKind | None,
    say: Callable[[str], None],
) -> tuple[Substitute, ...]:
    """Bring what stands in for the images of an analysis into the store.

    `kind`: what it is to run in; None if that is still to be chosen. Snakemake reads the Snakefile.

    Raises:
        RelanceError: the mapping is wrong, or what it names can't be had.
    """
    if kind is RuntimeKind.PLAIN:
        say(f"{mapping_file} is not used: plain processes run in no image")
        return ()
    with tempfile.TemporaryDirectory(prefix="relance-reading-") as scratch:
        folder = RunFolder(Path(scratch))
        snakemake.write_settings(request, folder)
        runtime = kind or RuntimeKind.APPTAINER
        arguments = snakemake.arguments(request, runtime, folder)
        environment = snakemake.environment(os.environ, runtime, folder)
        graph, _ = sources.graph(arguments, request.analysis, environment)
    if graph is None:  # the run itself says why
        return ()
    found = []
    with store.writing():
        for written, entered in _brought(store, graph.images, mapping_file, say):
            image = entered.image
            wanted = kind in {None, RuntimeKind.APPTAINER}
            runtime_image = runtime_images.make(store, image) if wanted else None
            found.append(Substitute(written, image.config.digest, image.manifest.digest, runtime_image))
    return tuple(found)


def added(store: Store, capsule: Capsule, mapping_file: Path | None, say: Callable[[str], None]) -> Capsule:
    """Return a capsule with what stands in for those of its images that it doesn't hold.

    The capsule of the store stays as it is.

    Raises:
        RelanceError: the mapping is wrong, or what it names can't be had.
    """
    if mapping_file is None:
        return capsule
    held = {written for image in capsule.images for written in image.written}
    named = {
        job.record.image.written
        for job in capsule.jobs
        if job.record.image is not None and job.record.image != UNKNOWN
    }
    found = []
    with store.writing():
        for written, entered in _brought(store, named - held, mapping_file, say):
            config, manifest = entered.image.config.digest, entered.image.manifest
            found.append(
                CapsuleImage(
                    (written,),
                    config,
                    manifest.digest,
                    manifest.size,
                    stands_for=written,
                    resolved="afterwards",
                )
            )
    return replace(capsule, images=(*capsule.images, *found))


def _brought(
    store: Store, names: Collection[str], mapping_file: Path, say: Callable[[str], None]
) -> list[tuple[str, Entered]]:
    rules = mapping.read(mapping_file)
    places = [place for name in sorted(names) if (place := mapping.mapped(name, rules)) is not None]
    if not places:
        known = ", ".join(sorted(names)) or "it names none"
        say(f"{mapping_file} names no image that is needed here ({known})")
    found = []
    for place in places:
        say(f"{place.source} stands in for {place.name}, as {mapping_file} says")
        entered = entering.enter(store, place)
        entry.name(store.layout, entered.image, str(place.source))
        found.append((place.name, entered))
    return found
