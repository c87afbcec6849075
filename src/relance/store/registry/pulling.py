"""Content taken from a registry: verified before it gets its name, gone on with where it was interrupted."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store import locking, manifests
from relance.store.blobs import Incoming
from relance.store.descriptors import LARGEST_MANIFEST, Descriptor
from relance.store.http import BREAKS
from relance.store.layout import Layout
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import NotFoundError, RefusedError
from relance.store.registry.session import Access, Session
from relance.store.registry.transfer import Tally, Told, in_parallel

ACCEPT = {"Accept": ", ".join(manifests.KNOWN)}
"""The header with which a manifest is asked for."""

_BLOCK = 1 << 18  # bytes
_BREAKS = 5  # without a byte in between
_OK, _PARTIAL, _RANGE = 200, 206, 416


@dataclass(frozen=True)
class Pulled:
    """What was pulled; `fetched` bytes of blobs were not in the layout before."""

    manifest: Descriptor
    reference: Reference
    """By digest, whatever was asked for."""
    fetched: int


def pull(
    layout: Layout,
    reference: Reference,
    access: Access,
    *,
    threads: int = 4,
    told: Told = lambda _moved: None,
) -> Pulled:
    """Store a manifest or index of a registry with everything it names, bit by bit.

    Manifests come last, so that one that is there has all that it names. An interrupted pull goes on where
    it was when it is started again. Nothing gets a name in the layout's index.

    Raises:
        InputError: something is not what its digest or size says, or is of a form that isn't known.
        MissingPartError: the registry does not answer.
        RefusedError: it has no such thing, or refuses.
    """
    with Session(reference, access) as session:
        root, data = resolve(session, reference)
        reached = manifests.walk(
            root, lambda wanted: data if wanted == root else _read(session, layout, wanted)
        )
        missing = [blob for blob in reached.blobs if layout.size(blob.digest) != blob.size]
        tally = Tally(len(reached.blobs), reached.size, told)
        there = len(reached.blobs) - len(missing)
        for blob in reached.blobs:
            layout.touch(blob.digest)
        tally.add(reached.size - sum(blob.size for blob in missing), there)

        def take(blob: Descriptor) -> None:
            with arriving(session, layout, blob, tally) as file:
                file.keep(blob.digest, blob.size)
            tally.add(blobs=1)

        in_parallel(missing, take, tally, threads, session.cut)
    for described, content in reached.manifests:
        layout.add(content, described.media_type)
    pinned = Reference(reference.host, reference.repository, root.digest, reference.tag)
    return Pulled(root, pinned, sum(blob.size for blob in missing))


def resolve(session: Session, reference: Reference) -> tuple[Descriptor, bytes]:
    """Return what a reference means now: the descriptor and the verified bytes of its manifest.

    Raises:
        InputError: it isn't what its digest says, or no manifest.
        MissingPartError: the registry does not answer.
        RefusedError: it has no such thing, or refuses.
    """
    url = session.url(f"manifests/{reference.wanted}")
    data, headers = session.read(url, LARGEST_MANIFEST, headers=ACCEPT)
    found = digest.of_bytes(data)
    expected = reference.digest or headers.get("Docker-Content-Digest", found)
    if found != expected:
        raise _wrong(f"manifest {reference}", expected, found)
    said = headers.get("Content-Type", "").partition(";")[0].strip()
    kind = manifests.media_type(data, said if said in manifests.KNOWN else "")
    described = Descriptor(kind, found, len(data))
    manifest = manifests.parse(data, described)
    artifact = manifest.artifact_type if manifest.config is None else None
    return Descriptor(kind, found, len(data), artifact), data


def read_manifest(session: Session, wanted: Descriptor) -> bytes:
    """Return the verified bytes of a manifest.

    Raises:
        InputError: it isn't what its descriptor says.
        NotFoundError: the registry has none.
        MissingPartError: it does not answer.
        RefusedError: it has no such thing, or refuses.
    """
    url = session.url(f"manifests/{wanted.digest}")
    data, _ = session.read(url, min(wanted.size, LARGEST_MANIFEST), headers=ACCEPT)
    found = digest.of_bytes(data)
    if found != wanted.digest or len(data) != wanted.size:
        raise _wrong("a manifest", f"{wanted.digest} of {wanted.size} bytes", f"{found} of {len(data)} bytes")
    return data


@contextmanager
def arriving(session: Session, layout: Layout, blob: Descriptor, tally: Tally) -> Iterator[Incoming]:
    """Give a blob of a registry, verified, as a file without a name, which is gone after the block.

    The file lies in the layout's folder of blobs. If the connection breaks for good or the block is
    interrupted, what came so far stays, and the next call goes on from there.

    Raises:
        InputError: the blob is not what its digest or size says.
        MissingPartError: the registry does not answer.
        RefusedError: it has no such thing, or refuses.
    """
    path = layout.path(blob.digest)
    partial = path.with_name(f".part-{path.name}")
    handle = _claimed(partial)
    if handle is None:  # another process is at it
        handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
        partial = Path(name)
        locking.hold(handle)
    with os.fdopen(handle, "r+b", buffering=0) as stream:
        try:
            _fill(session, blob, stream, tally)
            yield Incoming(layout, stream, partial)
        except InputError as error:
            if not isinstance(error, RefusedError):  # what came before the registry's no is right
                partial.unlink(missing_ok=True)
            raise
        partial.unlink(missing_ok=True)


def _claimed(path: Path) -> int | None:
    """Open and lock a file, made where there is none; None if another process has it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.fstat(handle)
            try:
                named = path.stat()
            except FileNotFoundError:
                named = None
        except OSError:
            os.close(handle)
            return None
        # Between opening and locking, another process may have given the file its final name.
        if named is not None and (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino):
            return handle
        os.close(handle)


