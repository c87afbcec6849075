"""Text as lines of words and numbers: tables, logs, and formats that are written line by line."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from relance.compare.model import Notes, Part, Rules, Tier, within, worst
from relance.compare.multiset import Multiset, new_key

_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,6})?|[-+]?(?:nan|inf|infinity)", re.I)
_EXACT_DIGITS = 15

Record = Sequence[str]


@dataclass(frozen=True)
class Records:
    """Records of words, in an order that may count or not. A number is one however it is written."""

    read: Callable[[], Iterator[Record]]
    unit: str = "line"
    """What a record is called."""
    columns: tuple[str, ...] = ()
    """Names of the words of a record, if they have some."""
    movable: bool = False
    """Whether the order of records never counts."""

    def compare(self, found: Part, where: str, rules: Rules, notes: Notes) -> Tier:
        """Compare record by record, then as collections if their order doesn't count; see `Part.compare`."""
        if not isinstance(found, Records):
            notes.differ(where, f"{self.unit}s", "something else")
            return Tier.DIFFERENT
        inner = Notes()
        tier = self._in_order(found, where, rules, inner)
        if not tier.agrees and (self.movable or rules.unordered(where)):
            key = new_key()
            if _collection(self.read(), key) == _collection(found.read(), key):
                return Tier.UNORDERED
        notes.take(inner)
        return tier

    def _in_order(self, found: Records, where: str, rules: Rules, notes: Notes) -> Tier:
        tiers: set[Tier] = set()
        place = f"{where}, {self.unit}" if where else self.unit
        pairs = itertools.zip_longest(self.read(), found.read(), fillvalue=None)
        for number, (a, b) in enumerate(pairs, 1):
            if a == b:
                continue
            if a is None or b is None or len(a) != len(b):
                notes.differ(f"{place} {number}", _joined(a), _joined(b))
                tiers.add(Tier.DIFFERENT)
                continue
            for index, (x, y) in enumerate(zip(a, b, strict=True)):
                if x != y:
                    tiers.add(self._word(f"{place} {number}", index, x, y, rules=rules, notes=notes))
        return worst([*tiers])

    def _word(self, place: str, index: int, x: str, y: str, *, rules: Rules, notes: Notes) -> Tier:
        name = self.columns[index] if index < len(self.columns) else str(index + 1)
        rule = rules.at(name)
        column = f"{place}, column {name}"
        if rule is not None and rule.ignored:
            notes.remark(f"not compared, as declared: column {name}")
            return Tier.TOLERANCE
        if _NUMBER.fullmatch(x) and _NUMBER.fullmatch(y):
            if canonical(x) == canonical(y):
                return Tier.CONTENT
            if within(rule, float(x), float(y)):
                notes.tolerate(column, x, y)
                return Tier.TOLERANCE
        notes.differ(column, x, y)
        return Tier.DIFFERENT


def is_number(word: str) -> bool:
    """Return whether a word is a number."""
    return _NUMBER.fullmatch(word) is not None


def canonical(word: str) -> str:
    """Return a word; a number as Python writes it, so that `1`, `1.0` and `1e0` are the same."""
    if not _NUMBER.fullmatch(word):
        return word
    if len(word) > _EXACT_DIGITS and word.lstrip("+-").isdigit():
        return f"{'-' * word.startswith('-')}{word.lstrip('+-').lstrip('0')}"
    number = float(word)
    return word if math.isinf(number) else repr(number + 0.0)  # no negative zero


def _collection(records: Iterator[Record], key: bytes) -> Multiset:
    found = Multiset(key)
    for record in records:
        found.add("\0".join(map(canonical, record)).encode("utf-8", "surrogateescape"))
    return found


def _joined(record: Record | None) -> str:
    return "nothing" if record is None else " ".join(record)
