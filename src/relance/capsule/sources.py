"""OCI layouts that aren't trusted, in a folder or a tar file: blobs are verified as they are read."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from relance import digest
from relance.capsule import documents, tarball
from relance.capsule.blobs import Blobs
from relance.errors import InputError
from relance.model import Digest
from relance.store.descriptors import LARGEST_MANIFEST, Descriptor
from relance.store.layout import Layout

_CHUNK = 1 << 20
_INDEX = "index.json"


class Place(Protocol):
    """Where an OCI layout lies: gives a stream of a file's bytes and their number."""

    name: str

    def open(self, name: str) -> tuple[BinaryIO, int] | None:
        """Return a stream that begins with the file's first byte, and its size; None if there is none."""


class Source(Blobs):
    """An OCI layout that isn't trusted."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def size(self, blob: Digest) -> int | None:
        """Return the bytes of a blob, without reading it; None if there is none."""
        found = self._open(blob)
        if found is None:
            return None
        with found[0]:
            return found[1]

    def read(self, blob: Digest, *, largest: int | None = None) -> bytes:
        """Return a blob's bytes, verified; see `Blobs.read`."""
        found = self._open(blob)
        if found is None:
            raise self._refusal(f"blob {blob}", "it", "none")
        stream, size = found
        with stream:
            if largest is not None and size > largest:
                raise self._refusal(f"blob {blob}", f"at most {largest} bytes", f"{size}")
            data = stream.read(size)
        if digest.of_bytes(data) != blob:
            raise self._refusal(f"blob {blob}", blob, digest.of_bytes(data))
        return data

    def copy(self, described: Descriptor, layout: Layout, told: Callable[[int], None]) -> None:
        """Bring a blob into a layout; it gets its name there only when it is what its digest says.

        Raises:
            InputError: it is missing, or of another size or content.
        """
        found = self._open(described.digest)
        if found is None or found[1] != described.size:
            has = "none" if found is None else f"{found[1]} bytes"
            raise self._refusal(f"blob {described.digest}", f"{described.size} bytes", has)
        stream, left = found
        state = hashlib.sha256()
        with stream, layout.incoming() as file:
            while left and (data := stream.read(min(left, _CHUNK))):
                state.update(data)
                file.stream.write(data)
                left -= len(data)
                told(len(data))
            if f"sha256:{state.hexdigest()}" != described.digest:
                raise self._refusal("a blob", described.digest, f"sha256:{state.hexdigest()}")
            file.keep(described.digest, described.size)

    def listed(self) -> tuple[Descriptor, ...]:
        """Return what the layout's own index lists.

        Raises:
            InputError: it has none, or it is broken.
        """
        found = self._place.open(_INDEX)
        if found is None:
            raise self._refusal(_INDEX, "the index of an OCI layout", "none")
        stream, size = found
        with stream:
            if size > LARGEST_MANIFEST:
                raise self._refusal(_INDEX, f"at most {LARGEST_MANIFEST} bytes", f"{size}")
            value = documents.plain(stream.read(size), f"{_INDEX} of {self._place.name}")
        entries = value.get("manifests") if isinstance(value, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self._refusal(_INDEX, "the index of an OCI layout", "something else")
        return tuple(Descriptor.from_json(entry) for entry in entries)

    def stream(self, blob: Digest) -> BinaryIO:
        """Return a stream that begins with a blob's first byte and may go on behind its last; not verified.

        Raises:
            FileNotFoundError: there is no such blob.
        """
        found = self._open(blob)
        if found is None:
            raise FileNotFoundError(blob)
        return found[0]

    def _open(self, blob: Digest) -> tuple[BinaryIO, int] | None:
        return self._place.open(f"blobs/sha256/{digest.parse(blob).removeprefix('sha256:')}")

    def _refusal(self, subject: str, expected: str, found: str) -> InputError:
        return InputError(
            f"{subject} in {self._place.name}",
            expected=expected,
            found=found,
            next_step="get it again from where it came",
        )


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a tar file, or the folder of an OCI layout.

    Raises:
        InputError: it is neither, or the tar holds what it must not.
    """
    if path.is_dir():
        yield Source(_Folder(path))
        return
    with tarball.opened(path) as stream:
        yield Source(_Tar(path, stream))


class _Folder:
    """A layout's folder."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def open(self, name: str) -> tuple[BinaryIO, int] | None:
        try:
            handle = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            os.close(handle)
            return None
        return os.fdopen(handle, "rb"), status.st_size


class _Tar:
    """A layout in a tar file."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.name = str(path)
        self._path = path
        self._members = tarball.members(path, stream)

    def open(self, name: str) -> tuple[BinaryIO, int] | None:
        member = self._members.get(name)
        if member is None:
            return None
        stream = self._path.open("rb")
        stream.seek(member.offset)
        return stream, member.size
