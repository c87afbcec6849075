"""Arrays of numpy: `.npy` and `.npz`."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from relance.compare.kinds.base import Kind, needing
from relance.compare.model import Notes, Part, Rules, Tier, UnreadableError

if TYPE_CHECKING:
    import numpy as np

_MOST_UNPACKED = 1 << 34
_MOST_RATIO = 1100  # DEFLATE can't do more than 1032
_MARK = b"\x93NUMPY"


def _is_npy(head: bytes, path: Path) -> bool:  # noqa: ARG001 - the signature of a kind
    return head.startswith(_MARK)


def _is_npz(head: bytes, path: Path) -> bool:
    if not head.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return path.suffix == ".npz"
    return bool(names) and all(name.endswith(".npy") for name in names)


def _array(data: np.ndarray[Any, Any]) -> Part:
    from relance.compare.arrays import Array  # noqa: PLC0415 - an extra

    return Array(data.shape, data.dtype, lambda start, stop: data[start:stop] if data.shape else data)


@contextmanager
def _npy(path: Path) -> Iterator[Mapping[str, Part]]:
    with needing("numpy"):
        import numpy as np  # noqa: PLC0415 - an extra
    try:
        data = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, MemoryError, OverflowError) as error:
        raise UnreadableError(f"no whole array: {error}") from error
    yield {"array": _array(data)}


@contextmanager
def _npz(path: Path) -> Iterator[Mapping[str, Part]]:
    with needing("numpy"):
        import numpy as np  # noqa: PLC0415 - an extra
    with ExitStack() as stack:
        yield _members(path, stack, np)


def _members(path: Path, stack: ExitStack, numpy: ModuleType) -> Mapping[str, Part]:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if sum(sizes.values()) > min(_MOST_UNPACKED, _MOST_RATIO * path.stat().st_size):
                raise UnreadableError(f"{sum(sizes.values())} bytes when unpacked")
            if len(sizes) != len(archive.infolist()):
                raise UnreadableError("two arrays of one name")
        arrays = stack.enter_context(numpy.load(path, allow_pickle=False))
        return {name: _Lazy(arrays, name) for name in arrays.files}
    except (ValueError, OSError, EOFError, SyntaxError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise UnreadableError(f"no whole archive of arrays: {error}") from error


class _Lazy:
    """An array that is read when it is compared: one at a time is in memory."""

    def __init__(self, arrays: Mapping[str, Any], name: str) -> None:
        self._arrays = arrays
        self._name = name

    def compare(self, found: Part, where: str, rules: Rules, notes: Notes) -> Tier:
        """Compare the arrays; see `Part.compare`."""
        other = found.part() if isinstance(found, _Lazy) else found
        return self.part().compare(other, where, rules, notes)

    def part(self) -> Part:
        """Return the array, read."""
        return _array(self._arrays[self._name])


NPY = Kind("npy", "an array of numpy", _is_npy, _npy)
NPZ = Kind("npz", "arrays of numpy", _is_npz, _npz)
