"""A capsule as one tar file, and back: an OCI layout, whose images `docker load` and `podman load` take."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from relance import digest
from relance.capsule import images, letter, oci, reading
from relance.capsule.images import HeldImage
from relance.capsule.model import Capsule
from relance.capsule.sources import Source
from relance.capsule.writing import NAMES, full_name
from relance.errors import InputError
from relance.model import Digest
from relance.store.descriptors import INDEX_TYPE, Descriptor
from relance.store.layout import Layout

_REF = "org.opencontainers.image.ref.name"

Told = Callable[[int], None]


def export_tar(layout: Layout, described: Descriptor, path: Path, *, told: Told = lambda _: None) -> int:
    """Write a capsule as a tar file, whole or not at all, always the same bytes; return their number.

    Folders that it is to lie in are made. `told` hears the bytes as they are written.

    Raises:
        InputError: the capsule is broken, or a blob is missing or damaged.
    """
    capsule = reading.read(layout, described)
    held = images.held(layout, capsule)
    found = reading.reached(layout, described)
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}-", dir=path.absolute().parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as output:
            with tarfile.open(fileobj=output, mode="w|", format=tarfile.GNU_FORMAT) as tar:
                for title, data in _front(layout, described, capsule, held).items():
                    _add(tar, title, BytesIO(data), len(data), told)
                for manifest, data in reversed(found.manifests):
                    _add(tar, _place(manifest.digest), BytesIO(data), len(data), told)
                for blob in found.blobs:
                    _add_blob(tar, layout, blob, told)
            size = output.tell()
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return size


def capsules_in(source: Source) -> Mapping[str, Descriptor]:
    """Return the capsules of a layout that isn't trusted, by their names there, else by their digests.

    Raises:
        InputError: its index is broken.
    """
    found: dict[str, Descriptor] = {}
    for entry in source.listed():
        # What says nothing of its kind may have been moved by a tool that forgets it.
        if entry.media_type == INDEX_TYPE and entry.artifact_type in {oci.CAPSULE_TYPE, None}:
            bare = Descriptor(INDEX_TYPE, entry.digest, entry.size, artifact_type=oci.CAPSULE_TYPE)
            found[entry.annotations.get(_REF, entry.digest).removeprefix(NAMES)] = bare
    return found


def choose(source: Source, name: str | None, where: str) -> Descriptor:
    """Return the capsule of this name in a layout that isn't trusted, or the only one.

    Raises:
        InputError: there is none, or none is named and there are several.
    """
    known = capsules_in(source)
    if name is not None:
        matching = {
            text: one for text, one in known.items() if name in {text, text.partition(":")[0], one.digest}
        }
    else:
        matching = dict(known)
    if len({one.digest for one in matching.values()}) == 1:
        return next(iter(matching.values()))
    raise InputError(
        f"{where} holds {'no capsule' if not matching else 'more than one capsule'}"
        f"{'' if name is None else f' {name!r}'}",
        expected="one",
        found=", ".join(letter.line(text) for text in sorted(known)[:9]) or "none",
        next_step=f"write '{where}:NAME'" if known else "name a capsule's tar file or layout",
    )


def bring(
    layout: Layout, source: Source, described: Descriptor, *, name: str | None, told: Told = lambda _: None
) -> Capsule:
    """Bring a capsule into a layout; nothing enters that isn't of it and verified.

    Everything that tells of it is read and checked before the first byte is written. What is there already
    is not written again, so that an interrupted import goes on where it was.

    Args:
        layout: gets the blobs.
        source: where it comes from.
        described: which capsule.
        name: as in `writing.write`.
        told: hears the bytes as they come.

    Raises:
        InputError: the capsule is broken or hostile, or its name means another one here.
    """
    capsule = reading.read(source, described)
    named = None if name is None else full_name(name, capsule)
    if named is not None:
        _check_free(layout, named, described)
    found = reading.reached(source, described)
    wanted = [*found.blobs, *(manifest for manifest, _ in found.manifests)]
    for blob in wanted:
        if layout.size(blob.digest) != blob.size and source.size(blob.digest) != blob.size:
            raise InputError(
                f"the capsule {described.digest} is not whole",
                expected=f"blob {blob.digest} of {blob.size} bytes",
                found="none, or another size",
                next_step="get the file again from where it came",
            )
    for blob in wanted:
        if layout.size(blob.digest) == blob.size:
            layout.touch(blob.digest)
            told(blob.size)
        else:
            source.copy(blob, layout, told)
    if named is not None:
        layout.name(named, described)
    return capsule


def _check_free(layout: Layout, named: str, described: Descriptor) -> None:
    before = layout.names().get(named)
    if before is not None and before.digest != described.digest:
        raise InputError(
            f"the name {named.removeprefix(NAMES)} is taken",
            expected=f"it to mean nothing yet, or {described.digest}",
            found=before.digest,
            next_step="give another name with --name",
        )


def _front(
    layout: Layout, described: Descriptor, capsule: Capsule, held: Mapping[Digest, HeldImage]
) -> Mapping[str, bytes]:
    name = full_name(capsule.specification.identity.name, capsule).removeprefix(NAMES)
    entry = described.to_json() | {"artifactType": oci.CAPSULE_TYPE, "annotations": {_REF: name}}
    # With the images listed too there is no one image that Podman could take for all, and it turns to
    # manifest.json, as Docker does.
    listed = [entry, *(image.manifest.to_json() for image in held.values())]
    front = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": listed}),
    }
    if held:
        front["manifest.json"] = _json([_loadable(capsule, image) for image in held.values()])
    front[letter.NAME] = letter.text(capsule, described.digest).encode()
    front[oci.REPLAY] = reading.replay(layout, described)
    return front


def _loadable(capsule: Capsule, image: HeldImage) -> dict[str, Any]:
    name = "".join(one if one.isalnum() else "-" for one in capsule.specification.identity.name.lower())
    short = image.config.digest.removeprefix("sha256:")[:12]
    return {
        "Config": _place(image.config.digest),
        "RepoTags": [f"localhost/relance-capsule/{name}:{short}"],
        "Layers": [_place(layer.digest) for layer in image.layers],
    }


def _place(blob: Digest) -> str:
    return f"blobs/sha256/{digest.parse(blob).removeprefix('sha256:')}"


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"


def _add_blob(tar: tarfile.TarFile, layout: Layout, blob: Descriptor, told: Told) -> None:
    with layout.path(blob.digest).open("rb") as stream:
        counted = _Hashed(stream)
        _add(tar, _place(blob.digest), counted, blob.size, told)
    if counted.digest != blob.digest:
        raise InputError(
            f"{layout.path(blob.digest)} is damaged",
            expected=blob.digest,
            found=counted.digest,
            next_step="see 'relance store fsck'",
        )


class _Hashed:
    """Hashes what is read through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._state = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._state.update(data)
        return data

    @property
    def digest(self) -> str:
        return f"sha256:{self._state.hexdigest()}"


def _add(tar: tarfile.TarFile, name: str, stream: Any, size: int, told: Told) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o755 if name == oci.REPLAY else 0o644
    tar.addfile(info, stream)
    told(size)
