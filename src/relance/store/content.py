"""Files into a store and out of it: hashed while they are copied, shared on disk where the file system can.

A blob is never the same inode as a file outside. What a process writes has no name until its digest is
known, so a killed one leaves no wrong blob. Nothing is forced to the disk: after a power cut what was
written in the last half minute may be missing or cut short; then its size differs, and it is written anew
the next time that it is put (`relance store fsck` finds the rest).
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from pathlib import Path
from threading import Event
from typing import TypeVar

from relance.errors import InputError
from relance.model import Digest, Part, Stored
from relance.store.copying import Told, cloned, copied, filled, hashed
from relance.store.hashing import Memory, opened, require_unchanged, unreadable, usable_threads
from relance.store.layout import Layout

Place = str | Path
P = TypeVar("P", str, Path)

PART = 1 << 30
"""Bytes; content that is larger is kept as blobs of this size, since registries refuse very large ones."""

_GROUP = 1 << 22  # bytes of small files that one task keeps
_MOST_IN_GROUP = 32


def put(layout: Layout, path: Path, *, known: Stored | None = None, told: Told = lambda _: None) -> Stored:
    """Keep a file's content and return where; many threads and processes may do so at once.

    known: what the content is, if somebody knows. If that is kept already, the file isn't read.
    told: hears the bytes as they are copied.

    Raises:
        InputError: the file can't be read, changed meanwhile, or isn't what is known of it.
    """
    if known is not None and _renewed(layout, known):
        told(known.size)
        return known
    found, _ = _kept(layout, path, told)
    if known is not None and found.digest != known.digest:
        raise InputError(
            f"{path} is not what it was",
            expected=known.digest,
            found=found.digest,
            next_step="make what needs it again, or put the former file back",
        )
    return found


def put_all(
    layout: Layout,
    paths: Iterable[P],
    *,
    cache: Memory | None = None,
    threads: int | None = None,
    told: Told = lambda _: None,
    admit: Callable[[P], bool] | None = None,
    admitted: Container[Digest] = frozenset(),
) -> Mapping[P, Stored]:
    """Keep the contents of files and return where, by path.

    cache: remembers digests, so that unchanged files whose content is kept aren't read a second time; the
        caller writes it (`Memory.write`).
    told: hears the bytes as they are done; called from several threads.
    admit: asked of each file before it is kept, from several threads; those without its leave are left out.
    admitted: contents of which it need not be asked; counts for files that are remembered.

    Raises:
        InputError: as `put`. What was kept until then stays.
    """
    wanted = sorted(set(paths), key=os.fspath)
    found: dict[P, Stored | None] = {path: _remembered(layout, path, cache, told) for path in wanted}
    stopping = Event()

    def heard(count: int) -> None:
        if stopping.is_set():
            raise _StoppedError
        told(count)

    def several(group: list[P]) -> None:
        for path in group:
            if admit is not None and not admit(path):
                found[path] = None
                continue
            if found[path] is not None:
                continue
            begun = time.time_ns()
            kept, status = _kept(layout, path, heard)
            if cache is not None:
                cache.learn(path, status, begun, kept)
            found[path] = kept

    left = [path for path, kept in found.items() if kept is None or (admit and kept.digest not in admitted)]
    with ThreadPoolExecutor(threads or usable_threads()) as pool:
        begun = [pool.submit(several, group) for group in _groups(left)]
        try:
            for ended in as_completed(begun):
                ended.result()
        finally:
            stopping.set()
            pool.shutdown(cancel_futures=True)
    return {path: kept for path, kept in found.items() if kept is not None}


def put_bytes(layout: Layout, data: bytes) -> Stored:
    """Keep bytes and return where."""
    return Stored(layout.add(data, "application/octet-stream").digest, len(data))


def has(layout: Layout, stored: Stored) -> bool:
    """Tell whether every blob is there and has its size, without reading any."""
    return all(layout.size(part.digest) == part.size for part in stored.blobs)


def verify(layout: Layout, stored: Stored, *, told: Told = lambda _: None) -> None:
    """Read all that is kept of a content and make sure that it is what its digest says.

    Raises:
        InputError: a blob is missing or damaged, or the parts don't make up the whole.
    """
    with _blobs(layout, stored) as streams:
        _verify(layout, stored, streams, told)


def restore(
    layout: Layout,
    stored: Stored,
    path: Path,
    *,
    executable: bool = False,
    mtime: float | None = None,
    told: Told = lambda _: None,
) -> None:
    """Write a content to a path, whole or not at all; what was there is replaced. Its folder must be there.

    Whoever writes to the file afterwards can't touch the store by it. mtime: Unix time, s.

    Raises:
        InputError: a blob is missing or damaged.
    """
    handle, name = tempfile.mkstemp(prefix=".relance-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w+b", buffering=0) as target, _blobs(layout, stored) as streams:
            if all(
                cloned(stream, 0, part.size, target, at)
                for stream, part, at in zip(streams, stored.blobs, _offsets(stored), strict=True)
            ):
                found = hashed(target, told)
            else:
                target.seek(0)
                target.truncate()
                state = hashlib.sha256()
                for stream in streams:
                    copied(stream, target, None, [state], told)
                found = Digest(f"sha256:{state.hexdigest()}")
            if found != stored.digest:
                _verify(layout, stored, streams, lambda _: None)
                raise _inconsistent(stored, found)
            os.fchmod(target.fileno(), 0o755 if executable else 0o644)
            if mtime is not None:
                os.utime(target.fileno(), (mtime, mtime))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _offsets(stored: Stored) -> list[int]:
    """Return where in the file each blob begins, in bytes."""
    return [0, *accumulate(part.size for part in stored.blobs[:-1])]


def _size(path: Place) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - plain text where there are tens of thousands
    except OSError:
        return 0  # whoever opens it says why


def _remembered(layout: Layout, path: Place, cache: Memory | None, told: Told) -> Stored | None:
    """Return where a file's content is kept, if it is and that is known without reading it."""
    if cache is None:
        return None
    try:
        known = cache.recall(path, os.stat(path))  # noqa: PTH116
    except OSError:
        return None  # whoever opens it says why
    # What is larger and has no parts was only hashed, by somebody who keeps nothing.
    if known is None or (known.size > PART and not known.parts) or not _renewed(layout, known):
        return None
    told(known.size)
    return known


