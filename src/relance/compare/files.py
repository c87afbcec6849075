"""Two files compared: their bytes first, then what is in them."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from relance.compare import kinds, packing
from relance.compare.kinds import Kind
from relance.compare.model import (
    Comparison,
    Difference,
    LibraryMissingError,
    Notes,
    Part,
    Rules,
    Tier,
    UnreadableError,
    shown,
    worst,
)
from relance.specification.model import Tolerance

_CHUNK = 1 << 20
_DEEPEST = 3  # a packed file in a packed file


@dataclass(frozen=True)
class _Place:
    """Where a comparison stands."""

    path: str
    scratch: Path
    depth: int
    """How often it was unpacked."""


def product(path: str, expected: Path, found: Path, rules: Sequence[Tolerance] = ()) -> Comparison:
    """Compare a product with its reference; it never raises on account of what the files hold.

    Args:
        path: what the product is called.
        expected: the reference.
        found: the product.
        rules: what the specification allows for it; the first that fits a part counts.
    """
    quick = by_bytes(path, expected, found)
    if quick is not None:
        return quick
    with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
        return _content(_Place(path, Path(scratch), 0), expected, found, Rules(rules))


def by_bytes(path: str, expected: Path, found: Path) -> Comparison | None:
    """Return what can be told without looking into the files; None if their bytes differ."""
    problem = _unusable(expected, found)
    if problem is not None:
        tier, difference = problem
        return Comparison(path, "bytes", tier, (difference,))
    return Comparison(path, "bytes", Tier.BYTES) if same_bytes(expected, found) else None


def same_bytes(a: Path, b: Path) -> bool:
    """Return whether two files hold the same bytes."""
    if a.stat().st_size != b.stat().st_size:
        return False
    with a.open("rb") as one, b.open("rb") as other:
        while True:
            piece = one.read(_CHUNK)
            if piece != other.read(_CHUNK):
                return False
            if not piece:
                return True


def _unusable(expected: Path, found: Path) -> tuple[Tier, Difference] | None:
    kinds_found = [_kind_of_entry(expected), _kind_of_entry(found)]
    if kinds_found == ["file", "file"]:
        return None
    difference = Difference("", kinds_found[0], kinds_found[1])
    if "nothing" in kinds_found:
        tier = Tier.MISSING if kinds_found[1] == "nothing" else Tier.EXTRA
    elif "unreadable" in " ".join(kinds_found):
        tier = Tier.UNREADABLE
    else:
        tier = Tier.OTHER_KIND
    return tier, difference


def _kind_of_entry(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    except (OSError, ValueError) as error:
        return f"unreadable ({getattr(error, 'strerror', None) or error})"
    if stat.S_ISDIR(mode):
        return "a folder"
    if not stat.S_ISREG(mode):
        return "no regular file"
    return "file" if os.access(path, os.R_OK) else "unreadable (permission denied)"


def _content(place: _Place, expected: Path, found: Path, rules: Rules) -> Comparison:
    how = packing.packed(expected), packing.packed(found)
    if any(how) and place.depth < _DEEPEST:
        return _unpacked(place, expected, found, rules)
    kind, other = _told(expected), _told(found)
    if kind is not other and any(one is not None and one.marked for one in (kind, other)):
        difference = Difference("", _title(kind, expected), _title(other, found))
        return Comparison(place.path, kind.name if kind else "bytes", Tier.OTHER_KIND, (difference,))
    if kind is None:
        return Comparison(place.path, "bytes", Tier.DIFFERENT, (_first_byte(expected, found),))
    try:
        return _by_parts(place.path, kind, expected, found, rules)
    except LibraryMissingError as error:
        remark = f"whether the content is the same can be told with {error}: pip install 'relance[compare]'"
        at = (_first_byte(expected, found),)
        return Comparison(place.path, kind.name, Tier.UNDECIDED, at, remarks=(remark,))
    except _BrokenError as error:
        told = shown(str(error))
        sides = ("whole", told) if error.which == "found" else (told, "not compared")
        return Comparison(place.path, kind.name, Tier.UNREADABLE, (Difference("", *sides),))


def _title(kind: Kind | None, path: Path) -> str:
    if not path.stat().st_size:
        return "an empty file"
    return kind.title if kind is not None else "bytes of no known kind"


def _by_parts(path: str, kind: Kind, expected: Path, found: Path, rules: Rules) -> Comparison:
    notes = Notes()
    tier = _parts(kind, expected, found, rules, notes)
    listed = notes.tolerated if tier.agrees else notes.differing
    count = notes.tolerated_count if tier.agrees else notes.differing_count
    more = max(0, count - len(listed))
    return Comparison(path, kind.name, tier, tuple(listed), more, tuple(map(_clean, notes.remarks)))


def _clean(text: str) -> str:
    return shown(text) if len(text) < 100 else re.sub(r"[^\S ]", " ", text)[:300]


def _told(path: Path) -> Kind | None:
    try:
        return kinds.told(path)
    except (OSError, RecursionError, MemoryError):
        return None


class _BrokenError(Exception):
    """One of two files is broken."""

    def __init__(self, which: str, why: str) -> None:
        super().__init__(why)
        self.which = which


def _parts(kind: Kind, expected: Path, found: Path, rules: Rules, notes: Notes) -> Tier:
    with ExitStack() as stack:
        sides: list[Mapping[str, Part]] = []
        for which, path in (("expected", expected), ("found", found)):
            try:
                sides.append(stack.enter_context(kind.opened(path)))
            except UnreadableError as error:
                raise _BrokenError(which, str(error)) from error
            except LibraryMissingError:
                raise
            except Exception as error:  # whatever a reader does with a hostile file
                raise _BrokenError(which, _why(error)) from error
        try:
            return _together(sides[0], sides[1], rules, notes)
        except UnreadableError as error:
            raise _BrokenError("found", str(error)) from error
        except LibraryMissingError:
            raise
        except Exception as error:
            raise _BrokenError("found", _why(error)) from error


def _why(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _together(expected: Mapping[str, Part], found: Mapping[str, Part], rules: Rules, notes: Notes) -> Tier:
    tiers: list[Tier] = []
    for name in sorted({*expected, *found}):
        if rules.ignored(name):
            notes.remark(f"not compared, as declared: {name}")
            tiers.append(Tier.TOLERANCE)
        elif name in expected and name in found:
            tiers.append(expected[name].compare(found[name], name, rules, notes))
        else:
            notes.differ(name, *(("there", "missing") if name in expected else ("missing", "there")))
            tiers.append(Tier.DIFFERENT)
    return worst(tiers)


def _unpacked(place: _Place, expected: Path, found: Path, rules: Rules) -> Comparison:
    with ExitStack() as stack:
        inner: list[Path] = []
        for which, packed in (("expected", expected), ("found", found)):
            # The name is kept, since it tells one text from another.
            name = re.sub(r"\.(?:gz|zst|zstd)$", "", Path(place.path).name) or "content"
            folder = place.scratch / f"{which}-{place.depth}"
            folder.mkdir(exist_ok=True)
            if not packing.packed(packed):
                inner.append(packed)
                continue
            try:
                inner.append(stack.enter_context(packing.unpacked(packed, folder, name)))
            except UnreadableError as error:
                told = shown(str(error))
                sides = ("whole", told) if which == "found" else (told, "not compared")
                return Comparison(place.path, "packed", Tier.UNREADABLE, (Difference("", *sides),))
        if same_bytes(inner[0], inner[1]):
            return Comparison(place.path, "packed", Tier.CONTENT)
        return _content(replace(place, depth=place.depth + 1), inner[0], inner[1], rules)


def _first_byte(expected: Path, found: Path) -> Difference:
    """Tell where the first other byte stands."""
    sizes = expected.stat().st_size, found.stat().st_size
    position = 0
    with expected.open("rb") as one, found.open("rb") as other:
        while True:
            a, b = one.read(_CHUNK), other.read(_CHUNK)
            if a != b:
                pairs = enumerate(zip(a, b, strict=False))
                at = next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))
                return Difference(f"byte {position + at}", _byte(a, at, sizes[0]), _byte(b, at, sizes[1]))
            if not a:
                return Difference("", f"{sizes[0]} bytes", f"{sizes[1]} bytes")
            position += len(a)


def _byte(data: bytes, at: int, size: int) -> str:
    return f"0x{data[at]:02x}" if at < len(data) else f"the end, after {size} bytes"
