"""Arrays of numbers, compared piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from relance.compare.model import MOST_DIFFERENCES, Notes, Part, Rules, Tier, worst
from relance.compare.multiset import Multiset, new_key
from relance.compare.tree import same
from relance.specification.model import Tolerance

_PIECE = 1 << 22  # elements at a time


@dataclass(frozen=True)
class Array:
    """An array of numbers, text or records; only pieces of it are in memory."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[int, int], np.ndarray[Any, Any]]
    """Its rows from one to before another."""

    def compare(self, found: Part, where: str, rules: Rules, notes: Notes) -> Tier:
        """Compare element by element; see `Part.compare`."""
        if not isinstance(found, Array):
            notes.differ(where, "an array", "something else")
            return Tier.DIFFERENT
        if self.shape != found.shape:
            notes.differ(f"{where}, shape", self.shape, found.shape)
            return Tier.DIFFERENT
        # The order of bytes is layout, not content.
        if self.dtype.newbyteorder("=") != found.dtype.newbyteorder("="):
            notes.differ(f"{where}, type", str(self.dtype), str(found.dtype))
            return Tier.DIFFERENT
        inner = Notes()
        tier = self._in_order(found, where, rules, inner)
        if not tier.agrees and self.shape and rules.unordered(where):
            key = new_key()
            if self._collection(key) == found._collection(key):
                return Tier.UNORDERED
        notes.take(inner)
        return tier

    def _in_order(self, found: Array, where: str, rules: Rules, notes: Notes) -> Tier:
        tiers = [
            compare_values(
                self.read(start, stop),
                found.read(start, stop),
                f"{where}, index",
                start,
                rule=rules.at(where),
                notes=notes,
            )
            for start, stop in self._pieces()
        ]
        return worst(tiers)

    def _pieces(self) -> Iterator[tuple[int, int]]:
        if not self.shape:
            yield 0, 1
            return
        rows = self.shape[0]
        width = max(1, int(np.prod(self.shape[1:], dtype=np.float64)))
        step = max(1, _PIECE // width)
        for start in range(0, rows, step):
            yield start, min(rows, start + step)

    def _collection(self, key: bytes) -> Multiset:
        found = Multiset(key)
        for start, stop in self._pieces():
            for row in self.read(start, stop):
                native = np.asarray(row)
                plain = native.dtype.hasobject or native.dtype.names is not None
                found.add(repr(native.tolist()).encode() if plain else native.tobytes())
        return found


def compare_values(
    a: np.ndarray[Any, Any],
    b: np.ndarray[Any, Any],
    where: str,
    start: int,
    *,
    rule: Tolerance | None,
    notes: Notes,
) -> Tier:
    """Compare two arrays of one shape and type; `start` is the index of their first row."""
    if a.dtype.names is not None:
        return worst(
            [
                compare_values(
                    a[name],
                    b[name],
                    f"{where.rpartition(', ')[0]}/{name}, index",
                    start,
                    rule=rule,
                    notes=notes,
                )
                for name in a.dtype.names
            ]
        )
    if a.dtype.hasobject:
        return _objects(a, b, where, start, notes)
    unequal = ~equal(a, b)
    if not unequal.any():
        return Tier.CONTENT
    close = unequal & near(rule, a, b)
    far = unequal & ~close
    for mask, note in ((far, notes.differ), (close, notes.tolerate)):
        for index in np.argwhere(mask)[:MOST_DIFFERENCES]:
            place = tuple(map(int, index))
            row = (place[0] + start, *place[1:]) if place else ()
            note(f"{where} {'/'.join(map(str, row))}".rstrip(), _plain(a[place]), _plain(b[place]))
    far_count, close_count = int(np.count_nonzero(far)), int(np.count_nonzero(close))
    notes.uncounted(max(0, far_count - MOST_DIFFERENCES), max(0, close_count - MOST_DIFFERENCES))
    return Tier.DIFFERENT if far_count else Tier.TOLERANCE


def equal(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return where two arrays are equal, NaN like NaN."""
    same_values = np.asarray(a == b)
    if a.dtype.kind in "fc":
        same_values |= np.isnan(a) & np.isnan(b)
    elif a.dtype.kind in "mM":
        same_values |= np.isnat(a) & np.isnat(b)
    elif a.dtype.kind == "V":
        same_values = np.array([x.tobytes() == y.tobytes() for x, y in zip(a.flat, b.flat, strict=True)])
        same_values = same_values.reshape(a.shape)
    return same_values


def near(
    rule: Tolerance | None, a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return where two arrays differ by no more than a rule allows."""
    declared = rule is not None and (rule.relative is not None or rule.absolute is not None)
    if rule is None or not declared or a.dtype.kind not in "iufc":
        return np.zeros(a.shape, dtype=bool)
    # Differences of unsigned integers wrap around.
    x, y = (part.astype(np.float64) if part.dtype.kind in "iuf" else part for part in (a, b))
    with np.errstate(invalid="ignore", over="ignore"):
        allowed = np.maximum((rule.relative or 0.0) * np.maximum(np.abs(x), np.abs(y)), rule.absolute or 0.0)
        found: np.ndarray[Any, np.dtype[np.bool_]] = (np.abs(x - y) <= allowed) & np.isfinite(allowed)
    return found


def _objects(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], where: str, start: int, notes: Notes) -> Tier:
    tier = Tier.CONTENT
    for index, (x, y) in enumerate(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)):
        left, right = _listed(x), _listed(y)
        if not same(left, right):
            notes.differ(f"{where} {start + index}", left, right)
            tier = Tier.DIFFERENT
    return tier


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
