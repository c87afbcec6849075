"""An image in a registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from relance import digest
from relance.errors import InputError
from relance.store import configuration
from relance.store.descriptors import Descriptor
from relance.store.importing.choosing import choose
from relance.store.importing.image import Found, Packed, check_layers, take_in
from relance.store.layout import Layout
from relance.store.normalise import Image
from relance.store.registry import pulling
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access, Session
from relance.store.registry.transfer import Tally, Told


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
