"""Pictures by their pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from relance.compare.kinds.base import Kind, needing
from relance.compare.model import Part, UnreadableError
from relance.compare.tree import Tree

_MOST_PIXELS = 200_000_000
_TAIL = 4096
_CHANGING = {"software", "creation time", "date:create", "date:modify", "date:timestamp", "creation_time"} | {
    "xml:com.adobe.xmp"
}


def _is_png(head: bytes, path: Path) -> bool:  # noqa: ARG001 - the signature of a kind
    return head.startswith(b"\x89PNG\r\n\x1a\n")


@contextmanager
def _png(path: Path) -> Iterator[Mapping[str, Part]]:
    with needing("pillow", "numpy"):
        import numpy as np  # noqa: PLC0415 - an extra
        from PIL import Image  # noqa: PLC0415

        from relance.compare.arrays import Array  # noqa: PLC0415
    if not _ends(path):
        raise UnreadableError("no whole PNG picture: it is cut off")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(path, formats=["PNG"]) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise UnreadableError(f"{image.width} × {image.height} pixels")
                image.load()
                mode = image.mode
                said = {
                    str(key): repr(value)
                    for key, value in image.info.items()
                    if str(key).lower() not in _CHANGING
                }
                # Colours by their number in a palette say nothing without it.
                coloured = mode in {"P", "PA"} or "transparency" in image.info
                pixels = np.asarray(image.convert("RGBA") if coloured else image)
    except (OSError, SyntaxError, ValueError, Warning, Image.DecompressionBombError) as error:
        raise UnreadableError(f"no whole PNG picture: {error}") from error
    yield {
        "pixels": Array(pixels.shape, pixels.dtype, lambda start, stop: pixels[start:stop]),
        "mode": Tree(mode),
        "text": Tree(said),
    }


def _ends(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL))
        return b"IEND\xae\x42\x60\x82" in stream.read()


PNG = Kind("png", "a PNG picture", _is_png, _png)
