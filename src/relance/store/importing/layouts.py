"""An image in an OCI layout: a folder, or the same in a tar archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store import configuration
from relance.store.descriptors import LARGEST_MANIFEST, Descriptor
from relance.store.importing.choosing import choose
from relance.store.importing.folders import Folder
from relance.store.importing.image import Found, Packed, check_layers

_NAMES = ("org.opencontainers.image.ref.name", "io.containerd.image.name")


def find(folder: Folder, name: str, architecture: str) -> Found:
    """Return the image that a layout has under a name or digest; without one, its only image.

    Raises:
        InputError: there is none, there are several, or something in the layout is broken.
    """
    root = _named(folder, name)
    data = _read(folder, root, LARGEST_MANIFEST)
    subject = f"{folder.subject}{f':{name}' if name else ''}"
    manifest = choose(
        subject, root, data, architecture, lambda wanted: _read(folder, wanted, LARGEST_MANIFEST)
    )
    check_layers(subject, manifest.layers)
    config = _read(folder, manifest.config or root, configuration.LARGEST)
    return Found(subject, config, tuple(_packed(folder, layer) for layer in manifest.layers), root.digest)


def verified(folder: Folder, name: str, wanted: Digest) -> BinaryIO:
    """Open a file whose content has this digest; a digest is known before the first byte is used.

    Raises:
        InputError: it is missing, or something else.
    """
    stream = folder.open(name)
    found = _hash(stream)
    if found != wanted:
        stream.close()
        raise _broken(f"{folder.subject}: {name}", wanted, found)
    return stream


def path(blob: Digest) -> str:
    """Return where a layout has a blob."""
    return f"blobs/{blob.replace(':', '/')}"


def _named(folder: Folder, name: str) -> Descriptor:
    with folder.open("index.json") as stream:
        data = stream.read(LARGEST_MANIFEST + 1)
    try:
        entries = json.loads(data)["manifests"] if len(data) <= LARGEST_MANIFEST else None
    except (ValueError, KeyError, TypeError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise _broken(f"{folder.subject}: index.json", "the index of an OCI layout", "something else")
    listed = [Descriptor.from_json(entry) for entry in entries]
    fitting = [entry for entry in listed if not name or name == entry.digest or name in _names(entry)]
    if len({entry.digest for entry in fitting}) != 1:
        names = sorted({known for entry in listed for known in _names(entry)[:1]})
        raise InputError(
            f"image {name!r} in {folder.subject}" if name else f"{folder.subject} holds several images",
            expected=f"one of {', '.join(names)}" if names else "one of its digests",
            found=f"{len(fitting)} of {len(listed)} images",
            next_step="write the name after the path and a ':'",
        )
    return fitting[0]


def _names(entry: Descriptor) -> list[str]:
    return [entry.annotations[key] for key in _NAMES if key in entry.annotations]


def _read(folder: Folder, wanted: Descriptor, largest: int) -> bytes:
    most = min(wanted.size, largest)
    with folder.open(path(wanted.digest)) as stream:
        data = stream.read(most + 1)
    found = digest.of_bytes(data)
    if found != wanted.digest or len(data) != wanted.size:
        raise _broken(f"{folder.subject}: {path(wanted.digest)}", wanted.digest, found)
    return data


def _packed(folder: Folder, layer: Descriptor) -> Packed:
    @contextmanager
    def stream() -> Iterator[BinaryIO]:
        with verified(folder, path(layer.digest), layer.digest) as found:
            yield found

    return stream


def _hash(stream: BinaryIO) -> Digest:
    sha = hashlib.sha256()
    stream.seek(0)
    while data := stream.read(1 << 20):
        sha.update(data)
    stream.seek(0)
    return Digest(f"sha256:{sha.hexdigest()}")


def _broken(subject: str, expected: str, found: str) -> InputError:
    return InputError(
        f"{subject} is damaged", expected=expected, found=found, next_step="copy or save it again"
    )
