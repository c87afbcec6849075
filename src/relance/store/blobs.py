"""A folder of blobs named by their sha256: written without a name, whole under it, verified when read."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store import locking
from relance.store.descriptors import Descriptor

PART = ".part-"
"""How the name of a blob begins while it is written."""


_YOUNG = 600.0  # seconds; far below the age at which what nothing names may be collected


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

    def __init__(self, blobs: Blobs, stream: BinaryIO, path: Path) -> None:
        self.stream = stream
        self.kept = False
        self._blobs = blobs
        self._path = os.fspath(path)

    def keep(self, blob: Digest, size: int) -> None:
        """Give the file the name of its digest, unless a blob of this name and size is there already."""
        self.stream.flush()
        if self._blobs.size(blob) == size:
            self._blobs.touch(blob)
            return
        os.fchmod(self.stream.fileno(), 0o444)
        os.replace(self._path, self._blobs.place(blob))  # noqa: PTH105 - tens of thousands, in plain text
        self.kept = True


class Blobs:
    """The blobs of an OCI image layout in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._blobs_text = os.fspath(self._blobs)

    def path(self, blob: Digest) -> Path:
        """Return where a blob lies or would lie; it need not be there, nor be what its name says."""
        return Path(self.place(blob))

    def place(self, blob: Digest) -> str:
        """Return the same as `path`, as text, which is much faster made."""
        return f"{self._blobs_text}/{digest.parse(blob)[7:]}"

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

    def renew(self, blob: Digest, size: int) -> bool:
        """Tell whether a blob is there and has this many bytes; if it has, it counts as young again."""
        place = self.place(blob)
        try:
            status = os.stat(place)  # noqa: PTH116
        except FileNotFoundError:
            return False
        if status.st_size != size:
            return False
        if not 0 <= time.time() - status.st_mtime < _YOUNG:
            self.touch(blob)
        return True

    def blobs(self) -> Iterator[Digest]:
        """Return the digest of every blob, in no order; what has another name is left out."""
        for entry in os.scandir(self._blobs):
            if len(entry.name) == 64 and entry.is_file(follow_symlinks=False):
                yield digest.parse(f"sha256:{entry.name}")

    @contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """Write a file that gets its name, if any, from `Incoming.keep`; else it is gone after the block."""
        handle, name = tempfile.mkstemp(prefix=PART, dir=self._blobs)
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
