"""The images that an analysis names: those built on this machine, and those published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from relance import digest
from relance.document import Document, read
from relance.errors import InputError
from relance.model import ImageRef


def of_analysis(analysis: Path) -> tuple[ImageRef, ...]:
    """Return every image of `containers/images.local.yaml`, `containers/images.lock.yaml` and `envs/*.txt`.

    An image of the last has only a locked list of packages: plain processes can run its steps.

    Raises:
        InputError: a file can't be read or lacks a part that is needed here.
    """
    built = _entries(analysis / "containers" / "images.local.yaml")
    published = _entries(analysis / "containers" / "images.lock.yaml")
    locked = {path.stem for path in analysis.glob("envs/*.txt")}
    return tuple(
        _image(name, built.get(name), published.get(name)) for name in sorted({*built, *published, *locked})
    )


def _image(name: str, built: dict[str, Any] | None, published: dict[str, Any] | None) -> ImageRef:
    written = [f"docker://relance/{name}"]
    if published:
        written.append(f"docker://{published['reference']}")
    if built is None:
        return ImageRef(name, tuple(written), None, None)
    runtime = Path(built["runtime"]["path"])
    return ImageRef(name, (str(runtime), *written), digest.parse(built["config"]), runtime)


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    document = read(path)
    images = document.value.get("images") if isinstance(document.value, dict) else None
    if not isinstance(images, dict):
        raise _broken(document, "the mapping 'images'", "none")
    for name, entry in images.items():
        needed = ("reference",) if path.name == "images.lock.yaml" else ("config", "runtime")
        missing = [key for key in needed if not isinstance(entry, dict) or key not in entry]
        if missing or ("runtime" in needed and "path" not in entry["runtime"]):
            raise _broken(document, f"{', '.join(needed)} of each image", f"none at {name!r}", "images", name)
    return images


def _broken(document: Document, expected: str, found: str, *keys: str) -> InputError:
    return InputError(
        f"{document.where(*keys)}: not a list of images",
        expected=expected,
        found=found,
        next_step="write it anew with 'relance images build'",
    )