def _fill(session: Session, blob: Descriptor, stream: BinaryIO, tally: Tally) -> None:
    """Bring a file to the content of a blob, whatever it holds of it already."""
    arrival = _Arrival(blob, stream, tally)
    resumed = arrival.take_over()
    arrival.complete(session)
    if arrival.digest != blob.digest and resumed:
        arrival.restart()
        arrival.complete(session)
    if arrival.digest != blob.digest:
        raise _wrong(f"blob {blob.digest}", blob.digest, arrival.digest)


class _Arrival:
    """A blob on its way into a file, with the hash of what is there."""

    def __init__(self, blob: Descriptor, stream: BinaryIO, tally: Tally) -> None:
        self._blob = blob
        self._stream = stream
        self._tally = tally
        self._hash = hashlib.sha256()
        self._size = 0

    @property
    def digest(self) -> Digest:
        return Digest(f"sha256:{self._hash.hexdigest()}")

    def take_over(self) -> bool:
        """Hash what an earlier pull left; tell whether there was anything."""
        self._stream.seek(0)
        while data := self._stream.read(_BLOCK):
            self._count(data)
            if self._size > self._blob.size:
                self.restart()
                return False
        return self._size > 0

    def restart(self) -> None:
        self._tally.add(-self._size)
        self._stream.seek(0)
        self._stream.truncate()
        self._hash = hashlib.sha256()
        self._size = 0

    def complete(self, session: Session) -> None:
        """Fetch what is missing, again and again as long as each connection brings something."""
        breaks = 0
        while self._size < self._blob.size:
            before = self._size
            try:
                self._fetch(session)
            except BREAKS as error:
                breaks = 1 if self._size > before else breaks + 1
                if breaks >= _BREAKS:
                    raise session.refusal(f"a connection that breaks ({type(error).__name__})") from error
                session.pause(2.0 ** (breaks - 1))

    def _fetch(self, session: Session) -> None:
        begun = {"Range": f"bytes={self._size}-"} if self._size else {}
        url = session.url(f"blobs/{self._blob.digest}")
        with session.send("GET", url, {_OK, _PARTIAL, _RANGE}, headers=begun) as answer:
            given = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", answer.headers.get("Content-Range", ""))
            goes_on = answer.status_code == _PARTIAL and given is not None and int(given[1]) == self._size
            if self._size and not goes_on:
                self.restart()
            if answer.status_code == _RANGE or (answer.status_code == _PARTIAL and not goes_on):
                return
            while data := answer.raw.read(_BLOCK, decode_content=False):
                if self._size + len(data) > self._blob.size:
                    raise _wrong(f"blob {self._blob.digest}", f"{self._blob.size} bytes", "more")
                self._stream.write(data)
                self._count(data)
        if self._size < self._blob.size:
            raise ConnectionError("the answer ended early")

    def _count(self, data: bytes) -> None:
        self._hash.update(data)
        self._size += len(data)
        self._tally.add(len(data))


def _read(session: Session, layout: Layout, wanted: Descriptor) -> bytes | None:
    if layout.size(wanted.digest) == wanted.size:
        return layout.read(wanted.digest)
    try:
        return read_manifest(session, wanted)
    except NotFoundError:
        return None


def _wrong(what: str, expected: str, found: str) -> InputError:
    return InputError(
        f"{what} is not what its digest says",
        expected=expected,
        found=found,
        next_step="pull it again; if this stays, don't trust the registry",
    )
