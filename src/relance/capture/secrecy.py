"""What is about to be kept is searched for secrets; what was searched before is not searched again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path

from relance.capsule.model import CapsuleImage
from relance.checks import secrets
from relance.checks.secrets import Finding
from relance.errors import InputError, RelanceError
from relance.model import Digest, Stored
from relance.specification.model import AllowedSecret
from relance.store.atomic import write_text
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.hashing import Memory
from relance.store.layout import Layout

_VERSION = 1
"""Changes when the search finds more than before."""

_MOST_TOLD = 10


class Search:
    """Searches files one by one, from several threads, and keeps in mind what it found."""

    def __init__(
        self, files: Mapping[str, str], is_clean: Callable[[str], bool], allowed: Iterable[AllowedSecret]
    ) -> None:
        self._files = files
        self._is_clean = is_clean
        self._allowed = tuple(allowed)
        self._found: dict[str, tuple[Finding, ...]] = {}

    def passes(self, path: str) -> bool:
        """Return whether a file may be kept: no secret is in it, or it is allowed.

        Raises:
            InputError: it can't be read.
        """
        if self._is_clean(path):
            return True
        found = secrets.find_in_file(Path(path), self._files[path])
        left = secrets.not_allowed(found, [one.digest for one in self._allowed])
        if left:
            self._found[path] = left
        return not left

    def refuse(self) -> None:
        """Tell of the secrets that were found, the first ones of them.

        Raises:
            InputError: there are some.
        """
        _refuse((finding for path in sorted(self._found) for finding in self._found[path]), self._allowed)


class Searched:
    """Digests of what holds no secret, remembered in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._clean = _read(file)
        self._changed = False

    @property
    def clean(self) -> Set[Digest]:
        """Digests of what holds none."""
        return self._clean

    def search(self, files: Mapping[str, str], memory: Memory, allowed: Iterable[AllowedSecret]) -> Search:
        """Return what searches files, by the paths that people know them by.

        memory: knows the digests of those that are unchanged.
        """
        return Search(files, lambda path: self._is_clean(path, memory), allowed)

    def _is_clean(self, path: str, memory: Memory) -> bool:
        known = memory.recall(path, os.stat(path))  # noqa: PTH116
        return known is not None and known.digest in self._clean

    def images(
        self, layout: Layout, images: Iterable[CapsuleImage], allowed: Iterable[AllowedSecret]
    ) -> None:
        """Search images: files that their layers add, environment, labels and history.

        Raises:
            InputError: one holds a secret that the specification doesn't allow, or can't be read.
        """
        for image in images:
            if image.manifest in self._clean:
                continue
            described = Descriptor(MANIFEST_TYPE, image.manifest, image.manifest_size)
            _refuse(secrets.find_in_image(layout, described, image.written[0]), allowed)
            self._clean.add(image.manifest)
            self._changed = True

    def remember(self, kept: Iterable[Stored]) -> None:
        """Note files that were searched, by what they are, and write all that is known."""
        found = {stored.digest for stored in kept}
        if found <= self._clean and not self._changed:
            return
        self._clean |= found
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._file, json.dumps({"version": _VERSION, "clean": sorted(self._clean)}) + "\n")


def _read(file: Path) -> set[Digest]:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        return set(map(Digest, known["clean"])) if known["version"] == _VERSION else set()
    except (OSError, ValueError, KeyError, TypeError, RelanceError):
        return set()


def _refuse(found: Iterable[Finding], allowed: Iterable[AllowedSecret]) -> None:
    left = secrets.not_allowed(found, [one.digest for one in allowed])
    if not left:
        return
    errors = [
        InputError(
            f"{finding.place}{f', line {finding.line}' if finding.line else ''}, can't be kept",
            expected="nothing that must stay secret",
            found=finding.kind,
            next_step="remove it and make it worthless; if it only looks like a secret, allow "
            f"{finding.digest} under 'allowed_secrets' of the specification, with the reason",
        )
        for finding in left[:_MOST_TOLD]
    ]
    errors[0].also = tuple(errors[1:])
    raise errors[0]
