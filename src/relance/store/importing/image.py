"""An image on its way into a store: its configuration as it is, its layers unpacked and verified."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

from relance.errors import InputError
from relance.model import Digest
from relance.store import configuration
from relance.store.descriptors import CONFIG_TYPE, LAYER_TYPE, Descriptor
from relance.store.importing.unpacking import unpack
from relance.store.layout import Layout
from relance.store.normalise import Image, write_manifest

SYSTEM = "linux"
_LAYERS = frozenset(
    {
        LAYER_TYPE,
        f"{LAYER_TYPE}+gzip",
        f"{LAYER_TYPE}+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    }
)

Packed = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens a layer as its source has it, from its first byte, seekable."""


@dataclass(frozen=True)
class Found:
    """An image in its source.

    manifest: digest of the source's own manifest, if it has one; the store's says uncompressed layers.
    """

    name: str
    config: bytes
    layers: tuple[Packed, ...]
    manifest: Digest | None = None


def take_in(layout: Layout, found: Found, architecture: str) -> Image:
    """Store an image with its layers uncompressed and return it; its configuration's digest is kept.

    A layer that is in the store already isn't opened.

    Raises:
        InputError: it is not what its configuration says, is hostile, or isn't for this processor.
        MissingPartError: its source does not answer.
    """
    said = configuration.parse(found.config, found.name)
    if said.system != SYSTEM or said.architecture != architecture:
        raise _refusal(
            found.name, f"one for {SYSTEM}/{architecture}", f"{said.system}/{said.architecture}"[:100]
        )
    if len(said.diff_ids) != len(found.layers):
        raise _refusal(found.name, f"{len(said.diff_ids)} layers", f"{len(found.layers)}")
    layers = [
        _layer(layout, diff_id, packed, f"{found.name}, layer {number}")
        for number, (diff_id, packed) in enumerate(zip(said.diff_ids, found.layers, strict=True))
    ]
    config = layout.add(found.config, CONFIG_TYPE)
    return Image.read(layout, write_manifest(layout, config, layers))


def check_layers(name: str, layers: Sequence[Descriptor]) -> None:
    """Refuse layers of another kind than file trees, such as encrypted ones.

    Raises:
        InputError: there is one.
    """
    for layer in layers:
        if layer.media_type not in _LAYERS:
            raise _refusal(name, "layers that are tar, plain or in gzip or Zstandard", layer.media_type)


def _layer(layout: Layout, diff_id: Digest, packed: Packed, subject: str) -> Descriptor:
    size = layout.size(diff_id)
    if size is not None:
        layout.touch(diff_id)
        return Descriptor(LAYER_TYPE, diff_id, size)
    with packed() as stream, layout.writer() as blob:
        unpack(stream, _size(stream), blob, subject)
        if blob.digest != diff_id:
            raise _refusal(subject, f"{diff_id}, as its configuration says", blob.digest)
    return Descriptor(LAYER_TYPE, blob.digest, blob.size)


def _size(stream: BinaryIO) -> int:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return size


def _refusal(name: str, expected: str, found: str) -> InputError:
    return InputError(
        f"{name} can't be taken in",
        expected=expected,
        found=found,
        next_step="get the image from its publisher again, or name another one",
    )
