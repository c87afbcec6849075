"""An image in an archive as `docker save` writes it: manifest.json, configurations, layers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store import configuration
from relance.store.descriptors import LARGEST_MANIFEST
from relance.store.importing.folders import Folder
from relance.store.importing.image import Found, Packed

LISTING = "manifest.json"
_NAMED_BY_DIGEST = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json)?")


def find(folder: Folder, name: str) -> Found:
    """Return the image that an archive has under a name, tag or digest; without one, its only image.

    Raises:
        InputError: there is none, there are several, or the archive is broken.
    """
    entry = _named(folder, name)
    where = _text(folder, entry.get("Config"))
    with folder.open(where) as stream:
        config = stream.read(configuration.LARGEST + 1)
    said = _NAMED_BY_DIGEST.fullmatch(where)
    if said and digest.of_bytes(config) != f"sha256:{said[1]}":
        raise _broken(folder, f"{where} as its name says", digest.of_bytes(config))
    layers = entry.get("Layers")
    if not isinstance(layers, list):
        raise _broken(folder, "a list of layers", type(layers).__name__)
    subject = f"{folder.subject}{f':{name}' if name else ''}"
    return Found(subject, config, tuple(_packed(folder, _text(folder, layer)) for layer in layers))


def _named(folder: Folder, name: str) -> dict[str, Any]:
    with folder.open(LISTING) as stream:
        data = stream.read(LARGEST_MANIFEST + 1)
    try:
        entries = json.loads(data) if len(data) <= LARGEST_MANIFEST else None
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _broken(folder, f"a list of images in {LISTING}", "something else")
    wanted = [entry for entry in entries if not name or _fits(entry, name)]
    if len(wanted) != 1:
        known = sorted({tag for entry in entries for tag in _tags(entry)})
        raise InputError(
            f"image {name!r} in {folder.subject}" if name else f"{folder.subject} holds several images",
            expected=f"one of {', '.join(known)}" if known else "the digest of a configuration",
            found=f"{len(wanted)} of {len(entries)} images",
            next_step="write the name after the path and a ':'",
        )
    return dict(wanted[0])


def _fits(entry: dict[str, Any], name: str) -> bool:
    tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    for tag in _tags(entry):
        if tag == tagged or tag.endswith(f"/{tagged}"):
            return True
    said = _NAMED_BY_DIGEST.fullmatch(str(entry.get("Config")))
    return said is not None and name.removeprefix("sha256:") == said[1]


def _tags(entry: dict[str, Any]) -> list[str]:
    return [tag for tag in entry.get("RepoTags") or () if isinstance(tag, str)]


def _packed(folder: Folder, name: str) -> Packed:
    @contextmanager
    def stream() -> Iterator[BinaryIO]:
        with folder.open(name) as found:
            yield found

    return stream


def _text(folder: Folder, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _broken(folder, "names of files", repr(value)[:100])
    return value


def _broken(folder: Folder, expected: str, found: str | Digest) -> InputError:
    return InputError(
        f"{folder.subject} is damaged", expected=expected, found=found, next_step="save or fetch it again"
    )
