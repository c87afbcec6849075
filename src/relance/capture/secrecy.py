"""What is about to be kept is searched for secrets; what was searched before is not searched again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from relance.capsule.model import CapsuleImage
from relance.checks import secrets
from relance.checks.secrets import Finding
from relance.errors import InputError, RelanceError
from relance.model import Stored
from relance.specification.model import AllowedSecret
from relance.store.atomic import write_text
from relance.store.hashing import Memory
from relance.store.layout import MANIFEST_TYPE, Descriptor, Layout

_VERSION = 1
"""Changes when the search finds more than before."""

_MOST_TOLD = 10
_AT_ONCE = 8  # files; a disk that is asked for several small ones at once gives them sooner


class Searched:
    """Digests of what holds no secret, remembered in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._clean = _read(file)

    def files(self, files: Mapping[Path, str], memory: Memory, allowed: Iterable[AllowedSecret]) -> None:
        """Search files, by the paths that people know them by.

        memory: knows the digests of those that are unchanged.

        Raises:
            InputError: one holds a secret that the specification doesn't allow, or can't be read.
        """
        unknown = [(path, name) for path, name in files.items() if not self._is_clean(path, memory)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = pool.map(lambda one: secrets.find_in_file(*one), unknown)
            _refuse((finding for findings in found for finding in findings), allowed)

    def _is_clean(self, path: Path, memory: Memory) -> bool:
        known = memory.recall(path, path.stat())
        return known is not None and known.digest in self._clean

    def images(
        self, layout: Layout, images: Iterable[CapsuleImage], allowed: Iterable[AllowedSecret]
    ) -> None:
        """Search images: files that their layers add, environment, labels and history.

        Raises:
            InputError: as `files`.
        """
        for image in images:
            if image.manifest in self._clean:
                continue
            described = Descriptor(MANIFEST_TYPE, image.manifest, image.manifest_size)
            _refuse(secrets.find_in_image(layout, described, image.written[0]), allowed)
            self._clean.add(image.manifest)

    def remember(self, kept: Iterable[Stored]) -> None:
        """Note files that were searched, by what they are, and write all that is known."""
        self._clean |= {stored.digest for stored in kept}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._file, json.dumps({"version": _VERSION, "clean": sorted(self._clean)}) + "\n")


def _read(file: Path) -> set[str]:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        return set(map(str, known["clean"])) if known["version"] == _VERSION else set()
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
