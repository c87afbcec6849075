"""Tables of events, compared column by column and, in any order, row by row; only pieces are in memory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np

from relance.compare.arrays import equal, near
from relance.compare.model import MOST_DIFFERENCES, Notes, Part, Rules, Tier, UnreadableError, shown, worst
from relance.specification.model import Tolerance

_Words = np.ndarray[Any, np.dtype[np.uint64]]
_MASK = (1 << 64) - 1
_MOST_PAIRED = 5_000_000  # rows of which some columns are in memory as a whole


@dataclass(frozen=True)
class Table:
    """Columns of one length: numbers, text, lists of them, records."""

    columns: Mapping[str, str]
    """Types by name, as they count."""
    rows: int
    step: int
    """Rows to read at a time."""
    read: Callable[[str, int, int], Any]
    """A column, as an awkward array, from one row to before another."""

    def compare(self, found: Part, where: str, rules: Rules, notes: Notes) -> Tier:
        """Compare row by row, then as a collection of rows; see `Part.compare`."""
        if not isinstance(found, Table):
            notes.differ(where, "a table", "something else")
            return Tier.DIFFERENT
        tiers: list[Tier] = []
        for name in sorted({*self.columns, *found.columns}):
            types = self.columns.get(name, "nothing"), found.columns.get(name, "nothing")
            if types[0] != types[1]:
                notes.differ(f"{where}/{name}, type", *types)
                tiers.append(Tier.DIFFERENT)
        if self.rows != found.rows:
            notes.differ(f"{where}, entries", self.rows, found.rows)
            tiers.append(Tier.DIFFERENT)
        shared = []
        for name, kind in self.columns.items():
            if rules.ignored(f"{where}/{name}"):
                notes.remark(f"not compared, as declared: {where}/{name}")
                tiers.append(Tier.TOLERANCE)
            elif found.columns.get(name) == kind:
                shared.append(name)
        if self.rows == found.rows:
            tiers.append(self._of_rows(found, shared, where, rules, notes))
        return worst(tiers)

    def _of_rows(self, found: Table, names: Sequence[str], where: str, rules: Rules, notes: Notes) -> Tier:
        step = max(self.step, found.step)
        if all(self._in_order(found, name, step) for name in names):
            return Tier.CONTENT
        # Two sums of keyed hashes; the keys are drawn anew, so that no file can be prepared for them.
        keys = (secrets.randbits(64), secrets.randbits(64))
        if self._sums(names, keys) == found._sums(names, keys):
            return Tier.UNORDERED
        inner = Notes()
        tier = worst([self._column(found, name, f"{where}/{name}", rules, inner) for name in names])
        if not tier.agrees and self._agrees_paired(found, names, where, rules):
            notes.remark(f"{where}: rows in another order, the same within the declared tolerances")
            return Tier.TOLERANCE
        notes.take(inner)
        return tier

    def _in_order(self, found: Table, name: str, step: int) -> bool:
        for start, stop in self._pieces(step):
            rows = np.arange(stop - start, dtype=np.int64)
            sides = (
                _leaves(_layout(side.read(name, start, stop)), rows, exact=False) for side in (self, found)
            )
            for a, b in zip(*sides, strict=True):
                if a.values.shape != b.values.shape or not equal(a.values, b.values).all():
                    return False
        return True

    def _agrees_paired(self, found: Table, names: Sequence[str], where: str, rules: Rules) -> bool:
        """Tell whether rows in another order are the same within tolerances.

        They are paired by the columns of whole numbers and those that have none, and where these leave a
        choice by the others, in ascending order.
        """
        loose = [
            name for name in names if _is_loose(rules.at(f"{where}/{name}")) and not self._is_whole(name)
        ]
        exact = [name for name in names if name not in loose]
        if not loose or not exact or self.rows > _MOST_PAIRED:
            return False
        key = secrets.randbits(64)
        ours, theirs = (side._sorted_by(exact, loose, key) for side in (self, found))
        if not np.array_equal(ours.hashes, theirs.hashes):
            return False
        return all(
            _column(
                self.read(name, 0, self.rows)[ours.order],
                found.read(name, 0, self.rows)[theirs.order],
                name,
                0,
                rule=rules.at(f"{where}/{name}"),
                notes=Notes(),
            ).agrees
            for name in loose
        )

    def _is_whole(self, name: str) -> bool:
        layout = _layout(self.read(name, 0, min(1, self.rows)))
        return bool(layout.is_numpy) and np.asarray(layout.data).dtype.kind in "iub"

    def _sorted_by(self, exact: Sequence[str], loose: Sequence[str], key: int) -> _Sorted:
        hashes = np.zeros(self.rows, np.uint64)
        for start, stop in self._pieces(self.step):
            for index, name in enumerate(exact):
                layout = _layout(self.read(name, start, stop))
                hashes[start:stop] += _mixed(_hashes(layout, _derived(key, index)), key)
        plain = (_layout(self.read(name, 0, self.rows)) for name in loose)
        values = [np.asarray(layout.data) for layout in plain if layout.is_numpy]
        order = np.lexsort((*(column for column in values if column.ndim == 1), hashes))
        return _Sorted(order, hashes[order])

    def _column(self, found: Table, name: str, place: str, rules: Rules, notes: Notes) -> Tier:
        rule = rules.at(place)
        return worst(
            [
                _column(
                    self.read(name, *piece), found.read(name, *piece), place, piece[0], rule=rule, notes=notes
                )
                for piece in self._pieces(max(self.step, found.step))
            ]
        )

    def _pieces(self, step: int) -> Iterator[tuple[int, int]]:
        for start in range(0, self.rows, step):
            yield start, min(self.rows, start + step)

    def _sums(self, names: Sequence[str], keys: Sequence[int]) -> list[int]:
        sums = [0 for _ in keys]
        for start, stop in self._pieces(self.step):
            rows = [np.zeros(stop - start, np.uint64) for _ in keys]
            for index, name in enumerate(names):
                layout = _layout(self.read(name, start, stop))
                for row, key in zip(rows, keys, strict=True):
                    np.add(row, _mixed(_hashes(layout, _derived(key, index)), key), out=row)
            for lane, (row, key) in enumerate(zip(rows, keys, strict=True)):
                sums[lane] = (sums[lane] + int(_mixed(row, key).sum(dtype=np.uint64))) & _MASK
        return sums


@dataclass(frozen=True)
class _Sorted:
    """Rows by the hashes of some of their columns."""

    order: np.ndarray[Any, np.dtype[np.int64]]
    hashes: _Words


def _is_loose(rule: Tolerance | None) -> bool:
    return rule is not None and (rule.relative is not None or rule.absolute is not None)


@dataclass(frozen=True)
class _Leaf:
    """Plain values of a column, and the row that each belongs to."""

    values: np.ndarray[Any, Any]
    rows: np.ndarray[Any, np.dtype[np.int64]]
    exact: bool
    """Whether they are lengths of lists, text or the like, so that no tolerance makes sense."""


def _column(ours: Any, theirs: Any, place: str, start: int, *, rule: Tolerance | None, notes: Notes) -> Tier:
    tier = Tier.CONTENT
    a_layout, b_layout = _layout(ours), _layout(theirs)
    rows = np.arange(a_layout.length, dtype=np.int64)
    for a, b in zip(_leaves(a_layout, rows, exact=False), _leaves(b_layout, rows, exact=False), strict=False):
        if a.values.shape != b.values.shape or a.values.dtype != b.values.dtype:
            raise UnreadableError(f"{place} has parts of different types")
        unequal = ~equal(a.values, b.values)
        if not unequal.any():
            continue
        close = unequal & near(None if a.exact else rule, a.values, b.values)
        far = unequal & ~close
        for mask, note, count in (
            (far, notes.differ, notes.uncounted),
            (close, notes.tolerate, lambda number: notes.uncounted(0, number)),
        ):
            entries = np.unique(a.rows[mask])
            for entry in entries[:MOST_DIFFERENCES].tolist():
                note(f"{place}, entry {start + entry}", _shown(ours, entry), _shown(theirs, entry))
            count(max(0, len(entries) - MOST_DIFFERENCES))
        if far.any():
            tier = Tier.DIFFERENT
            if a.exact:
                break  # what follows belongs to other lists
        elif tier is Tier.CONTENT:
            tier = Tier.TOLERANCE
    return tier


def _shown(column: Any, entry: int) -> str:
    value = column[entry]
    return shown(ak.to_list(value) if isinstance(value, (ak.Array, ak.Record)) else _item(value))


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _layout(column: Any) -> Any:
    return ak.to_layout(column)


def _leaves(layout: Any, rows: np.ndarray[Any, np.dtype[np.int64]], *, exact: bool) -> Iterator[_Leaf]:
    """Give the lengths and values of a column from the outside to the inside."""
    if layout.is_numpy:
        data = np.asarray(layout.data)
        if data.ndim > 1:
            rows = np.repeat(rows, int(np.prod(data.shape[1:])))
            data = data.reshape(-1)
        yield _Leaf(data, rows, exact)
    elif layout.is_list:
        content, counts = _listed(layout)
        yield _Leaf(counts, rows, exact=True)
        text = layout.parameter("__array__") in {"string", "bytestring"}
        yield from _leaves(content, np.repeat(rows, counts), exact=exact or text)
    elif layout.is_record:
        for inner in layout.contents:
            yield from _leaves(inner[: layout.length], rows, exact=exact)
    elif layout.is_option:
        there = np.asarray(layout.mask_as_bool(valid_when=True))
        yield _Leaf(there, rows, exact=True)
        yield from _leaves(layout.project(), rows[there], exact=exact)
    elif layout.is_indexed:
        yield from _leaves(layout.project(), rows, exact=exact)
    elif not layout.is_unknown:
        raise UnreadableError(f"a column of type {layout.form.type}")


def _listed(layout: Any) -> tuple[Any, np.ndarray[Any, np.dtype[np.int64]]]:
    """Return the content of lists one after the other, and how long each is."""
    regular = layout.to_ListOffsetArray64(True)
    offsets = np.asarray(regular.offsets.data, dtype=np.int64)
    return regular.content[: int(offsets[-1])], np.diff(offsets)


def _derived(key: int, index: int) -> int:
    return (key + (index + 1) * 0x9E3779B97F4A7C15) & _MASK


def _mixed(words: _Words, key: int) -> _Words:
    """Return words mixed with a key, by two rounds of multiply and shift; see Steele, Lea, Flood (2014)."""
    mixed = words ^ np.uint64(key)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _hashes(layout: Any, key: int) -> _Words:
    """Return a hash of each row of a column."""
    if layout.is_numpy:
        return _of_numbers(np.asarray(layout.data), key)
    if layout.is_list:
        content, counts = _listed(layout)
        ends = np.cumsum(counts)
        position = np.arange(int(ends[-1]) if len(ends) else 0, dtype=np.uint64)
        position -= np.repeat((ends - counts).astype(np.uint64), counts)
        inner = _mixed(_hashes(content, _derived(key, 1)) + position * np.uint64(0x9E3779B97F4A7C15 | 1), key)
        return _mixed(_summed(inner, counts) + _mixed(counts.astype(np.uint64), _derived(key, 2)), key)
    if layout.is_record:
        total = np.zeros(layout.length, np.uint64)
        for index, inner in enumerate(layout.contents):
            total += _mixed(_hashes(inner[: layout.length], _derived(key, index)), key)
        return total
    if layout.is_option:
        there = np.asarray(layout.mask_as_bool(valid_when=True))
        hashed = np.full(layout.length, _derived(key, 3), np.uint64)
        hashed[there] = _hashes(layout.project(), key)
        return hashed
    if layout.is_indexed:
        return _hashes(layout.project(), key)
    return np.zeros(layout.length, np.uint64)


def _of_numbers(data: np.ndarray[Any, Any], key: int) -> _Words:
    if data.ndim > 1:
        width = int(np.prod(data.shape[1:]))
        flat = data.reshape(len(data), width)
        total = np.zeros(len(data), np.uint64)
        for index in range(width):
            total += _mixed(_of_numbers(flat[:, index], _derived(key, index)), key)
        return total
    if data.dtype.kind == "c":
        real, imaginary = _of_numbers(data.real, key), _of_numbers(data.imag, _derived(key, 1))
        return _mixed(real, key) + imaginary
    if data.dtype.kind == "f":
        # Equal numbers need equal bits: no negative zero, one NaN; 32 bits convert exactly.
        wide = data.astype(np.float64) + 0.0
        wide[np.isnan(wide)] = np.nan
        return _mixed(wide.view(np.uint64), key)
    if data.dtype.kind in "mM":
        return _mixed(data.view(np.uint64), key)
    return _mixed(data.astype(np.uint64), key)


def _summed(words: _Words, counts: np.ndarray[Any, np.dtype[np.int64]]) -> _Words:
    """Return the sums of consecutive groups of words."""
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(words, dtype=np.uint64)])
    ends = np.cumsum(counts)
    return sums[ends] - sums[ends - counts]  # type: ignore[no-any-return]
