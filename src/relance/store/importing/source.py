"""What a person writes for the place of an image: `docker://…`, `oci:DIR:NAME`, a path, and so on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from relance.errors import InputError
from relance.store.importing import docker_archive, folders, sif
from relance.store.registry.reference import Reference


class Kind(StrEnum):
    """A kind of place; the value is the word before the colon."""

    REGISTRY = "docker"
    LAYOUT = "oci"
    OCI_ARCHIVE = "oci-archive"
    DOCKER_ARCHIVE = "docker-archive"
    SIF = "sif"
    DOCKER = "docker-daemon"
    PODMAN = "podman"


_PATHS = (Kind.LAYOUT, Kind.OCI_ARCHIVE, Kind.DOCKER_ARCHIVE, Kind.SIF)
_PREFIXES = {
    **{f"{kind}:": kind for kind in Kind if kind is not Kind.REGISTRY},
    "docker://": Kind.REGISTRY,
    "containers-storage:": Kind.PODMAN,
}
_ENDINGS = (".tar", ".tar.gz", ".tgz", ".sif")
"""What the names of files end in; an image of a registry that ends so is written with docker://."""
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Source:
    """Where an image is: a reference, the name in an engine, or a path and the name in what lies there."""

    kind: Kind
    name: str = ""
    path: Path = Path()

    def __str__(self) -> str:
        if self.kind is Kind.REGISTRY:
            return self.name
        return f"{self.kind}:{':'.join(filter(None, [str(self.path) if self.is_path else '', self.name]))}"

    @property
    def is_path(self) -> bool:
        """Whether the image lies in a file or folder."""
        return self.kind in _PATHS


def parse(text: str, here: Path) -> Source:
    """Read a place; paths are relative to `here`. A path alone is looked at: what lies there says its kind.

    Raises:
        InputError: nothing lies there, or it is neither a path nor a reference.
    """
    for prefix, kind in _PREFIXES.items():
        if text.startswith(prefix):
            return _of_kind(kind, text.removeprefix(prefix), here)
    for path, name in _splits(text, here):
        found = _looked_at(path)
        if found is not None:
            return Source(found, name, path)
        if path.exists():
            raise InputError(
                f"{path}",
                expected="an OCI layout, an archive of 'docker save' or a SIF file",
                found="something else",
                next_step="write its kind before it, as in oci-archive:PATH",
            )
    if text.startswith((".", "/")) or text.endswith(_ENDINGS):
        raise _no_file(Path(text))
    return _of_kind(Kind.REGISTRY, text, here)


def _of_kind(kind: Kind, rest: str, here: Path) -> Source:
    if kind is Kind.REGISTRY:
        return Source(kind, str(Reference.of_image(rest)))
    if kind not in _PATHS:
        if not rest or rest.startswith("-"):
            raise InputError(
                f"image {rest!r}",
                expected="the name or id of an image",
                found="none",
                next_step=f"write {kind}:NAME",
            )
        return Source(kind, rest)
    for path, name in _splits(rest, here):
        if path.exists():
            return Source(kind, name, path)
    raise _no_file(here / rest)


def _splits(text: str, here: Path) -> list[tuple[Path, str]]:
    """Return the ways to read `PATH:NAME`, the longest name last; either may have colons."""
    parts = text.split(":")
    whole = [(text, "")] + [
        (":".join(parts[:number]), ":".join(parts[number:])) for number in range(len(parts) - 1, 0, -1)
    ]
    return [(here / path, name) for path, name in whole if path]


def _looked_at(path: Path) -> Kind | None:
    if path.is_dir():
        return Kind.LAYOUT if (path / "oci-layout").is_file() else None
    if not path.is_file():
        return None
    return Kind.SIF if sif.is_sif(path) else _archive(path)


def _archive(path: Path) -> Kind | None:
    with path.open("rb") as stream:
        packed = stream.read(2) == _GZIP
    if packed:
        return Kind.DOCKER_ARCHIVE  # 'docker save NAME | gzip'
    try:
        with folders.opened(path, path.parent) as tar:
            # Docker writes both since version 25: its own listing names the tags.
            if tar.has(docker_archive.LISTING):
                return Kind.DOCKER_ARCHIVE
            return Kind.OCI_ARCHIVE if tar.has("oci-layout") else None
    except InputError:
        return None


def _no_file(path: Path) -> InputError:
    return InputError(
        f"{path}", expected="a file or folder with an image", found="none", next_step="check the name"
    )
