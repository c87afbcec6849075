"""ROOT: trees, ntuples, histograms and other objects, by what is in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from relance import formats
from relance.compare.histograms import Histogram
from relance.compare.kinds.base import Kind, needing
from relance.compare.model import LibraryMissingError, Notes, Part, Rules, Tier, UnreadableError
from relance.compare.tree import Tree
from relance.errors import InputError

_PIECE = 32 << 20  # bytes of a table at a time
_PACKED = 4  # how much larger a table may be in memory than in its file
_MOST_ROWS = 1_000_000
_DEEPEST = 40
_MOST_DIRECTORIES = 100_000
# What ROOT keeps of an object for itself: addresses, flags of memory, what was drawn on it.
_OWN = {"@fUniqueID", "@fBits", "fFunctions", "fDirectory", "fBits", "fUniqueID", "fSumw2"}


def _is_root(head: bytes, path: Path) -> bool:  # noqa: ARG001 - the signature of a kind
    return head.startswith(b"root") and not head[4:8].isalpha()


@contextmanager
def _root(path: Path) -> Iterator[Mapping[str, Part]]:
    with needing("uproot", "awkward", "numpy"):
        import uproot  # noqa: PLC0415 - an extra

        from relance.compare import tables  # noqa: F401, PLC0415
    with ExitStack() as stack:
        try:
            formats.check(path, ["root"], "a product")  # sees what is cut off behind all that uproot reads
            file = stack.enter_context(uproot.open(path, num_workers=0, array_cache=None))
            parts = dict(_parts(file, path.stat().st_size))
        except UnreadableError:
            raise
        except InputError as error:
            raise UnreadableError(f"no whole ROOT file: {error.found}") from error
        except Exception as error:  # a hostile file can make uproot raise anything
            raise UnreadableError(f"no whole ROOT file: {_told(error)}") from error
        yield parts


def _parts(file: Any, size: int) -> Iterator[tuple[str, Part]]:
    waiting = [("", file)]
    seen: set[int] = set()
    while waiting:
        prefix, folder = waiting.pop()
        for name, key in sorted(_newest(folder).items()):
            place = f"{prefix}{name}"
            if key.fClassName in {"TDirectory", "TDirectoryFile"}:
                if key.fSeekKey in seen or len(seen) > _MOST_DIRECTORIES:
                    raise UnreadableError(f"{place} is a directory inside itself")
                seen.add(key.fSeekKey)
                yield f"{place}/", Tree("a directory")
                waiting.append((f"{place}/", key.get()))
            else:
                yield place, _Lazy(key, size)


def _newest(folder: Any) -> dict[str, Any]:
    """Return the last cycle of each key: what reading by name gives."""
    found: dict[str, Any] = {}
    for name in folder.keys(recursive=False, cycle=True):
        bare, _, cycle = name.rpartition(";")
        key = folder.key(name)
        if bare not in found or int(cycle) > found[bare].fCycle:
            found[bare] = key
    return found


class _Lazy:
    """An object that is read when it is compared: one at a time is in memory."""

    def __init__(self, key: Any, size: int) -> None:
        self._key = key
        self._size = size

    def compare(self, found: Part, where: str, rules: Rules, notes: Notes) -> Tier:
        """Compare by what kind of object it is; see `Part.compare`."""
        if not isinstance(found, _Lazy):
            notes.differ(where, self._key.fClassName, "a directory")
            return Tier.DIFFERENT
        if self._key.fClassName != found._key.fClassName:
            notes.differ(f"{where}, class", self._key.fClassName, found._key.fClassName)
            return Tier.DIFFERENT
        try:
            return self.part().compare(found.part(), where, rules, notes)
        except (UnreadableError, LibraryMissingError):
            raise
        except Exception as error:  # a hostile file can make uproot raise anything
            raise UnreadableError(f"{where}: {_told(error)}") from error

    def part(self) -> Part:
        """Return the object as something that can be compared.

        One of a class that can't be read is compared by its bytes, unpacked.
        """
        import uproot  # noqa: PLC0415

        try:
            item = self._key.get()
        except (uproot.DeserializationError, NotImplementedError):
            return self._raw()
        if isinstance(item, uproot.TTree) or self._key.fClassName == "ROOT::RNTuple":
            return _table(item, self._size)
        if isinstance(item, uproot.model.UnknownClass):
            return self._raw()
        if self._key.fClassName.startswith(("TH1", "TH2", "TH3", "TProfile")) and hasattr(item, "axes"):
            return _histogram(item)
        return Tree(_plain(item, 0))

    def _raw(self) -> Part:
        import numpy as np  # noqa: PLC0415

        from relance.compare.arrays import Array  # noqa: PLC0415

        chunk, _ = self._key.get_uncompressed_chunk_cursor()
        data = np.asarray(chunk.raw_data)
        return Array(data.shape, data.dtype, lambda start, stop: data[start:stop])


def _table(item: Any, size: int) -> Part:
    from relance.compare.tables import Table  # noqa: PLC0415

    ntuple = not hasattr(item, "branches")
    types = item.typenames(recursive=not ntuple)
    columns = {
        name: str(kind)
        for name, kind in types.items()
        if ntuple or not item[name].branches  # a branch of branches has no values of its own
    }
    rows = int(item.num_entries)

    def read(name: str, start: int, stop: int) -> Any:
        if ntuple:
            return item.arrays([name], entry_start=start, entry_stop=stop)[name]
        return item[name].array(entry_start=start, entry_stop=stop, library="ak")

    step = min(_MOST_ROWS, _PIECE * max(rows, 1) // (size * _PACKED + 1))
    return Table(columns, rows, max(1, step, _unit(item, ntuple=ntuple)), read)


def _unit(item: Any, *, ntuple: bool) -> int:
    """Return the most rows that are unpacked as one: read in smaller pieces, they are unpacked each time."""
    if ntuple:
        return max((int(part.num_entries) for part in item.cluster_summaries), default=1)
    edges = [branch.entry_offsets for branch in item.itervalues(recursive=True)]
    return max((b - a for offsets in edges for a, b in itertools.pairwise(offsets)), default=1)


def _histogram(item: Any) -> Part:
    profile = item.classname.startswith("TProfile")
    variances = item.errors(flow=True) ** 2 if profile else item.variances(flow=True)
    contents = item.values(flow=True)
    axes = tuple(tuple(axis.labels() or axis.edges(flow=False).tolist()) for axis in item.axes)
    # Those arrays of a profile that its means come from are compared too.
    left_out = _OWN - {"fSumw2"} if profile else _OWN
    members = {name: _plain(value, 1) for name, value in item.all_members.items() if name not in left_out}
    return Histogram(_flat(contents), _flat(variances), axes, Tree(members))


def _flat(values: Any) -> tuple[float, ...]:
    return tuple(map(float, values.reshape(-1).tolist()))


def _plain(value: Any, depth: int) -> Any:  # noqa: PLR0911 - one line a kind of value
    import numpy as np  # noqa: PLC0415

    if depth > _DEEPEST:
        raise UnreadableError("objects inside objects without end")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), depth)
    if hasattr(value, "all_members"):
        members = {
            name: _plain(member, depth + 1) for name, member in value.all_members.items() if name not in _OWN
        }
        return {"class": value.classname, "says": _said(value, depth), **members}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
    if hasattr(value, "__iter__"):
        return [_plain(inner, depth + 1) for inner in value]
    return str(type(value).__name__)


def _said(value: Any, depth: int) -> Any:
    """Return what a model is besides its members: text, or the items of a collection."""
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "__len__") and hasattr(value, "__iter__"):
        return [_plain(inner, depth + 1) for inner in value]
    return None


def _told(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


ROOT = Kind("root", "a ROOT file", _is_root, _root)
