"""Values as JSON has them, compared key by key."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from relance.compare.model import Notes, Part, Rules, Tier, within, worst

ABSENT = "nothing"


@dataclass(frozen=True)
class Tree:
    """A value of dicts, lists, numbers, text, booleans and None; its parts are named by JSON pointers."""

    value: Any

    def compare(self, found: Part, where: str, rules: Rules, notes: Notes) -> Tier:
        """Compare values; numbers by value, so that `1.0` is `1`; see `Part.compare`."""
        if not isinstance(found, Tree):
            notes.differ(where, "a value", "something else")
            return Tier.DIFFERENT
        tiers: set[Tier] = set()
        # A stack of its own, since a file may be nested deeper than Python may call.
        waiting: list[tuple[str, Any, Any]] = [(where, self.value, found.value)]
        while waiting:
            place, a, b = waiting.pop()
            if rules.ignored(place):
                notes.remark(f"not compared, as declared: {place}")
                tiers.add(Tier.TOLERANCE)
            elif isinstance(a, Mapping) and isinstance(b, Mapping):
                waiting += reversed([*_entries(place, a, b, notes, tiers)])
            elif isinstance(a, list) and isinstance(b, list):
                if rules.unordered(place) and sorted(_told(a)) == sorted(_told(b)):
                    tiers.add(Tier.CONTENT if _told(a) == _told(b) else Tier.UNORDERED)
                elif len(a) != len(b):
                    notes.differ(place or "/", f"{len(a)} items", f"{len(b)} items")
                    tiers.add(Tier.DIFFERENT)
                else:
                    pairs = zip(a, b, strict=True)
                    waiting += reversed([(f"{place}/{i}", x, y) for i, (x, y) in enumerate(pairs)])
            else:
                tiers.add(_leaf(place or "/", a, b, rules, notes))
        return worst([*tiers])


def _entries(
    place: str, a: Mapping[str, Any], b: Mapping[str, Any], notes: Notes, tiers: set[Tier]
) -> Iterator[tuple[str, Any, Any]]:
    for key in sorted({*a, *b}, key=str):
        inner = f"{place}/{str(key).replace('~', '~0').replace('/', '~1')}"
        if key in a and key in b:
            yield inner, a[key], b[key]
        else:
            notes.differ(inner, a.get(key, ABSENT), b.get(key, ABSENT))
            tiers.add(Tier.DIFFERENT)


def _leaf(place: str, a: Any, b: Any, rules: Rules, notes: Notes) -> Tier:
    if same(a, b):
        return Tier.CONTENT
    if _is_number(a) and _is_number(b) and _close(rules, place, a, b):
        notes.tolerate(place, a, b)
        return Tier.TOLERANCE
    notes.differ(place, a, b)
    return Tier.DIFFERENT


def _close(rules: Rules, place: str, a: float, b: float) -> bool:
    try:
        return within(rules.at(place), float(a), float(b))
    except OverflowError:
        return False


def same(a: Any, b: Any) -> bool:
    """Return whether two plain values are equal: numbers by value, NaN like NaN, `true` unlike 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    if _is_number(a) and _is_number(b):
        return bool(a == b)
    return type(a) is type(b) and bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _told(items: list[Any]) -> list[str]:
    return [json.dumps(_normal(item), sort_keys=True) for item in items]


def _normal(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _normal(item) for key, item in value.items()}
    return [_normal(item) for item in value] if isinstance(value, list) else value
