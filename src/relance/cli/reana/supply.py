"""The images of a submission: looked up, and those that are missing pushed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from relance.cli import registries
from relance.cli.progress import counting
from relance.cli.reana import telling

if TYPE_CHECKING:
    from relance.capsule.model import Capsule
    from relance.engines.reana.images import Choice, Held, Holding, Look
    from relance.store.layout import Layout
    from relance.store.registry.reference import Reference

_OWN = "docker://relance/"


def look(environment: Mapping[str, str]) -> Look:
    """Return what looks an image up in its registry."""
    from relance.engines.reana.images import Seen
    from relance.store import manifests
    from relance.store.registry import pulling
    from relance.store.registry.session import Session

    def looked(reference: Reference) -> Seen:
        with Session(reference, registries.access(environment, reference.host, None)) as session:
            described, data = pulling.resolve(session, reference)
        config = manifests.parse(data, described).config
        return Seen(described.digest, config.digest if config is not None else None)

    return looked


def of_capsule(folder: Path, capsule: Capsule) -> Holding:
    """Return what finds the images of a capsule, of which the store has all."""
    from relance.capsule.images import short
    from relance.engines.reana.images import Held
    from relance.store.descriptors import MANIFEST_TYPE, Descriptor

    named = _built(folder)
    found: dict[str, Held] = {}
    for image in capsule.images:
        described = Descriptor(MANIFEST_TYPE, image.manifest, image.manifest_size)
        for written in image.written:
            known = named.get(written)
            same = known is not None and known.config == image.config
            name = known.name if known is not None else _name(written) or short(image)
            listed = known.listed if known is not None and same else None
            found[written] = Held(name, described, image.config, listed)
    return found.get


def of_folder(folder: Path, layout: Layout | None) -> Holding:
    """Return what finds the images that were built here, or that the store has by a reference's digest."""
    from relance.engines.reana.images import Held
    from relance.errors import RelanceError
    from relance.store.descriptors import MANIFEST_TYPE, Descriptor
    from relance.store.normalise import Image
    from relance.store.registry.reference import Reference

    built = _built(folder)

    def holding(written: str) -> Held | None:
        if layout is None:
            return None
        known = built.get(written)
        if known is not None:
            size = layout.size(known.manifest.digest)
            if size is None:
                return None
            return replace(known, manifest=Descriptor(MANIFEST_TYPE, known.manifest.digest, size))
        try:
            wanted = Reference.of_image(written).digest
            size = None if wanted is None else layout.size(wanted)
            if wanted is None or size is None:
                return None
            described = Descriptor(MANIFEST_TYPE, wanted, size)
            return Held(_name(written) or "image", described, Image.read(layout, described).config.digest)
        except RelanceError:
            return None  # not a reference, or no image

    return holding


def push(
    choices: Iterable[Choice],
    layout: Layout,
    target: Reference,
    environment: Mapping[str, str],
    *,
    quiet: bool,
) -> None:
    """Push the images that are to be pushed; what the registry has already isn't sent.

    Raises:
        InputError: something of an image is missing or damaged.
        MissingPartError: the registry does not answer, or refuses.
    """
    from relance.engines.reana import images
    from relance.store.registry import pushing

    say = telling.say(quiet=quiet)
    access = registries.access(environment, target.host, None)
    for choice in choices:
        if choice.pushed is None:
            continue
        with counting("pushing", quiet=quiet) as show:
            where = images.place(choice.pushed, target)
            pushing.push(layout, choice.pushed.manifest, where, access, told=telling.shown(show))
        say(f"image {choice.written} is {choice.becomes} now")


def _built(folder: Path) -> dict[str, Held]:
    """Return the images of a folder's list that were built on a machine, by what rules write for them."""
    from relance.engines.reana.images import Held
    from relance.store import images
    from relance.store.descriptors import MANIFEST_TYPE, Descriptor
    from relance.store.images import PublishedImage

    found: dict[str, Held] = {}
    for name, local in images.known(folder).local.items():
        listed = PublishedImage("", local.manifest, local.config, local.runtime.digest, local.runtime.size)
        held = Held(name, Descriptor(MANIFEST_TYPE, local.manifest, 0), local.config, listed)
        found |= {str(local.runtime.path): held, f"{_OWN}{name}": held}
    return found


def _name(written: str) -> str:
    """Return the last part of a reference without tag and digest, as a repository may be called."""
    last = written.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return last if last.replace("-", "").replace("_", "").isalnum() and last.islower() else ""
