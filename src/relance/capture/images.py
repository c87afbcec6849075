"""The images of a run's jobs, as a capsule holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from relance.capsule.model import CapsuleImage
from relance.errors import InputError, RelanceError
from relance.model import UNKNOWN, Digest, ImageRecord, RunRecord
from relance.store import images as known_images
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.images import LocalImage
from relance.store.layout import Layout
from relance.store.normalise import Image
from relance.store.registry.refusals import RefusedError


@dataclass(frozen=True)
class Imported:
    """An image that was brought into the store."""

    image: Image
    runtime: Digest | None
    stands_for: str | None
    """The name whose place it takes, if a mapping said so."""


Import = Callable[[str], Imported]
"""Brings what a rule names into the store; raises a RelanceError if it can't be had."""


@dataclass(frozen=True)
class Found:
    """The images, and what has to be said of them."""

    images: tuple[CapsuleImage, ...]
    unknown: tuple[str, ...]
    not_closed: tuple[str, ...]


def collect(layout: Layout, analysis: Path, record: RunRecord, bring: Import) -> Found:
    """Return every image that a job of the run names, each once; what isn't in the store is brought there.

    Raises:
        InputError: an image is not the one that the run used.
    """
    local = known_images.known(analysis).local
    named: dict[str, ImageRecord] = {}
    bare = set()
    for job in record.jobs:
        if job.image is None or job.image == UNKNOWN:
            bare.add(job.rule)
        else:
            named.setdefault(job.image.written, job.image)
    found: dict[Digest, CapsuleImage] = {}
    unknown, not_closed = [], []
    for written, used in sorted(named.items()):
        try:
            image = (
                (_stood_in(layout, written, used) if written in record.run.stand_ins else None)
                or _built(layout, written, used, local)
                or _brought(written, used, bring)
            )
        except RelanceError as error:
            if isinstance(error, InputError) and not isinstance(error, RefusedError):
                raise
            not_closed.append(f"image {written} can't be had: {error.subject}: {error.found}")
            continue
        if image.resolved not in {"run", "written"}:
            unknown.append(f"whether the run's image {written} was {image.config}: looked up only afterwards")
        known = found.get(image.config)
        found[image.config] = replace(known, written=(*known.written, written)) if known else image
    if bare:
        rules = ", ".join(sorted(bare))
        not_closed.append(f"rules without container ran with programs of the machine: {rules}")
    return Found(tuple(found[config] for config in sorted(found)), tuple(unknown), tuple(not_closed))


def _stood_in(layout: Layout, written: str, used: ImageRecord) -> CapsuleImage | None:
    """Return what the run had in the place of an image, if the store has it still."""
    if used.config == UNKNOWN or used.manifest == UNKNOWN or not layout.has(used.manifest):  # noqa: PLR1714
        return None
    return CapsuleImage(
        (written,),
        used.config,
        used.manifest,
        layout.path(used.manifest).stat().st_size,
        runtime=used.runtime if used.runtime != UNKNOWN else None,
        stands_for=written,
    )


def _built(
    layout: Layout, written: str, used: ImageRecord, local: Mapping[str, LocalImage]
) -> CapsuleImage | None:
    """Return an image that was built on this machine, if it is the one that the rule names."""
    for name, image in local.items():
        if written not in {str(image.runtime.path), f"docker://relance/{name}"}:
            continue
        if not layout.has(image.manifest):
            raise InputError(
                f"image '{name}' is not in the store",
                expected=f"its manifest {image.manifest}",
                found="none",
                next_step="type 'relance images build --force' with the store that is used for the capture",
            )
        changed = used.config not in {UNKNOWN, image.config} or used.runtime not in {
            UNKNOWN,
            image.runtime.digest,
        }
        if changed:
            raise InputError(
                f"image '{name}' is not the one that the run used",
                expected=used.config if used.config != UNKNOWN else used.runtime,
                found=image.config,
                next_step="run the analysis again: the image was built anew since",
            )
        size = layout.path(image.manifest).stat().st_size
        return CapsuleImage(
            (written,),
            image.config,
            image.manifest,
            size,
            runtime=image.runtime.digest,
            resolved=used.resolved if used.resolved != UNKNOWN else "afterwards",
        )
    return None


def _brought(written: str, used: ImageRecord, bring: Import) -> CapsuleImage:
    imported = bring(written)
    image = imported.image
    resolved = used.resolved if used.resolved != UNKNOWN else "afterwards"
    if used.config not in {UNKNOWN, image.config.digest}:
        if imported.stands_for is None:
            raise InputError(
                f"image {written} is not the one that the run used",
                expected=str(used.config),
                found=image.config.digest,
                next_step="pin it by digest and run the analysis again, or name a stand-in with --mapping",
            )
        resolved = "afterwards"
    return CapsuleImage(
        (written,),
        image.config.digest,
        image.manifest.digest,
        image.manifest.size,
        imported.runtime,
        imported.stands_for,
        resolved,
    )


def of_parent(layout: Layout, images: Iterable[CapsuleImage], written: str) -> Imported | None:
    """Return the image of a rule as the capsule has it that the run is a recast of, and so ran it."""
    for image in images:
        if written in image.written and layout.has(image.manifest):
            return Imported(read(layout, image), image.runtime, image.stands_for)
    return None


def read(layout: Layout, image: CapsuleImage) -> Image:
    """Read a captured image from the store."""
    return Image.read(layout, Descriptor(MANIFEST_TYPE, image.manifest, image.manifest_size))
