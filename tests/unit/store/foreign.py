"""Images made by hand as others publish them: layers packed, several in one archive, hostile ones too."""

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard

from relance import digest
from relance.store.descriptors import CONFIG_TYPE, INDEX_TYPE, LAYER_TYPE, MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout

PACKERS = {
    "": lambda data: data,
    "+gzip": lambda data: gzip.compress(data, mtime=0),
    "+zstd": zstandard.ZstdCompressor().compress,
}


@dataclass(frozen=True)
class Foreign:
    """An image's configuration and its layers, unpacked."""

    config: bytes
    layers: tuple[bytes, ...]

    @property
    def identity(self) -> str:
        return digest.of_bytes(self.config)


def image(*layers: io.BytesIO, architecture: str = "amd64", **more: object) -> Foreign:
    data = tuple(layer.getvalue() for layer in layers)
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/bin:/usr/bin", "EXPERIMENT=one two"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [digest.of_bytes(layer) for layer in data]},
        # Not canonical on purpose: these bytes are the image's identity.
        "history": [{"created_by": "somebody"}],
        **more,
    }
    return Foreign(json.dumps(config, indent=1).encode(), data)


def put(layout: Layout, given: Foreign, packing: str = "+gzip", **more: object) -> Descriptor:
    config = layout.add(given.config, CONFIG_TYPE)
    layers = [layout.add(PACKERS[packing](layer), f"{LAYER_TYPE}{packing}") for layer in given.layers]
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
        **more,
    }
    return layout.add_json(value, MANIFEST_TYPE)


def put_index(layout: Layout, children: Sequence[tuple[Descriptor, str]]) -> Descriptor:
    manifests = [
        child.to_json() | {"platform": {"os": "linux", "architecture": architecture}}
        for child, architecture in children
    ]
    value = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}
    return layout.add_json(value, INDEX_TYPE)


def archive_folder(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        for name in ("oci-layout", "index.json", "blobs"):
            tar.add(folder / name, name)
    return path


def docker_archive(
    path: Path, images: dict[str, Foreign], *, members: dict[str, bytes] | None = None
) -> Path:
    """Write an archive as Docker did before version 25: a layer that two images share is a link in one."""
    listing = []
    seen: dict[bytes, str] = {}
    with tarfile.open(path, "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        for tag, given in images.items():
            names = []
            for number, layer in enumerate(given.layers):
                name = f"{len(listing)}-{number}/layer.tar"
                names.append(name)
                if layer in seen:
                    info = tarfile.TarInfo(name)
                    info.type, info.linkname = tarfile.SYMTYPE, f"../{seen[layer]}"
                    tar.addfile(info)
                else:
                    seen[layer] = name
                    add(name, layer)
            config = f"{given.identity[7:]}.json"
            add(config, given.config)
            listing.append({"Config": config, "RepoTags": [tag] if tag else None, "Layers": names})
        for name, data in (members or {}).items():
            add(name, data)
        if "manifest.json" not in (members or {}):
            add("manifest.json", json.dumps(listing).encode())
    return path
