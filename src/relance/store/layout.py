"""An OCI image layout: blobs named by their sha256 in one folder, and an index that names manifests.

The layout on disk is the one of the OCI image specification 1.1 (`oci-layout`, `index.json`,
`blobs/sha256/`), so that skopeo, Podman and oras read it as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store import locking
from relance.store.atomic import write_bytes

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
LARGEST_MANIFEST = 4 << 20
"""Bytes; registries refuse a manifest or index that is larger."""

NAME = "org.opencontainers.image.ref.name"
"""The annotation that gives a manifest of an index its name."""

_PART = ".part-"
_HALF_WRITTEN = (".index.json-", ".oci-layout-")
_OWN = ("blobs", "index.json", "oci-layout", ".lock")
_ABANDONED = 60.0  # seconds; a file without a name is locked by its writer long before it is so old


@dataclass(frozen=True)
class Descriptor:
    """What a manifest or index says of a blob; size in bytes."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: Mapping[str, Any] | None = field(default=None, hash=False)
    """Of an image in an index: `os`, `architecture` and what else OCI knows."""

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as OCI writes it."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type is not None:
            value["artifactType"] = self.artifact_type
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.platform is not None:
            value["platform"] = dict(self.platform)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Descriptor:
        """Read a descriptor as OCI writes it.

        Raises:
            InputError: a field is missing or of another type.
        """
        try:
            size = int(value["size"])
            artifact, platform = value.get("artifactType"), value.get("platform")
            found = cls(
                str(value["mediaType"]),
                digest.parse(str(value["digest"])),
                size,
                None if artifact is None else str(artifact),
                {str(key): str(text) for key, text in (value.get("annotations") or {}).items()},
                None if platform is None else dict(platform),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _broken(value) from error
        if size < 0:
            raise _broken(value)
        return found


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


class Incoming:
    """A file in the folder of blobs that has no name yet; `stream` writes it."""

    def __init__(self, layout: Layout, stream: BinaryIO, path: Path) -> None:
        self.stream = stream
        self.kept = False
        self._layout = layout
        self._path = os.fspath(path)

    def keep(self, blob: Digest, size: int) -> None:
        """Give the file the name of its digest, unless a blob of this name and size is there already."""
        self.stream.flush()
        if self._layout.size(blob) == size:
            self._layout.touch(blob)
            return
        os.fchmod(self.stream.fileno(), 0o444)
        os.replace(self._path, self._layout.place(blob))  # noqa: PTH105 - tens of thousands, in plain text
        self.kept = True


class Layout:
    """An OCI image layout in a folder, made when it isn't there.

    Several processes and threads may write at once. A process that is killed leaves at most files without
    a name (`.part-…`), which `leftovers` finds; under its digest a blob is whole from the first moment.

    Raises:
        InputError: the folder holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        if not (folder / "oci-layout").exists():
            self._make()

    def path(self, blob: Digest) -> Path:
        """Return where a blob lies or would lie; it need not be there, nor be what its name says."""
        return Path(self.place(blob))

    def place(self, blob: Digest) -> str:
        """Return the same as `path`, as text, which is much faster made."""
        return f"{self._blobs}/{digest.parse(blob)[7:]}"

    def has(self, blob: Digest) -> bool:
        """Tell whether a blob is there, without reading it."""
        return self.path(blob).is_file()

    def size(self, blob: Digest) -> int | None:
        """Return the bytes of a blob, without reading it; None if there is none."""
        try:
            return os.stat(self.place(blob)).st_size  # noqa: PTH116
        except FileNotFoundError:
            return None

    def touch(self, blob: Digest) -> None:
        """Note that a blob is wanted again: what is young is never collected as rubbish."""
        # Another user's can't be touched: then the lock of `Store.writing` alone keeps it.
        with suppress(OSError):
            os.utime(self.place(blob))

    def blobs(self) -> Iterator[Digest]:
        """Return the digest of every blob, in no order; what has another name is left out."""
        for entry in os.scandir(self._blobs):
            if len(entry.name) == 64 and entry.is_file(follow_symlinks=False):
                yield digest.parse(f"sha256:{entry.name}")

    def leftovers(self) -> list[Path]:
        """Return the files that writers left without a name when they were killed."""
        now = time.time()
        found = []
        own = (path for mark in _HALF_WRITTEN for path in self.folder.glob(f"{mark}*"))
        for path in sorted([*self._blobs.glob(f"{_PART}*"), *own]):
            try:
                if now - path.stat().st_mtime > _ABANDONED and not locking.held(path):
                    found.append(path)
            except OSError:
                continue  # it got its name at this moment, or another user writes it
        return found

    @contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """Write a file that gets its name, if any, from `Incoming.keep`; else it is gone after the block."""
        handle, name = tempfile.mkstemp(prefix=_PART, dir=self._blobs)
        path = Path(name)
        file = None
        try:
            with os.fdopen(handle, "wb") as stream:
                locking.hold(handle)
                file = Incoming(self, stream, path)
                yield file
        finally:
            if file is None or not file.kept:
                path.unlink(missing_ok=True)

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        """Write a blob of unknown digest; it gets its name when the block ends without an error."""
        with self.incoming() as file:
            blob = BlobWriter(file.stream)
            yield blob
            file.keep(blob.digest, blob.size)

    def add(self, data: bytes, media_type: str) -> Descriptor:
        """Store bytes and return their descriptor; what is there already is not written again."""
        blob = digest.of_bytes(data)
        if self.size(blob) == len(data):
            self.touch(blob)
        else:
            with self.writer() as file:
                file.write(data)
        return Descriptor(media_type, blob, len(data))

    def add_json(self, value: object, media_type: str) -> Descriptor:
        """Store a JSON value in its canonical form."""
        return self.add(digest.canonical_json(value), media_type)

    def read(self, blob: Digest, *, largest: int | None = None) -> bytes:
        """Return a blob's bytes, verified.

        largest: bytes; a blob that has more is refused before it is read.

        Raises:
            InputError: the blob is missing, too large or isn't what its name says.
        """
        path = self.path(blob)
        try:
            if largest is not None and path.stat().st_size > largest:
                raise _too_large(blob, path.stat().st_size, largest)
            data = path.read_bytes()
        except FileNotFoundError:
            raise _missing(self.folder, blob) from None
        found = digest.of_bytes(data)
        if found != blob:
            raise _damaged(path, blob, found)
        return data

    def read_json(self, blob: Digest, *, largest: int | None = None) -> Any:
        """Return a blob's JSON value, verified.

        Raises:
            InputError: as `read`, or it is no JSON.
        """
        data = self.read(blob, largest=largest)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"blob {blob} can't be read",
                expected="JSON",
                found="something else" if isinstance(error, ValueError) else "lists nested too deep",
                next_step="don't trust what names it; get that again from where it came",
            ) from error

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

    def index(self) -> tuple[Descriptor, ...]:
        """Return every manifest of the index, named and unnamed, names being annotations.

        Raises:
            InputError: index.json is broken.
        """
        path = self.folder / "index.json"
        try:
            entries = json.loads(path.read_bytes())["manifests"]
            return tuple(Descriptor.from_json(entry) for entry in entries)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"{path} can't be read",
                expected="the index of an OCI layout",
                found=str(error) or "something else",
                next_step="see 'relance store fsck'",
            ) from error

    def names(self) -> dict[str, Descriptor]:
        """Return the named manifests of the index."""
        return {
            entry.annotations[NAME]: _without_name(entry)
            for entry in self.index()
            if NAME in entry.annotations
        }

    def name(self, name: str, manifest: Descriptor) -> None:
        """Let `name` mean `manifest`, in place of what it meant before."""
        named = _named(manifest, name)
        self._change(lambda entries: [*(e for e in entries if e.annotations.get(NAME) != name), named])

    def unname(self, name: str) -> bool:
        """Forget a name, so that what only it keeps can be collected; return whether it was known."""
        known = name in self.names()
        self._change(lambda entries: [entry for entry in entries if entry.annotations.get(NAME) != name])
        return known

    def attach(self, manifest: Descriptor) -> None:
        """List a manifest without a name: one that has a `subject` is kept for as long as that is kept."""
        unnamed = _without_name(manifest)
        self._change(lambda entries: [*entries, unnamed])

    def detach(self, manifests: frozenset[Digest]) -> None:
        """Take manifests that have no name from the index."""
        self._change(
            lambda entries: [e for e in entries if NAME in e.annotations or e.digest not in manifests]
        )

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """Return the manifests of the index whose `subject` this is.

        Raises:
            InputError: one of them is missing or damaged.
        """
        found = {}
        for entry in self.index():
            value = self.read_json(entry.digest, largest=LARGEST_MANIFEST)
            said = value.get("subject") if isinstance(value, Mapping) else None
            if isinstance(said, Mapping) and said.get("digest") == subject:
                found[entry.digest] = _without_name(entry)
        return tuple(found[key] for key in sorted(found))

    def _make(self) -> None:
        if self.folder.exists():
            others = [path for path in self.folder.iterdir() if not _is_own(path.name)]
            if others and not (self.folder / "oci-layout").exists():
                raise InputError(
                    f"{self.folder} is no OCI layout",
                    expected="an empty folder or one with the file oci-layout",
                    found="other files",
                    next_step="name another folder",
                )
        # One that another process makes now, or was killed while making, is made to the end.
        locking.make_folder(self._blobs)
        with locking.locked(self.folder / ".lock", shared=False):
            if not (self.folder / "index.json").exists():
                self._write([])
            if not (self.folder / "oci-layout").exists():
                write_bytes(self.folder / "oci-layout", _dump({"imageLayoutVersion": "1.0.0"}))

    def _change(self, change: Callable[[list[Descriptor]], list[Descriptor]]) -> None:
        with locking.locked(self.folder / ".lock", shared=False):
            self._write(change(list(self.index())))

    def _write(self, entries: list[Descriptor]) -> None:
        # Sorted, and each once: the same content, the same bytes.
        texts = {digest.canonical_json(entry.to_json()): entry for entry in entries}
        order = sorted(texts, key=lambda text: (texts[text].annotations.get(NAME, ""), text))
        index = {"schemaVersion": 2, "manifests": [texts[text].to_json() for text in order]}
        write_bytes(self.folder / "index.json", _dump(index))


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(_HALF_WRITTEN)


def _named(manifest: Descriptor, name: str) -> Descriptor:
    return replace(manifest, annotations={**manifest.annotations, NAME: name})


def _without_name(manifest: Descriptor) -> Descriptor:
    kept = {key: text for key, text in manifest.annotations.items() if key != NAME}
    return replace(manifest, annotations=kept)


def _dump(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


def _broken(value: object) -> InputError:
    return InputError(
        "a descriptor of an OCI layout is broken",
        expected="mediaType, digest and size",
        found=repr(value)[:200],
        next_step="get the layout again",
    )


def _too_large(blob: Digest, found: int, largest: int) -> InputError:
    return InputError(
        f"blob {blob} is too large for what it should be",
        expected=f"at most {largest} bytes",
        found=f"{found}",
        next_step="don't trust what names it; get that again from where it came",
    )


def _missing(folder: Path, blob: Digest) -> InputError:
    return InputError(
        f"blob {blob} is missing",
        expected=f"it in {folder}",
        found="no such file",
        next_step="build, pull or capture again what needs it ('relance store fsck' tells what does)",
    )


def _damaged(path: Path, blob: Digest, found: Digest) -> InputError:
    return InputError(
        f"{path} is damaged",
        expected=blob,
        found=found,
        next_step="move it away with 'relance store fsck --repair', then build, pull or capture again",
    )
