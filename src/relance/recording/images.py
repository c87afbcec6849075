"""Which image a job ran in, as far as can be told."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from relance import digest
from relance.model import UNKNOWN, Digest, ImageRecord
from relance.store.images import KnownImages, LocalImage, PublishedImage

_PINNED = re.compile(r"@(sha256:[0-9a-f]{64})$")


@dataclass(frozen=True)
class Resolver:
    """Finds the digests of the image that a rule names."""

    analysis: Path
    known: KnownImages
    runtime: str
    """What the run used: `apptainer`, `podman`, `docker`, `plain` or `unknown`."""
    ended: float | None
    """When the run ended; an image file written later may not be the one that was used."""
    hashed: Callable[[Path], Digest]
    visible: Callable[[Path], bool] = lambda _: True
    """Tells whether a file may be looked at."""
    given: Mapping[str, ImageRecord] = field(default_factory=dict)
    """Images that are told from elsewhere, by what rules write."""

    def resolve(self, written: str) -> ImageRecord:
        """Return what is known of the image that a rule names as `written`."""
        if written in self.given:
            return self.given[written]
        pinned = _PINNED.search(written)
        for image in self.known.published.values():
            if written == f"docker://{image.reference}" and pinned:
                return _published(written, image)
        if pinned:
            return ImageRecord(written, manifest=digest.parse(pinned[1]), resolved="written")
        for name, built in self.known.local.items():
            if written == str(built.runtime.path):
                return self._built(written, built)
            if written == f"docker://relance/{name}" and self.runtime in {"podman", "docker"}:
                return ImageRecord(written, built.manifest, built.config, resolved="afterwards")
        return self._file(written)

    def _built(self, written: str, image: LocalImage) -> ImageRecord:
        file = image.runtime.path
        if not file.is_file():
            return ImageRecord(written, image.manifest, image.config, image.runtime.digest, "afterwards")
        return ImageRecord(written, image.manifest, image.config, image.runtime.digest, self._when(file))

    def _file(self, written: str) -> ImageRecord:
        # Snakemake pulls what is no file into a file that is named after the reference.
        name = hashlib.md5(written.encode(), usedforsecurity=False).hexdigest()
        pulled = self.analysis / ".snakemake" / "singularity" / f"{name}.simg"
        for file in (self.analysis / written, pulled):
            if (
                "://" in str(file.name)
                or not self.visible(file)
                or not file.is_file()
                or self.runtime not in {"apptainer", UNKNOWN}
            ):
                continue
            return ImageRecord(written, runtime=self.hashed(file), resolved=self._when(file))
        return ImageRecord(written)

    def _when(self, file: Path) -> Literal["run", "afterwards"]:
        if self.ended is None or self.runtime == UNKNOWN or file.stat().st_mtime > self.ended:
            return "afterwards"
        return "run"


def _published(written: str, image: PublishedImage) -> ImageRecord:
    return ImageRecord(written, image.manifest, image.config, image.runtime, "written")
