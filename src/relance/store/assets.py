"""External data, kept by reference: fetched when it is needed, verified before it gets its name."""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from relance.errors import InputError, MissingPartError
from relance.specification.model import ExternalData
from relance.store import locking
from relance.store.locations import NoWayError, Portals, require_harmless, resolved
from relance.store.remote import BreakError, Remote

_CHUNK = 1 << 18
_TRIES = 3  # in a row that bring nothing


def fetch(
    data: ExternalData,
    folder: Path,
    *,
    portals: Portals = Portals(),  # noqa: B008 - frozen
    told: Callable[[int], None] = lambda _: None,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """Bring external data to its path in a folder, from the first of its locations that has it.

    A file that is there already and is right stays. What came before a break is used the next time, also by
    another process; two processes that fetch the same wait for each other.

    told: hears the bytes as they come. pause: waits so many seconds before a busy server is asked again.

    Raises:
        InputError: its path leads out of the folder, or a location holds a password.
        MissingPartError: no location has it; the message names what is wrong with each.
    """
    for location in data.locations:
        require_harmless(location)
    target = _place(folder, data.path)
    if _is_there(target, data):
        return target
    with _partial(target, data) as part:
        if part is None:
            return target
        failures = []
        with Remote() as remote:
            for location in data.locations:
                try:
                    for url in resolved(location, portals, remote.document):
                        failure = _fetched(remote, url, part, told, pause)
                        if failure is None:
                            part.finish(target)
                            return target
                        failures.append(f"{url}: {failure}")
                except (NoWayError, BreakError) as error:
                    failures.append(f"{location}: {error}")
        raise MissingPartError(
            f"external data {data.path} can't be had",
            expected=f"{data.size} bytes of sha256:{data.sha256} at one of its locations",
            found="; ".join(failures) or "no location",
            next_step=f"type the same command again, or put the file at {target} yourself",
        )


class _Part:
    """The beginning of a file, on disk and hashed."""

    def __init__(self, data: ExternalData, stream: BinaryIO, path: Path) -> None:
        self._data = data
        self._stream = stream
        self._path = path
        self.restart(keep=True)

    def restart(self, *, keep: bool = False) -> None:
        """Begin anew, or with what is on disk."""
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._adler32 = zlib.adler32(b"")
        self._stream.seek(0)
        while keep and (piece := self._stream.read(_CHUNK)):
            self._count(piece)
        if self.size > self._data.size:
            self.restart()
        self._stream.truncate(self.size)
        self._stream.seek(self.size)

    def write(self, piece: bytes) -> None:
        """Append bytes.

        Raises:
            NoWayError: it would be longer than it should be.
        """
        if self.size + len(piece) > self._data.size:
            raise NoWayError(f"it has more than {self._data.size} bytes")
        self._stream.write(piece)
        self._count(piece)

    @property
    def missing(self) -> int:
        """Bytes that are missing."""
        return self._data.size - self.size

    @property
    def total(self) -> int:
        """Bytes of the whole file."""
        return self._data.size

    def fault(self) -> str | None:
        """Return what is wrong with the whole file, if anything."""
        if self._sha256.hexdigest() != self._data.sha256:
            return f"it is another file: sha256:{self._sha256.hexdigest()}"
        if self._data.adler32 is not None and f"{self._adler32:08x}" != self._data.adler32:
            return f"its adler32 is {self._adler32:08x}, not {self._data.adler32}"
        return None

    def finish(self, target: Path) -> None:
        """Give the file its name."""
        self._stream.flush()
        os.fchmod(self._stream.fileno(), 0o644)
        self._path.replace(target)

    def _count(self, piece: bytes) -> None:
        self.size += len(piece)
        self._sha256.update(piece)
        self._adler32 = zlib.adler32(piece, self._adler32)


def _fetched(
    remote: Remote, url: str, part: _Part, told: Callable[[int], None], pause: Callable[[float], None]
) -> str | None:
    """Fill a part from a URL; return why that can't be done, if so."""
    begun_elsewhere = part.size > 0
    while True:
        before = part.size
        try:
            _read_to_end(remote, url, part, told, pause)
            fault = part.fault()
        except NoWayError as error:
            fault = str(error)
            if part.size == before:
                return fault
        except BreakError as error:
            return str(error)  # what came stays, for another location or time
        if fault is None:
            return None
        part.restart()
        if not begun_elsewhere:
            return fault
        begun_elsewhere = False  # the beginning may have been wrong, so once more without it


def _read_to_end(
    remote: Remote, url: str, part: _Part, told: Callable[[int], None], pause: Callable[[float], None]
) -> None:
    idle = 0  # tries in a row that brought nothing
    while part.missing:
        before = part.size
        why = "it ended"
        try:
            with remote.open_at(url, part.size, part.total) as opened:
                if opened.start != part.size:
                    part.restart()
                while piece := opened.read(_CHUNK):
                    part.write(piece)
                    told(len(piece))
        except BreakError as error:
            why = str(error)
        idle = 0 if part.size > before else idle + 1
        if part.missing and idle == _TRIES:
            raise BreakError(f"{why}, after {part.size} of {part.total} bytes")
        if part.missing:
            pause(2.0**idle - 1)


@contextmanager
def _partial(target: Path, data: ExternalData) -> Iterator[_Part | None]:
    """Give the part of a file that came before, this process's alone; None if the file is there meanwhile."""
    path = target.with_name(f".{target.name}.{data.sha256[:16]}.part")
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "r+b") as stream:
            locking.wait_for(handle)
            if not _is_at(path, handle):
                continue  # another process finished, or gave up, while this one waited
            if _is_there(target, data):
                path.unlink()
                yield None
                return
            part = _Part(data, stream, path)
            try:
                yield part
            finally:
                if part.size == 0:
                    path.unlink(missing_ok=True)
            return


def _place(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    inside = bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name
    target = folder.joinpath(*parts)
    if inside:
        # A link on the way could lead out, and a folder would be made there.
        above = target.parent
        while above != folder and not above.exists():
            above = above.parent
        inside = above.resolve().is_relative_to(folder.resolve())
    if not inside or target.is_dir():
        raise InputError(
            f"external data can't be put at {name!r}",
            expected=f"a file below {folder}",
            found="a folder" if inside else "a path that leads elsewhere",
            next_step="mend the specification",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _is_there(target: Path, data: ExternalData) -> bool:
    if not target.is_file() or target.stat().st_size != data.size:
        return False
    with target.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == data.sha256
