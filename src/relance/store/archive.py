"""An image as the one-file archive that `podman load` and `docker load` take."""

from __future__ import annotations

import json
import tarfile
from io import BytesIO
from typing import BinaryIO

from relance.store.layout import Layout
from relance.store.normalise import Image


def write(layout: Layout, image: Image, reference: str, output: BinaryIO) -> None:
    """Write an image, its blobs verified, under the name `reference` (`localhost/NAME:TAG`).

    The configuration goes in as its own bytes, so both engines give the image the digest of these as its id.

    Raises:
        InputError: a blob is missing or damaged.
    """
    names = [f"{layer.digest.removeprefix('sha256:')}.tar" for layer in image.layers]
    config = f"{image.config.digest.removeprefix('sha256:')}.json"
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        manifest = json.dumps([{"Config": config, "RepoTags": [reference], "Layers": names}]).encode()
        _add(archive, "manifest.json", BytesIO(manifest), len(manifest))
        data = layout.read(image.config.digest)
        _add(archive, config, BytesIO(data), len(data))
        for name, layer in zip(names, image.layers, strict=True):
            with layout.open(layer.digest) as stream:
                _add(archive, name, stream, layer.size)


def _add(archive: tarfile.TarFile, name: str, stream: BinaryIO, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    archive.addfile(info, stream)
