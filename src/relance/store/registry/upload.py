"""One blob on its way into a registry: a large one in pieces, so that a broken connection costs little."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import IO

from relance.store.descriptors import Descriptor
from relance.store.layout import Layout
from relance.store.registry.refusals import BrokenError, NotFoundError, RefusedError
from relance.store.registry.session import Session
from relance.store.registry.transfer import Tally

CHUNK = 32 << 20
"""Bytes sent at once of a larger blob; after a broken connection only the last piece is sent again."""

_BREAKS = 5
_BINARY = {"Content-Type": "application/octet-stream"}
_NO_PIECES = frozenset({400, 405, 411, 413, 415, 501})
_MADE, _TAKEN, _NOTHING, _RANGE = 201, 202, 204, 416


class Upload:
    """A blob of a layout and the registry's place for it; `sent` counts what the registry has of it."""

    def __init__(self, session: Session, layout: Layout, blob: Descriptor, tally: Tally) -> None:
        self._session = session
        self._layout = layout
        self._blob = blob
        self._tally = tally
        self._place = ""
        self._sent = 0
        self._chunk = CHUNK
        self._whole = False  # once the registry took no piece

    def run(self) -> None:
        """Send the blob.

        Raises:
            InputError: it is missing or damaged; nothing is sent.
            MissingPartError: the registry does not answer.
            RefusedError: it has no such thing, or refuses.
        """
        with self._layout.open(self._blob.digest):
            pass  # verified before the first byte leaves
        breaks = 0
        furthest = 0
        self._begin()
        while True:
            try:
                self._go_on()
            except (BrokenError, NotFoundError) as error:
                # Progress since the last break: the connection is poor, but worth another try.
                breaks = 1 if self._sent > furthest else breaks + 1
                furthest = max(furthest, self._sent)
                if breaks >= _BREAKS:
                    raise
                self._session.pause(2.0 ** (breaks - 1))
                self._find_place(again=isinstance(error, NotFoundError))
            except RefusedError as error:
                if self._sent or self._whole or error.status not in _NO_PIECES:
                    raise
                self._whole = True
                self._begin()
            else:
                return

    def _begin(self) -> None:
        self._count(0)
        with self._session.send("POST", self._session.url("blobs/uploads/"), {_TAKEN}) as answer:
            self._place = self._session.following(answer)
            least = answer.headers.get("OCI-Chunk-Min-Length", "")
            self._chunk = max(CHUNK, int(least) if least.isascii() and least.isdecimal() else 0)
        if self._whole:
            self._chunk = self._blob.size

    def _go_on(self) -> None:
        size = self._blob.size
        while size > self._chunk and self._sent < size:
            self._send_piece(min(self._chunk, size - self._sent))
        joint = "&" if "?" in self._place else "?"
        place = f"{self._place}{joint}digest={self._blob.digest.replace(':', '%3A')}"
        rest = size - self._sent
        self._session.send("PUT", place, {_MADE}, headers=_BINARY, body=self._body(rest), tries=1).close()
        self._count(size)

    def _send_piece(self, length: int) -> None:
        first, last = self._sent, self._sent + length - 1
        headers = {**_BINARY, "Content-Range": f"{first}-{last}"}
        wanted = {_TAKEN, _RANGE}
        body = self._body(length)
        with self._session.send("PATCH", self._place, wanted, headers=headers, body=body, tries=1) as answer:
            if answer.status_code == _RANGE:
                raise BrokenError(
                    f"registry {self._session.reference.host}",
                    expected="it to take the next piece of a blob",
                    found="it at another place",
                    next_step="type the same command again",
                )
            self._place = self._session.following(answer)
            self._count(_received(answer.headers.get("Range", ""), first + length))

    def _find_place(self, *, again: bool) -> None:
        """Ask how much arrived; where that isn't known, start the blob again."""
        if not again and self._blob.size > self._chunk:
            try:
                with self._session.send("GET", self._place, {_NOTHING, _TAKEN, 200}) as answer:
                    if answer.headers.get("Location"):
                        self._place = self._session.following(answer)
                    arrived = _received(answer.headers.get("Range", ""), 0)
            except NotFoundError:
                arrived = -1
            if 0 <= arrived <= self._blob.size:
                self._count(arrived)
                return
        self._begin()

    def _body(self, length: int) -> _Bodies:
        return _Bodies(self._layout.path(self._blob.digest), self._sent, length, self._tally)

    def _count(self, arrived: int) -> None:
        self._tally.add(arrived - self._sent)
        self._sent = arrived


class _Bodies:
    """Makes a body of a piece of a file, from its beginning each time."""

    def __init__(self, path: Path, first: int, length: int, tally: Tally) -> None:
        self._path = path
        self._first = first
        self._length = length
        self._tally = tally

    def __call__(self) -> bytes | IO[bytes]:
        if self._length == 0:
            return b""
        return _Piece(self._path, self._first, self._length, self._tally)  # type: ignore[return-value]


class _Piece(io.RawIOBase):
    """A piece of a file as a file of its own; requests takes its length from `len`."""

    def __init__(self, path: Path, first: int, length: int, tally: Tally) -> None:
        self._stream = path.open("rb")
        self._stream.seek(first)
        self._left = self._length = length
        self._tally = tally

    def __len__(self) -> int:
        return self._length

    def tell(self) -> int:
        return self._length - self._left

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self._tally.check()
        if not self._left:
            return b""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._stream.read(wanted)
        self._left -= len(data)
        if self._left == 0 or not data:
            self._stream.close()
        return data

    def close(self) -> None:
        self._stream.close()
        super().close()


def _received(header: str, otherwise: int) -> int:
    """Return how many bytes a Range header (`0-LAST`) says have arrived."""
    match = re.fullmatch(r"(?:bytes=)?0-(\d{1,18})", header)
    if match is None:
        return otherwise
    # A registry that has nothing yet says `0-0`, as one that has a single byte does.
    return 0 if match[1] == "0" else int(match[1]) + 1
