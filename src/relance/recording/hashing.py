"""Digests of many files: several threads, each file once, and those known from an earlier run not again."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from relance import digest
from relance.errors import InputError, RelanceError
from relance.model import Digest
from relance.store.atomic import write_text

_CHUNK = 1 << 20
_SETTLED = 2_000_000_000  # ns; clocks of file systems are coarse, and those of file servers differ a little
_SNAKEMAKE_MARK = ".snakemake_timestamp"
_Identity = tuple[int, ...]
_Known = tuple[_Identity, Digest]


class Hasher:
    """Hashes files and remembers the digests, in a file, for as long as the files stay the same.

    A remembered digest counts only for the same path, device, inode, size, and times of content and inode
    (mtime, ctime), to the nanosecond. It is remembered only if both times lay at least two seconds before
    the hashing began: a file written so lately could change again with no later time to show for it. A time
    in the future is never trusted either. A file that changes while it is read is an error.
    """

    def __init__(
        self, cache: Path, told: Callable[[int], None] = lambda _: None, threads: int | None = None
    ) -> None:
        self._cache = cache
        self._told = told
        self._threads = threads or min(8, len(os.sched_getaffinity(0)))
        self._known: dict[str, _Known] = _read(cache)
        self._lock = Lock()

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
        kept = {
            path: [list(identity), known]
            for path, (identity, known) in sorted(self._known.items())
            if os.path.lexists(path)
        }
        self._cache.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._cache, json.dumps({"version": 1, "files": kept}) + "\n")

    def _one(self, path: Path) -> Digest:
        key = str(path.absolute())
        begun = time.time_ns()
        try:
            with path.open("rb") as stream:
                before = os.fstat(stream.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise _unreadable(path, "a socket, pipe or device")
                identity = _identity(before)
                known = self._known.get(key)
                if known is not None and known[0] == identity:
                    self._told(before.st_size)
                    return known[1]
                state = hashlib.sha256()
                buffer = memoryview(bytearray(_CHUNK))
                while count := stream.readinto(buffer):
                    state.update(buffer[:count])
                    self._told(count)
                if _identity(os.fstat(stream.fileno())) != identity:
                    raise _unreadable(path, "one that changed while it was read")
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        found = Digest(f"sha256:{state.hexdigest()}")
        with self._lock:
            self._known.pop(key, None)
            if max(before.st_mtime_ns, before.st_ctime_ns) + _SETTLED < begun:
                self._known[key] = (identity, found)
        return found


def contents(folder: Path) -> list[Path]:
    """Return the regular files below a folder; links are not followed."""
    return [path for path in sorted(folder.rglob("*")) if not path.is_symlink() and path.is_file()]


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    return sum(file.stat().st_size for file in (contents(path) if path.is_dir() else [path]))


def _tree(folder: Path, found: Mapping[Path, Digest]) -> Digest:
    # The mark is Snakemake's, which writes it into folders that rules make; it is no product.
    return digest.of_tree(folder, hashed=found.__getitem__, leaving_out=(_SNAKEMAKE_MARK,))


def _identity(status: os.stat_result) -> _Identity:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read(cache: Path) -> dict[str, _Known]:
    """Return what an earlier run knew; a cache that can't be read knows nothing."""
    try:
        files = json.loads(cache.read_text(encoding="utf-8"))["files"]
        return {
            path: (tuple(map(int, identity)), digest.parse(known))
            for path, (identity, known) in files.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RelanceError):
        return {}


def _unreadable(path: Path, found: str) -> InputError:
    return InputError(
        f"{path} can't be recorded",
        expected="a file or folder that can be read and that nobody writes to",
        found=found,
        next_step="record the run again when it can",
    )
