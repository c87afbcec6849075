"""Files into a workspace: several at once, streamed, not twice, all verified at the end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import IO

from relance import digest
from relance.engines.reana.client import Client
from relance.engines.reana.journal import Journal
from relance.engines.reana.model import Transferred
from relance.errors import InputError
from relance.model import Digest
from relance.store.registry.transfer import Tally, Told, in_parallel

_BLOCK = 1 << 18  # bytes


def upload(
    client: Client,
    workflow: str,
    place: Callable[[str], Path],
    files: Iterable[str],
    journal: Journal,
    *,
    threads: int = 4,
    told: Told = lambda _moved: None,
) -> tuple[Transferred, ...]:
    """Bring files into the workspace of a run, and see that they are there; `place` says where each lies.

    A file is left out if it was sent to this run before (`journal`), has the same content, and is listed
    with its size. REANA takes files as a whole: an interrupted one is sent again from its beginning.

    Raises:
        InputError: a file can't be read, or changes meanwhile; or the server refuses one.
        UnreachableError: the server breaks off for good, or lists another size than was sent.
    """
    wanted = tuple(sorted(set(files)))
    there = {file.path: file.size for file in client.files(workflow)}
    sizes = {path: _size(place(path)) for path in wanted}
    already: dict[str, Transferred] = {}
    for path in wanted:
        known = journal.known(path)
        if known is None or not known.size == sizes[path] == there.get(path):
            continue
        if digest.of_file(place(path)) == known.digest:
            already[path] = known
    tally = Tally(len(wanted), sum(sizes.values()), told)
    tally.add(sum(done.size for done in already.values()), len(already))
    sent: dict[str, Transferred] = {}

    def send(path: str) -> None:
        body = _Body(place(path), sizes[path], tally)
        client.upload(workflow, path, body.begin)
        sent[path] = Transferred(path, sizes[path], body.digest, moved=True)
        journal.note(sent[path])
        tally.add(blobs=1)

    missing = [path for path in wanted if path not in already]
    in_parallel(missing, send, tally, threads, client.session.cut)
    _verify(client, workflow, sizes)
    return tuple((already | sent)[path] for path in wanted)


def _verify(client: Client, workflow: str, sizes: dict[str, int]) -> None:
    listed = {file.path: file.size for file in client.files(workflow)}
    for path, size in sizes.items():
        if listed.get(path) != size:
            found = f"{listed[path]} bytes" if path in listed else "no such file"
            raise client.session.broken(f"{found} where {size} bytes of {path} were sent")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _changed(path, error.strerror or "nothing") from error


class _Body:
    """Gives a file from its beginning as often as it has to be sent."""

    def __init__(self, path: Path, size: int, tally: Tally) -> None:
        self._path = path
        self._size = size
        self._tally = tally
        self._last: _Counted | None = None

    def begin(self) -> bytes | IO[bytes]:
        if self._last is not None:
            self._last.close()
            self._tally.add(-self._last.count)
        self._last = _Counted(self._path, self._size, self._tally)
        # Of no bytes there is nothing to stream; a stream of no length would be sent in chunks.
        return self._last if self._size else b""  # type: ignore[return-value]

    @property
    def digest(self) -> Digest:
        """Of what was sent."""
        if self._last is None or self._last.count != self._size:
            raise _changed(self._path, "another size")
        self._last.close()
        return self._last.digest


class _Counted(BufferedIOBase):
    """A file of which exactly so many bytes are read, counted and hashed."""

    def __init__(self, path: Path, size: int, tally: Tally) -> None:
        self._path = path
        self._size = size
        self._tally = tally
        try:
            self._stream = path.open("rb")
        except OSError as error:
            raise _changed(path, error.strerror or "nothing") from error
        self._hash = hashlib.sha256()
        self.count = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(_BLOCK):
            yield data

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._size - self.count
        data = self._stream.read(min(size, left) if size is not None and size >= 0 else left)
        if not data and left:
            raise _changed(self._path, "fewer bytes")
        self._hash.update(data)
        self.count += len(data)
        self._tally.add(len(data))
        return data

    def tell(self) -> int:
        """Without it, requests takes the file for read already, and sends it in chunks."""
        return self.count

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()
        super().close()

    @property
    def digest(self) -> Digest:
        if os.stat(self._path).st_size != self._size:  # noqa: PTH116
            raise _changed(self._path, "another size")
        return Digest(f"sha256:{self._hash.hexdigest()}")


def _changed(path: Path, found: str) -> InputError:
    return InputError(
        f"{path} can't be sent",
        expected="a file that nobody writes to",
        found=found,
        next_step="type the same command when it is whole",
    )