def _renewed(layout: Layout, stored: Stored) -> bool:
    """Tell whether every blob is there and has its size; then they are noted as wanted again."""
    return all(layout.renew(part.digest, part.size) for part in stored.blobs)


def _groups(paths: list[P]) -> list[list[P]]:
    """Return files in groups that are worth a task each, the largest first, so that no thread ends late."""
    sizes = {path: _size(path) for path in paths}
    groups: list[list[P]] = []
    room = 0
    for path in sorted(paths, key=sizes.__getitem__, reverse=True):
        if not groups or sizes[path] > room:
            groups.append([])
            room = _GROUP
        groups[-1].append(path)
        room -= max(sizes[path], _GROUP // _MOST_IN_GROUP)
    return groups


class _StoppedError(Exception):
    """Ends the copying of a file because another one failed, or the user stopped it."""


def _kept(layout: Layout, path: Place, told: Told) -> tuple[Stored, os.stat_result]:
    with opened(path) as source:
        before = os.fstat(source.fileno())
        return _copied(layout, source, path, before, told), before


def _copied(layout: Layout, source: io.FileIO, path: Place, before: os.stat_result, told: Told) -> Stored:
    if before.st_size <= PART:
        with layout.incoming() as file:
            found, size = filled(file.stream, source, 0, before.st_size, None, told)
            require_unchanged(path, source, before)
            if size != before.st_size:
                raise unreadable(path, "one that changed while it was read")
            file.keep(found, size)
        return Stored(found, size)
    whole = hashlib.sha256()
    parts: list[Part] = []
    for offset in range(0, before.st_size, PART):
        length = min(PART, before.st_size - offset)
        with layout.incoming() as file:
            found, size = filled(file.stream, source, offset, length, whole, told)
            require_unchanged(path, source, before)
            if size != length:
                raise unreadable(path, "one that changed while it was read")
            file.keep(found, size)
        parts.append(Part(found, size))
    return Stored(Digest(f"sha256:{whole.hexdigest()}"), before.st_size, tuple(parts))


@contextmanager
def _blobs(layout: Layout, stored: Stored) -> Iterator[list[io.FileIO]]:
    """Open the blobs of a content, which may be damaged but have the right sizes."""
    with ExitStack() as stack:
        streams = []
        for part in stored.blobs:
            found = layout.size(part.digest)
            if found != part.size:
                raise _wrong_size(layout, part, found)
            streams.append(stack.enter_context(opened(layout.path(part.digest))))
        if sum(part.size for part in stored.blobs) != stored.size:
            raise _inconsistent(stored, f"parts of {sum(part.size for part in stored.blobs)} bytes")
        yield streams


def _verify(layout: Layout, stored: Stored, streams: list[io.FileIO], told: Told) -> None:
    whole = hashlib.sha256()
    for part, stream in zip(stored.blobs, streams, strict=True):
        stream.seek(0)
        if not stored.parts:
            copied(stream, None, None, [whole], told)
            found = Digest(f"sha256:{whole.hexdigest()}")
        else:
            own = hashlib.sha256()
            copied(stream, None, None, [own, whole], told)
            found = Digest(f"sha256:{own.hexdigest()}")
        if found != part.digest:
            raise _damaged(layout, part.digest, found)
    if f"sha256:{whole.hexdigest()}" != stored.digest:
        raise _inconsistent(stored, f"sha256:{whole.hexdigest()}")


def _wrong_size(layout: Layout, part: Part, found: int | None) -> InputError:
    missing = found is None
    return InputError(
        f"blob {part.digest} is {'missing' if missing else 'damaged'}",
        expected=f"{part.size} bytes in {layout.folder}",
        found="no such file" if missing else f"{found} bytes",
        next_step=_MEND,
    )


def _damaged(layout: Layout, expected: Digest, found: Digest) -> InputError:
    return InputError(f"{layout.path(expected)} is damaged", expected=expected, found=found, next_step=_MEND)


def _inconsistent(stored: Stored, found: str) -> InputError:
    return InputError(
        f"the parts of {stored.digest} are not what it is made of",
        expected=f"{stored.digest}, {stored.size} bytes",
        found=found,
        next_step="don't trust what says so; get it again from where it came",
    )


_MEND = "move it away with 'relance store fsck --repair', then capture or pull again what needs it"
