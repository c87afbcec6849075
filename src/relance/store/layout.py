"""An OCI image layout: blobs named by their sha256 in one folder, and an index that names manifests.

The layout on disk is the one of the OCI image specification 1.1 (`oci-layout`, `index.json`,
`blobs/sha256/`), so that skopeo, Podman and oras read it as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store.atomic import write_bytes

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True)
class Descriptor:
    """What a manifest or index says of a blob; size in bytes."""

    media_type: str
    digest: Digest
    size: int

    def to_json(self) -> dict[str, str | int]:
        """Return the descriptor as OCI writes it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Descriptor:
        """Read a descriptor as OCI writes it.

        Raises:
            InputError: a field is missing or of another type.
        """
        try:
            return cls(str(value["mediaType"]), digest.parse(str(value["digest"])), int(value["size"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                "a descriptor of an OCI layout is broken",
                expected="mediaType, digest and size",
                found=repr(value),
                next_step="get the layout again",
            ) from error


class BlobWriter:
    """A blob being written; `write` takes bytes, `size` counts them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Append bytes to the blob."""
        self._hash.update(data)
        self.size += len(data)
        return self._stream.write(data)

    @property
    def digest(self) -> Digest:
        """Digest of what was written so far."""
        return Digest(f"sha256:{self._hash.hexdigest()}")


class Layout:
    """An OCI image layout in a folder, made when it isn't there.

    Raises:
        InputError: the folder holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        marker = folder / "oci-layout"
        if not marker.exists():
            if folder.exists() and any(folder.iterdir()):
                raise InputError(
                    f"{folder} is no OCI layout",
                    expected="an empty folder or one with the file oci-layout",
                    found="other files",
                    next_step="name another folder",
                )
            (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
            write_bytes(folder / "index.json", _dump({"schemaVersion": 2, "manifests": []}))
            write_bytes(marker, _dump({"imageLayoutVersion": "1.0.0"}))

    def path(self, blob: Digest) -> Path:
        """Return where a blob lies or would lie; it need not be there, nor be what its name says."""
        return self.folder / "blobs" / "sha256" / digest.parse(blob).removeprefix("sha256:")

    def has(self, blob: Digest) -> bool:
        """Tell whether a blob is there, without reading it."""
        return self.path(blob).is_file()

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        """Write a blob of unknown digest; it gets its name when the block ends without an error."""
        folder = self.folder / "blobs" / "sha256"
        handle, name = tempfile.mkstemp(prefix=".part-", dir=folder)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                blob = BlobWriter(stream)
                yield blob
            temporary.chmod(0o644)
            temporary.replace(self.path(blob.digest))
        finally:
            temporary.unlink(missing_ok=True)

    def add(self, data: bytes, media_type: str) -> Descriptor:
        """Store bytes and return their descriptor."""
        with self.writer() as blob:
            blob.write(data)
        return Descriptor(media_type, blob.digest, blob.size)

    def add_json(self, value: object, media_type: str) -> Descriptor:
        """Store a JSON value in its canonical form."""
        return self.add(digest.canonical_json(value), media_type)

    def read(self, blob: Digest) -> bytes:
        """Return a blob's bytes, verified.

        Raises:
            InputError: the blob is missing or isn't what its name says.
        """
        path = self.path(blob)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise _missing(self.folder, blob) from None
        found = digest.of_bytes(data)
        if found != blob:
            raise _damaged(path, blob, found)
        return data

    def read_json(self, blob: Digest) -> Any:
        """Return a blob's JSON value, verified."""
        return json.loads(self.read(blob))

    @contextmanager
    def open(self, blob: Digest) -> Iterator[BinaryIO]:
        """Open a blob for reading after its digest was verified on the same open file.

        Raises:
            InputError: the blob is missing or isn't what its name says.
        """
        path = self.path(blob)
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            raise _missing(self.folder, blob) from None
        with stream:
            found = Digest(f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}")
            if found != blob:
                raise _damaged(path, blob, found)
            stream.seek(0)
            yield stream

    def names(self) -> dict[str, Descriptor]:
        """Return the named manifests of the index."""
        index = json.loads((self.folder / "index.json").read_bytes())
        return {
            entry["annotations"][_NAME]: Descriptor.from_json(entry)
            for entry in index["manifests"]
            if _NAME in entry.get("annotations", {})
        }

    def name(self, name: str, manifest: Descriptor) -> None:
        """Let `name` mean `manifest`, in place of what it meant before."""
        named = self.names() | {name: manifest}
        manifests = [
            named[key].to_json() | {"annotations": {_NAME: key}}  # sorted: the same content, the same bytes
            for key in sorted(named)
        ]
        index = {"schemaVersion": 2, "manifests": manifests}
        write_bytes(self.folder / "index.json", _dump(index))


def _dump(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def _missing(folder: Path, blob: Digest) -> InputError:
    return InputError(
        f"blob {blob} is missing",
        expected=f"it in {folder}",
        found="no such file",
        next_step="build or pull the image again",
    )


def _damaged(path: Path, blob: Digest, found: Digest) -> InputError:
    return InputError(
        f"{path} is damaged",
        expected=blob,
        found=found,
        next_step="delete this file and build or pull the image again",
    )
