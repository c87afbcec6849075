"""Digests of what a run read and wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from relance.model import UNKNOWN, Digest, FileDigest
from relance.store.hashing import Hasher, contents, size


class Digests:
    """Digests of the files of an analysis, by the paths that its workflow writes."""

    def __init__(
        self, cache: Path, progress: Callable[[int, int], None], lies: Callable[[str], Path | None]
    ) -> None:
        """Begin with no digest.

        Args:
            cache: file that remembers digests.
            progress: told the bytes hashed and all there are to hash.
            lies: says where a path is to be looked for; None: nowhere.
        """
        self._lies = lies
        self._progress = progress
        self._done = 0
        self._total = 0
        self._hasher = Hasher(cache, self._count)
        self._known: dict[Path, Digest] = {}

    def add(self, paths: Iterable[str]) -> None:
        """Hash files that are there, several at once."""
        places = {self._lies(path) for path in paths}
        missing = {place for place in places if place is not None and place.exists()} - set(self._known)
        self._total += sum(map(size, missing))
        self._known.update(self._hasher.files(missing))

    def sees(self, path: Path) -> bool:
        """Tell whether the run could see a file."""
        return self._lies(str(path)) is not None

    def one(self, path: Path) -> Digest:
        """Return the digest of a file that is there."""
        self.add([str(path)])
        return self._known[path]

    def file(self, path: str) -> FileDigest:
        """Return what a record says of a file, which may be gone."""
        self.add([path])
        place = self._lies(path)
        if place is None or place not in self._known:
            return FileDigest(path, "gone", UNKNOWN, UNKNOWN, "none")
        kind: Literal["folder", "file"] = "folder" if place.is_dir() else "file"
        return FileDigest(path, kind, self._known[place], size(place), "content")

    def modified(self, path: str) -> float:
        """Return when a file, or the newest one of a folder, was last written."""
        place = self._lies(path)
        if place is None:
            return 0.0
        inside = contents(place) if place.is_dir() else [place]
        return max((file.stat().st_mtime for file in inside), default=0.0)

    def remember(self) -> None:
        """Keep the digests for the next record."""
        self._hasher.remember()

    def _count(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)
