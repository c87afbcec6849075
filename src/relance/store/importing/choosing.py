"""Which manifest of an index is meant."""

from __future__ import annotations

from collections.abc import Callable

from relance.errors import InputError
from relance.store import manifests
from relance.store.descriptors import Descriptor
from relance.store.importing.image import SYSTEM
from relance.store.manifests import Manifest

_DEEPEST = 4


def choose(
    name: str, root: Descriptor, data: bytes, architecture: str, read: Callable[[Descriptor], bytes]
) -> Manifest:
    """Return the manifest for this processor: `root` itself, or one that its index lists.

    data: the verified bytes of `root`. read: gives the verified bytes of others.

    Raises:
        InputError: there is none, or a manifest is refused.
    """
    wanted = root
    for _ in range(_DEEPEST):
        manifest = manifests.parse(data, wanted)
        if manifest.config is not None:
            return manifest
        fitting = [entry for entry in manifest.manifests if _fits(entry, architecture)]
        if not fitting:
            raise InputError(
                f"image {name} doesn't run here",
                expected=f"one for {SYSTEM}/{architecture}",
                found="only others",
                next_step="name another image, or build one",
            )
        wanted = fitting[0]
        data = read(wanted)
    raise InputError(
        f"image {name} can't be used",
        expected=f"an index nested at most {_DEEPEST} deep",
        found="more",
        next_step="name another image",
    )


def _fits(entry: Descriptor, architecture: str) -> bool:
    if entry.artifact_type is not None:
        return False  # something else beside the images, as in a capsule
    platform = entry.platform or {}
    said = (platform.get("os", SYSTEM), platform.get("architecture", architecture))
    return said == (SYSTEM, architecture)
