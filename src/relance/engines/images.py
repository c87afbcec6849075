"""The images that an analysis names: those built on this machine, those published, those only locked."""

from __future__ import annotations

from pathlib import Path

from relance.model import ImageRef
from relance.store import images
from relance.store.images import LocalImage, PublishedImage


def of_analysis(analysis: Path) -> tuple[ImageRef, ...]:
    """Return every image of `containers/images.local.yaml`, `containers/images.lock.yaml` and `envs/*.txt`.

    An image of the last has only a locked list of packages: plain processes can run its steps.

    Raises:
        InputError: a file can't be read or breaks its schema.
    """
    known = images.known(analysis)
    locked = {path.stem for path in analysis.glob("envs/*.txt")}
    return tuple(
        _image(name, known.local.get(name), known.published.get(name))
        for name in sorted({*known.local, *known.published, *locked})
    )


def _image(name: str, built: LocalImage | None, published: PublishedImage | None) -> ImageRef:
    written = [f"docker://relance/{name}"]
    if published:
        written.append(f"docker://{published.reference}")
    if built is None:
        return ImageRef(name, tuple(written), None, None)
    return ImageRef(name, (str(built.runtime.path), *written), built.config, built.runtime.path)
