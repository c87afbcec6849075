"""What is known of a repository's container images: the published ones, and those built here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from relance import schema
from relance.model import Digest
from relance.store.atomic import write_text
from relance.store.squashfs import RuntimeImage

LOCK = Path("containers") / "images.lock.yaml"
LOCAL = Path("containers") / "images.local.yaml"

_LOCAL_HEADER = (
    "# Images built on this machine, preferred to the published ones; not committed.\n"
    "# Written by 'relance images build'.\n"
)
_LOCK_HEADER = (
    "# Published images, by digest; written by 'relance images lock'. One that is not listed has not been\n"
    "# published: build it with 'relance images build', which writes images.local.yaml beside this file.\n"
)


@dataclass(frozen=True)
class PublishedImage:
    """An image in a registry; runtime_size in bytes."""

    reference: str
    manifest: Digest
    config: Digest
    runtime: Digest
    runtime_size: int

    def to_json(self) -> dict[str, object]:
        """Return the image as the lock file writes it."""
        return {
            "reference": self.reference,
            "manifest": self.manifest,
            "config": self.config,
            "runtime": {"digest": self.runtime, "size": self.runtime_size},
        }


@dataclass(frozen=True)
class LocalImage:
    """An image built on this machine.

    key: digest of what it was built from. reference: its name where it was loaded into Podman or Docker.
    """

    key: Digest
    config: Digest
    manifest: Digest
    base: Digest
    builder: str
    reference: str
    runtime: RuntimeImage

    def to_json(self) -> dict[str, object]:
        """Return the image as the local file writes it."""
        return {
            "key": self.key,
            "config": self.config,
            "manifest": self.manifest,
            "base": self.base,
            "builder": self.builder,
            "reference": self.reference,
            "runtime": {
                "path": str(self.runtime.path),
                "digest": self.runtime.digest,
                "size": self.runtime.size,
            },
        }


@dataclass(frozen=True)
class KnownImages:
    """Images by name; a local one is preferred to a published one."""

    local: Mapping[str, LocalImage] = field(default_factory=dict)
    published: Mapping[str, PublishedImage] = field(default_factory=dict)


def known(repository: Path) -> KnownImages:
    """Read both files of a repository; one that isn't there lists nothing.

    Raises:
        InputError: a file breaks its schema.
    """
    local = _read(repository / LOCAL, "images.local")
    published = _read(repository / LOCK, "images")
    return KnownImages(
        {name: _local(value) for name, value in local.items()},
        {name: _published(value) for name, value in published.items()},
    )


def write_local(repository: Path, images: Mapping[str, LocalImage]) -> None:
    """Replace the list of images built here."""
    _write(repository / LOCAL, _LOCAL_HEADER, {name: image.to_json() for name, image in images.items()})


def write_lock(repository: Path, images: Mapping[str, PublishedImage]) -> None:
    """Replace the list of published images."""
    _write(repository / LOCK, _LOCK_HEADER, {name: image.to_json() for name, image in images.items()})


def _read(path: Path, schema_name: str) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    images: Mapping[str, Any] = schema.load(path, schema.bundled(schema_name)).value["images"]
    return images


def _write(path: Path, header: str, images: Mapping[str, object]) -> None:
    body = yaml.safe_dump({"version": 1, "images": dict(sorted(images.items()))}, sort_keys=False, width=200)
    write_text(path, header + body)


def _local(value: Mapping[str, Any]) -> LocalImage:
    runtime = value["runtime"]
    return LocalImage(
        Digest(value["key"]),
        Digest(value["config"]),
        Digest(value["manifest"]),
        Digest(value["base"]),
        value["builder"],
        value["reference"],
        RuntimeImage(Path(runtime["path"]), Digest(runtime["digest"]), runtime["size"]),
    )


def _published(value: Mapping[str, Any]) -> PublishedImage:
    return PublishedImage(
        value["reference"],
        Digest(value["manifest"]),
        Digest(value["config"]),
        Digest(value["runtime"]["digest"]),
        value["runtime"]["size"],
    )
