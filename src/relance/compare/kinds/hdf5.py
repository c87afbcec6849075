"""HDF5: datasets and attributes; how they lie in the file, and when they were written, doesn't count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from relance.compare.kinds.base import Kind, needing
from relance.compare.model import Part, UnreadableError
from relance.compare.tree import Tree

_MOST_OBJECTS = 1_000_000


def _is_hdf5(head: bytes, path: Path) -> bool:  # noqa: ARG001 - the signature of a kind
    return head.startswith(b"\x89HDF\r\n\x1a\n")


@contextmanager
def _hdf5(path: Path) -> Iterator[Mapping[str, Part]]:
    with needing("h5py", "numpy"):
        import h5py  # noqa: PLC0415 - an extra
    with ExitStack() as stack:
        try:
            parts = dict(_parts(stack.enter_context(h5py.File(path, "r", locking=False))))
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
            raise UnreadableError(f"no whole HDF5 file: {error}") from error
        yield parts


def _parts(file: Any) -> Iterator[tuple[str, Part]]:
    """Give every part; links that lead out of the file, or elsewhere in it, are compared but not followed."""
    import h5py  # noqa: PLC0415

    seen: dict[int, str] = {}
    waiting = [("/", file)]
    while waiting:
        name, item = waiting.pop()
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            yield name, Tree(f"the same as {seen[address]}")
            continue
        if len(seen) > _MOST_OBJECTS:
            raise UnreadableError(f"more than {_MOST_OBJECTS} objects")
        seen[address] = name
        yield f"{name}@", Tree({key: _attribute(item, key) for key in item.attrs})
        if isinstance(item, h5py.Group):
            for key in sorted(item, reverse=True):
                link = item.get(key, getlink=True)
                inner = f"{name.rstrip('/')}/{key}"
                if isinstance(link, h5py.HardLink):
                    waiting.append((inner, item[key]))
                else:
                    told = [type(link).__name__, getattr(link, "filename", ""), getattr(link, "path", "")]
                    yield inner, Tree(" ".join(filter(None, told)))
        elif isinstance(item, h5py.Dataset):
            yield name, _dataset(item)
        else:
            yield name, Tree(f"a named type: {item.dtype}")


def _dataset(item: Any) -> Part:
    import h5py  # noqa: PLC0415

    from relance.compare.arrays import Array  # noqa: PLC0415

    # A dataset may name other files as the place of its values: those are no part of the product.
    if item.external:
        return Tree({"outside": [list(map(str, place)) for place in item.external]})
    if item.is_virtual:
        return Tree({"outside": [f"{place.file_name} {place.dset_name}" for place in item.virtual_sources()]})
    if item.shape is None or isinstance(item.id.get_type(), h5py.h5t.TypeReferenceID):
        return Tree(f"{item.dtype} with shape {item.shape}")

    def read(start: int, stop: int) -> Any:
        return item[start:stop] if item.shape else _scalar(item)

    return Array(tuple(item.shape), item.dtype, read)


def _scalar(item: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    return np.asarray(item[()], dtype=item.dtype)


def _attribute(item: Any, key: str) -> Any:
    try:
        return _plain(item.attrs[key])
    except (OSError, TypeError, ValueError) as error:
        return f"unreadable: {type(error).__name__}"


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else repr(value)


HDF5 = Kind("hdf5", "an HDF5 file", _is_hdf5, _hdf5)
