"""An image in a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from relance import digest
from relance.errors import InputError
from relance.store import configuration, manifests
from relance.store.importing.image import SYSTEM, Found, Packed, check_layers, take_in
from relance.store.layout import Descriptor, Layout
from relance.store.manifests import Manifest
from relance.store.normalise import Image
from relance.store.registry import pulling
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access, Session
from relance.store.registry.transfer import Tally, Told

_DEEPEST = 4


@dataclass(frozen=True)
class Remote:
    """An image that came from a registry, and what its reference meant then, by digest."""

    image: Image
    reference: Reference


def pull(
    layout: Layout,
    reference: Reference,
    architecture: str,
    access: Access,
    told: Told = lambda _moved: None,
) -> Remote:
    """Store an image of a registry with its layers uncompressed, and return it.

    The configuration, and with it the image's identity, is the registry's; the manifest is written anew.

    Raises:
        MissingPartError: the registry doesn't answer, or refuses.
        InputError: a blob is not what its digest says, or the image is of a form that is not understood.
    """
    with Session(reference, access) as session:
        root, data = pulling.resolve(session, reference)
        pinned = Reference(reference.host, reference.repository, root.digest, reference.tag)
        manifest = choose(
            str(reference), root, data, architecture, lambda wanted: pulling.read_manifest(session, wanted)
        )
        check_layers(str(reference), manifest.layers)
        config = manifest.config or root
        url = session.url(f"blobs/{config.digest}")
        text, _ = session.read(url, min(config.size, configuration.LARGEST))
        if digest.of_bytes(text) != config.digest:
            raise InputError(
                f"{reference}: its configuration is not what its digest says",
                expected=config.digest,
                found=digest.of_bytes(text),
                next_step="pull it again; if this stays, don't trust the registry",
            )
        tally = Tally(len(manifest.layers), sum(layer.size for layer in manifest.layers), told)

        def packed(layer: Descriptor) -> Packed:
            return lambda: _arrived(session, layout, layer, tally)

        layers = tuple(packed(layer) for layer in manifest.layers)
        return Remote(take_in(layout, Found(str(reference), text, layers, root.digest), architecture), pinned)


@contextmanager
def _arrived(session: Session, layout: Layout, layer: Descriptor, tally: Tally) -> Iterator[BinaryIO]:
    with pulling.arriving(session, layout, layer, tally) as file:
        yield file.stream
        tally.add(blobs=1)


def choose(
    name: str, root: Descriptor, data: bytes, architecture: str, read: Callable[[Descriptor], bytes]
) -> Manifest:
    """Return the manifest for this processor: `root` itself, or one that its index lists.

    data: the verified bytes of `root`. read: gives the verified bytes of others.

    Raises:
        InputError: there is none, or a manifest is refused.
    """
    wanted = root
    for _ in range(_DEEPEST):
        manifest = manifests.parse(data, wanted)
        if manifest.config is not None:
            return manifest
        fitting = [entry for entry in manifest.manifests if _fits(entry, architecture)]
        if not fitting:
            raise InputError(
                f"image {name} doesn't run here",
                expected=f"one for {SYSTEM}/{architecture}",
                found="only others",
                next_step="name another image, or build one",
            )
        wanted = fitting[0]
        data = read(wanted)
    raise InputError(
        f"image {name} can't be used",
        expected=f"an index nested at most {_DEEPEST} deep",
        found="more",
        next_step="name another image",
    )


def _fits(entry: Descriptor, architecture: str) -> bool:
    platform = entry.platform or {}
    said = (platform.get("os", SYSTEM), platform.get("architecture", architecture))
    return said == (SYSTEM, architecture)
