"""Digests of many files: several threads, each file once, and those known from an earlier time not again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from relance import digest
from relance.errors import InputError, RelanceError
from relance.model import Digest, Part, Stored
from relance.store.atomic import write_text

_CHUNK = 1 << 20
_SETTLED = 2_000_000_000  # ns; clocks of file systems are coarse, and those of file servers differ a little
_SNAKEMAKE_MARK = ".snakemake_timestamp"
_Identity = tuple[int, ...]


class Memory:
    """Digests of files, remembered in a file for as long as the files stay the same.

    A remembered digest counts only for the same path, device, inode, size, and times of content and inode
    (mtime, ctime), to the nanosecond. It is remembered only if both times lay at least two seconds before
    the hashing began: a file written so lately could change again with no later time to show for it. A time
    in the future is never trusted either. Many threads may use one memory.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, tuple[_Identity, Stored]] = _read(file)
        self._lock = Lock()
        self._changed = False

    def recall(self, path: str | Path, status: os.stat_result) -> Stored | None:
        """Return what is known of a file that has this status now; None if nothing is."""
        known = self._known.get(_key(path))
        return known[1] if known is not None and known[0] == identity(status) else None

    def learn(self, path: str | Path, status: os.stat_result, begun: int, found: Stored) -> None:
        """Remember a file that was read whole from the time `begun` on (ns), with this status throughout."""
        key = _key(path)
        with self._lock:
            self._changed = True
            self._known.pop(key, None)
            if max(status.st_mtime_ns, status.st_ctime_ns) + _SETTLED < begun:
                self._known[key] = (identity(status), found)

    def write(self) -> None:
        """Write what is known, if anything was learned; entries of files that are gone are left out."""
        if not self._changed:
            return
        kept = {
            path: [list(found_as), found.digest, [[part.digest, part.size] for part in found.parts]]
            for path, (found_as, found) in sorted(self._known.items())
            if os.path.lexists(path)
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._file, json.dumps({"version": 1, "files": kept}) + "\n")


class Hasher:
    """Hashes files and remembers the digests in a `Memory`; one that changes while it is read is an error."""

    def __init__(
        self, cache: Path, told: Callable[[int], None] = lambda _: None, threads: int | None = None
    ) -> None:
        self._memory = Memory(cache)
        self._told = told
        self._threads = threads or usable_threads()

    def files(self, paths: Iterable[Path]) -> Mapping[Path, Digest]:
        """Return the digest of each file and folder; `told` hears the bytes as they are hashed.

        Raises:
            InputError: a file can't be read, changed meanwhile, or is no file or folder.
        """
        wanted = sorted(set(paths))
        inside = {path: contents(path) if path.is_dir() else [path] for path in wanted}
        single = sorted({file for files in inside.values() for file in files})
        with ThreadPoolExecutor(self._threads) as pool:
            found = dict(zip(single, pool.map(self._one, single), strict=True))
        return {path: _tree(path, found) if path.is_dir() else found[path] for path in wanted}

    def remember(self) -> None:
        """Write what is known, for the next run; entries of files that are gone are left out."""
        self._memory.write()

    def _one(self, path: Path) -> Digest:
        begun = time.time_ns()
        try:
            with opened(path) as stream:
                before = os.fstat(stream.fileno())
                known = self._memory.recall(path, before)
                if known is not None:
                    self._told(before.st_size)
                    return known.digest
                state = hashlib.sha256()
                buffer = memoryview(bytearray(_CHUNK))
                while count := stream.readinto(buffer):
                    state.update(buffer[:count])
                    self._told(count)
                require_unchanged(path, stream, before)
        except OSError as error:
            raise unreadable(path, error.strerror or str(error)) from error
        found = Digest(f"sha256:{state.hexdigest()}")
        self._memory.learn(path, before, begun, Stored(found, before.st_size))
        return found


def _key(path: str | Path) -> str:
    name = os.fspath(path)
    return name if name.startswith("/") else str(Path(name).absolute())


def usable_threads() -> int:
    """Return how many threads hash at once if nobody says otherwise: those of this process, at most 8."""
    return min(8, len(os.sched_getaffinity(0)))


def opened(path: str | Path) -> io.FileIO:
    """Open a regular file for reading, unbuffered; never wait for the writer of a pipe.

    Raises:
        InputError: it is something else, or can't be opened.
    """
    try:
        stream = io.FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise unreadable(path, "a socket, pipe or device")
    return stream


def require_unchanged(path: str | Path, stream: io.FileIO, before: os.stat_result) -> None:
    """Make sure that a file that was read from an open stream is still what it was before.

    Raises:
        InputError: it was written meanwhile.
    """
    if identity(os.fstat(stream.fileno())) != identity(before):
        raise unreadable(path, "one that changed while it was read")


def contents(folder: Path) -> list[Path]:
    """Return the regular files below a folder; links are not followed."""
    return [path for path in sorted(folder.rglob("*")) if not path.is_symlink() and path.is_file()]


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    return sum(file.stat().st_size for file in (contents(path) if path.is_dir() else [path]))


def _tree(folder: Path, found: Mapping[Path, Digest]) -> Digest:
    # The mark is Snakemake's, which writes it into folders that rules make; it is no product.
    return digest.of_tree(folder, hashed=found.__getitem__, leaving_out=(_SNAKEMAKE_MARK,))


def identity(status: os.stat_result) -> _Identity:
    """Return what tells a file from others, and from itself after a change."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def unreadable(path: str | Path, found: str) -> InputError:
    """Return the error for a file whose content can't be had."""
    return InputError(
        f"{path} can't be read",
        expected="a file or folder that can be read and that nobody writes to",
        found=found,
        next_step="type the same command when it can",
    )


def _read(cache: Path) -> dict[str, tuple[_Identity, Stored]]:
    """Return what was known at an earlier time; a cache that can't be read knows nothing."""
    try:
        files = json.loads(cache.read_text(encoding="utf-8"))["files"]
        return {path: _entry(*entry) for path, entry in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RelanceError):
        return {}


def _entry(
    found_as: Sequence[int], known: str, parts: Sequence[tuple[str, int]] = ()
) -> tuple[_Identity, Stored]:
    key = tuple(found_as)
    kept = tuple(Part(digest.parse(part), int(size)) for part, size in parts) if parts else ()
    return key, Stored(digest.parse(known), int(key[2]), kept)
