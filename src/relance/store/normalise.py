"""Images whose identity depends on their content alone, whoever built them and when.

A builder's result is taken as a plain file tree. What differs from the base becomes one layer with sorted
entries and no times; the configuration is written from the base's and the recipe's. So the digest of the
configuration, the image's id, is the same from Podman, Docker and Apptainer.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, Self

from relance.errors import InputError
from relance.store import configuration, manifests
from relance.store.configuration import Settings
from relance.store.descriptors import CONFIG_TYPE, LARGEST_MANIFEST, LAYER_TYPE, MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.store.tree import Content, Entry, Kind, Tree, flatten, write_tar

_EPOCH = "1970-01-01T00:00:00Z"

_KEPT_EMPTY = frozenset({"dev", "proc", "run", "sys", "tmp", "var/tmp"})
"""Folders of the running system: part of an image as empty folders only."""

_MACHINE_FILES = frozenset(
    {
        ".dockerenv",
        ".exec",
        ".run",
        ".shell",
        ".singularity.d",
        ".test",
        "environment",
        "singularity",
        "etc/apt/sources.list",
        "etc/hostname",
        "etc/hosts",
        "etc/machine-id",
        "etc/mtab",
        "etc/resolv.conf",
        "root/.bash_history",
        "root/.cache",
        "var/cache/apt",
        "var/cache/debconf",
        "var/cache/ldconfig",
        "var/lib/apt/lists",
        "var/lib/dpkg/diversions-old",
        "var/lib/dpkg/lock",
        "var/lib/dpkg/lock-frontend",
        "var/lib/dpkg/status-old",
        "var/lib/dpkg/triggers/Lock",
        "var/log",
    }
)
"""What a build leaves that tells of the machine, the time or the builder, not of the packages."""


@dataclass(frozen=True)
class Image:
    """An image in a layout, its layers uncompressed: their digests are the configuration's diff ids."""

    manifest: Descriptor
    config: Descriptor
    layers: tuple[Descriptor, ...]
    settings: Settings
    architecture: str

    @classmethod
    def read(cls, layout: Layout, manifest: Descriptor) -> Self:
        """Read an image that `assemble` wrote or that was imported.

        Raises:
            InputError: a blob is missing or damaged, or the image is of a form that is not understood.
        """
        data = layout.read(manifest.digest, largest=LARGEST_MANIFEST)
        document = manifests.parse(data, manifest)
        if document.config is None:
            raise _no_image(manifest, "an index")
        config = layout.read(document.config.digest, largest=configuration.LARGEST)
        said = configuration.parse(config, f"image {manifest.digest}")
        if tuple(layer.digest for layer in document.layers) != said.diff_ids:
            raise _no_image(manifest, ", ".join(sorted({layer.media_type for layer in document.layers})))
        return cls(manifest, document.config, document.layers, said.settings, said.architecture)


def _no_image(manifest: Descriptor, found: str) -> InputError:
    return InputError(
        f"image {manifest.digest} can't be used as it is",
        expected="uncompressed layers",
        found=found,
        next_step="build it with 'relance images build', or take it in with 'relance images import'",
    )


def open_layers(layout: Layout, image: Image, stack: ExitStack) -> list[BinaryIO]:
    """Open an image's layers, verified, for as long as `stack` lives."""
    return [stack.enter_context(layout.open(layer.digest)) for layer in image.layers]


def scrubbed(tree: Tree) -> Tree:
    """Return a tree without what tells of the machine, the time or the builder."""
    return {path: entry for path, entry in tree.items() if not _is_trace(path)}


def _is_trace(path: str) -> bool:
    above = path
    while above:
        if above in _MACHINE_FILES or (above in _KEPT_EMPTY and above != path):
            return True
        above = above.rpartition("/")[0]
    return False


def assemble(
    layout: Layout, base: Image | None, rootfs: BinaryIO, settings: Settings, *, architecture: str
) -> Image:
    """Store the image that a base and a built file tree make, and return it.

    rootfs: the whole tree after the build, base included, as one uncompressed seekable tar.

    Raises:
        InputError: the tree holds hostile entries, or the base is damaged.
    """
    with ExitStack() as stack:
        below = open_layers(layout, base, stack) if base else []
        built = scrubbed(flatten([rootfs]))
        old = scrubbed(flatten(below))
        changed = _differences(old, below, built, rootfs)
        with layout.writer() as blob:
            output = _Stream(blob.write)
            _write_layer(changed, [path for path in old if path not in built], rootfs, output)
        layer = Descriptor(LAYER_TYPE, blob.digest, blob.size)
    layers = (*(base.layers if base else ()), layer)
    config = layout.add_json(_configuration(settings, architecture, layers), CONFIG_TYPE)
    manifest = write_manifest(layout, config, layers)
    return Image(manifest, config, layers, settings, architecture)


def write_manifest(layout: Layout, config: Descriptor, layers: Sequence[Descriptor]) -> Descriptor:
    """Store the manifest of an image whose configuration and layers are there."""
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return layout.add_json(value, MANIFEST_TYPE)


class _Stream(io.RawIOBase):
    """Makes a file object, as tarfile wants it, of a function that takes bytes."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._write(data)


def _configuration(settings: Settings, architecture: str, layers: Sequence[Descriptor]) -> dict[str, object]:
    return {
        "architecture": architecture,
        "os": "linux",
        "created": _EPOCH,
        "config": settings.to_json(),
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "history": [{"created": _EPOCH} for _ in layers],
    }


def _differences(old: Tree, below: Sequence[BinaryIO], built: Tree, rootfs: BinaryIO) -> Tree:
    return {
        path: entry
        for path, entry in built.items()
        if path not in old or not _same(old[path], below, entry, [rootfs])
    }


def _same(one: Entry, its: Sequence[BinaryIO], other: Entry, others: Sequence[BinaryIO]) -> bool:
    if (one.kind, one.mode, one.uid, one.gid, one.target) != (
        other.kind,
        other.mode,
        other.uid,
        other.gid,
        other.target,
    ):
        return False
    if one.content is None or other.content is None:
        return True
    return one.content.size == other.content.size and _hash(one.content, its) == _hash(other.content, others)


def _hash(content: Content, layers: Sequence[BinaryIO]) -> bytes:
    stream = layers[content.layer]
    stream.seek(content.offset)
    sha = hashlib.sha256()
    left = content.size
    while left:
        data = stream.read(min(left, 1 << 20))
        if not data:
            break
        sha.update(data)
        left -= len(data)
    return sha.digest()


def _write_layer(changed: Tree, removed: Sequence[str], rootfs: BinaryIO, output: _Stream) -> None:
    gone = set(removed)
    # A folder's whiteout hides what lay below it.
    marks = [path for path in removed if path.rpartition("/")[0] not in gone]
    whiteouts: dict[str, Entry] = {}
    for path in marks:
        folder, _, name = path.rpartition("/")
        # A folder that became a file or link hides what lay below it by itself.
        if changed.get(folder, Entry(Kind.FOLDER, 0)).kind is Kind.FOLDER:
            whiteouts[f"{folder}/.wh.{name}".lstrip("/")] = Entry(Kind.FILE, 0o644)
    write_tar({**changed, **whiteouts}, [rootfs], output)  # type: ignore[arg-type]
