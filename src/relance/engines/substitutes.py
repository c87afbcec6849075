"""Images that a mapping file puts in the place of others, which can't be pulled any more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from relance.model import UNKNOWN, Digest, ImageRecord, ImageRef, RuntimeKind
from relance.store.images import LocalImage
from relance.store.squashfs import RuntimeImage


@dataclass(frozen=True)
class Substitute:
    """An image of the store, and what a rule writes for the one whose place it takes."""

    written: str
    config: Digest
    manifest: Digest
    runtime: RuntimeImage | None
    """What Apptainer runs; None if it isn't wanted."""

    @property
    def reference(self) -> ImageRef:
        """It, as engines know images."""
        return ImageRef(
            self.written, (self.written,), self.config, self.runtime.path if self.runtime else None
        )

    @property
    def local(self) -> LocalImage:
        """It, as Podman and Docker are given images."""
        short = self.config.removeprefix("sha256:")[:12]
        return LocalImage(
            key=self.config,
            config=self.config,
            manifest=self.manifest,
            base=self.config,
            builder="",
            reference=f"localhost/relance/mapped:{short}",
            runtime=self.runtime or RuntimeImage(Path(), self.config, 0),
        )

    def record(self, kind: RuntimeKind) -> ImageRecord:
        """Return what the record of a run in `kind` says of it."""
        file = self.runtime if kind is RuntimeKind.APPTAINER else None
        return ImageRecord(self.written, self.manifest, self.config, file.digest if file else UNKNOWN, "run")


def for_runtime(kind: RuntimeKind, found: Sequence[Substitute]) -> tuple[Substitute, ...]:
    """Return those that jobs run in: plain processes run in none."""
    return () if kind is RuntimeKind.PLAIN else tuple(found)


def folder(analysis: Path) -> Path:
    """Return where the images of runs with a mapping lie, so that a run without one doesn't find them."""
    return analysis / ".snakemake" / "relance" / "mapped-images"


def lay(analysis: Path, found: Iterable[Substitute]) -> None:
    """Put links to runtime images where Snakemake looks for what it has pulled."""
    place = folder(analysis)
    place.mkdir(parents=True, exist_ok=True)
    for path in place.iterdir():
        if path.is_symlink():  # of another mapping; what is no link was pulled
            path.unlink()
    for one in found:
        if one.runtime is None:
            continue
        # The name that Snakemake gives to a pulled image.
        name = hashlib.md5(one.written.encode(), usedforsecurity=False).hexdigest()
        path = place / f"{name}.simg"
        path.unlink(missing_ok=True)
        path.symlink_to(one.runtime.path)
