"""The images that a capsule holds: OCI manifests with uncompressed layers, as Docker and Podman know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relance import digest
from relance.capsule import blobs as blob_reading
from relance.capsule.blobs import Blobs
from relance.capsule.documents import plain
from relance.capsule.model import Capsule, CapsuleImage
from relance.errors import InputError
from relance.model import Digest
from relance.store import manifests
from relance.store.descriptors import LARGEST_MANIFEST, MANIFEST_TYPE, Descriptor


@dataclass(frozen=True)
class HeldImage:
    """An image of a capsule: what its manifest names, and what it runs on."""

    manifest: Descriptor
    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """Bytes of manifest, configuration and layers."""
        return self.manifest.size + self.config.size + sum(layer.size for layer in self.layers)


def held(blobs: Blobs, capsule: Capsule) -> Mapping[Digest, HeldImage]:
    """Return each image of a capsule by its manifest's digest, in the order of these; layers aren't read.

    Raises:
        InputError: a manifest or configuration is missing or damaged, isn't that of the image that the
            capsule names, or has compressed layers.
    """
    found: dict[Digest, HeldImage] = {}
    for image in sorted(capsule.images, key=lambda one: one.manifest):
        if image.manifest not in found:
            found[image.manifest] = _held(blobs, image)
        if found[image.manifest].config.digest != image.config:
            raise _wrong(image, f"the configuration {image.config}", found[image.manifest].config.digest)
    return found


def _held(blobs: Blobs, image: CapsuleImage) -> HeldImage:
    described = Descriptor(MANIFEST_TYPE, image.manifest, image.manifest_size)
    what = f"image {image.manifest}"
    manifest = manifests.parse(blob_reading.read(blobs, described, what, LARGEST_MANIFEST), described)
    config = manifest.config
    if config is None:
        raise _wrong(image, "a configuration", "none")
    said = plain(blob_reading.read(blobs, config, what, LARGEST_MANIFEST), what)
    rootfs = said.get("rootfs") if isinstance(said, dict) else None
    layers = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    platform = {key: said.get(key) for key in ("architecture", "os")} if isinstance(said, dict) else {}
    if not all(isinstance(value, str) and value for value in platform.values()) or not platform:
        raise _wrong(image, "a configuration with architecture and os", "none")
    if layers != [layer.digest for layer in manifest.layers]:
        raise _wrong(image, "uncompressed layers, those of its configuration", "others")
    return HeldImage(
        Descriptor(MANIFEST_TYPE, image.manifest, image.manifest_size, platform=platform),
        config,
        manifest.layers,
    )


def short(image: CapsuleImage) -> str:
    """Return the first twelve digits of an image's identity."""
    return digest.parse(image.config).removeprefix("sha256:")[:12]


def _wrong(image: CapsuleImage, expected: str, found: str) -> InputError:
    return InputError(
        f"image {', '.join(image.written) or image.manifest} of the capsule can't be used",
        expected=expected,
        found=found,
        next_step="capture again, or get the capsule again from its publisher",
    )
