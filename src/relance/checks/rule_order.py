"""Which rules of a Snakefile come before which, as far as its text tells.

A rule comes before another if that reads what it makes, or reads what is made of it. Where the text leaves
open what a rule reads, any other may come before it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from relance.checks.expressions import UNKNOWN, Value
from relance.checks.snakefile import Rule, Snakefile

_CONSTRAINED = re.compile(r"\{\s*(?P<name>[A-Za-z_]\w*)\s*(?:,(?:[^{}]|\{[^{}]*\})*)?\}")
_HOLE = re.compile(rf"\{{[A-Za-z_]\w*\}}|{UNKNOWN}")
# Snakemake finds jobs by all three of them.
_MADE = ("output", "log", "benchmark")


def plain(text: str) -> str:
    """Return a path without what its wildcards are constrained to, and without what says nothing (`./`)."""
    bare = _CONSTRAINED.sub(lambda match: f"{{{match['name']}}}", text)
    return posixpath.normpath(bare) if bare else bare


def could_be(one: str, other: str) -> bool:
    """Return whether two paths can be the same, each wildcard and unknown piece being any text.

    Args:
        one: as `plain` gives it.
        other: likewise.
    """
    left, right = _HOLE.split(one), _HOLE.split(other)
    if len(left) == 1:
        return one == other if len(right) == 1 else _fills(one, right, other)
    if len(right) == 1:
        return _fills(other, left, one)
    # A wildcard may hold slashes: whatever stands between the first and the last fits into the other's.
    begins = left[0].startswith(right[0]) or right[0].startswith(left[0])
    return begins and (left[-1].endswith(right[-1]) or right[-1].endswith(left[-1]))


class Order:
    """The rules of a Snakefile in the order in which they must run, as far as it is known."""

    def __init__(self, rules: tuple[Rule, ...], *, whole: bool) -> None:
        """Find out which rules read what which others make; `whole` tells whether these are all rules."""
        self.rules = rules
        """Those of the Snakefile, in its order; what one takes over from another is in it."""
        self._before = cache(self._perhaps)
        self._products = _Products(rules)
        self._surely = cache(self._closed)
        self._direct: list[frozenset[int]] = []
        self._open: set[int] = set()
        for number, rule in enumerate(rules):
            inputs = rule.values("input")
            # Rules that weren't seen may stand between any two that were.
            if rule.derived or (inputs and not whole) or any(_open(value) for value in inputs):
                self._open.add(number)
            self._direct.append(frozenset().union(*map(self.makers, inputs)))

    def makers(self, value: Value) -> frozenset[int]:
        """Return the rules that may make what an input names, by their places in `rules`."""
        return self._products.makers(value)

    def before(self, rule: int) -> frozenset[int]:
        """Return the rules that come before one, or may do so, by their places in `rules`."""
        return self._before(rule)

    def _perhaps(self, rule: int) -> frozenset[int]:
        sure = self._surely(rule)
        if self._open.isdisjoint({rule, *sure}):
            return sure
        everyone = range(len(self.rules))
        return sure | {one for one in everyone if one != rule and rule not in self._surely(one)}

    def _closed(self, rule: int) -> frozenset[int]:
        """Return the rules of which the text says that they come before one."""
        found: set[int] = set()
        waiting = [rule]
        while waiting:
            new = self._direct[waiting.pop()] - found
            found |= new
            waiting += new
        return frozenset(found - {rule})


def of(snakefile: Snakefile) -> Order:
    """Return the order of a Snakefile's rules."""
    rules = tuple(_with_base(rule, snakefile.rules) for rule in snakefile.rules)
    return Order(rules, whole=snakefile.whole)


def _open(value: Value) -> bool:
    """Return whether a value may be anything."""
    return value.whose is None and not value.text.replace(UNKNOWN, "")


def _with_base(rule: Rule, rules: Iterable[Rule], depth: int = 10) -> Rule:
    """Return a rule with what it takes over; still `derived` if it isn't known from whom."""
    if not rule.derived or not depth:
        return rule
    base = next((one for one in rules if one.name == rule.base and one is not rule), None)
    if base is None:
        return rule
    whole = _with_base(base, rules, depth - 1)
    lines = {**whole.lines, **rule.lines}
    sections = {**whole.sections, **rule.sections}
    return replace(rule, sections=sections, lines=lines, runs=whole.runs, derived=whole.derived)


class _Products:
    """What rules make."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._named: dict[str, set[int]] = {}
        self._known: dict[str, set[int]] = {}
        self._patterns: list[_Product] = []
        self._found: dict[str, frozenset[int]] = {}
        for number, rule in enumerate(rules):
            self._named.setdefault(rule.name, set()).add(number)
            for text in _made(rule):
                if _HOLE.search(text):
                    self._patterns.append(_product(text, number))
                else:
                    self._known.setdefault(text, set()).add(number)

    def makers(self, value: Value) -> frozenset[int]:
        """Return the rules that may make what an input names."""
        if value.whose is not None:
            return frozenset(self._named.get(value.whose, ()))
        if _open(value):
            return frozenset()
        text = plain(value.text)
        if text not in self._found:
            self._found[text] = self._searched(text)
        return self._found[text]

    def _searched(self, text: str) -> frozenset[int]:
        wanted = _product(text, -1)
        offered = [one for one in self._patterns if one.begins_and_ends_like(wanted)]
        if wanted.pattern:
            known = (_product(one, number) for one, numbers in self._known.items() for number in numbers)
            offered += [one for one in known if one.begins_and_ends_like(wanted)]
        near = {one.rule for one in offered if _alike(one.text, text)} | self._known.get(text, set())
        # Most wildcards hold no slash: only where nobody else makes it, they are taken to.
        return frozenset(near or {one.rule for one in offered if could_be(one.text, text)})


@dataclass(frozen=True)
class _Product:
    """A path that a rule makes."""

    text: str
    rule: int
    begin: str
    """What is before its first wildcard."""
    end: str
    """What is after its last."""
    pattern: bool

    def begins_and_ends_like(self, other: _Product) -> bool:
        """Return whether it can be another at both ends; most can't, and this is quickly seen."""
        begins = self.begin.startswith(other.begin) or other.begin.startswith(self.begin)
        return begins and (self.end.endswith(other.end) or other.end.endswith(self.end))


def _product(text: str, rule: int) -> _Product:
    pieces = _HOLE.split(text)
    return _Product(text, rule, pieces[0], pieces[-1], len(pieces) > 1)


def _made(rule: Rule) -> Iterator[str]:
    for section in _MADE:
        for value in rule.values(section):
            yield plain(value.text)
            if "directory" in value.flags:
                yield f"{plain(value.text)}/{UNKNOWN}"


def _alike(one: str, other: str) -> bool:
    """Return whether two paths can be the same with wildcards that hold no slash."""
    left, right = one.split("/"), other.split("/")
    return len(left) == len(right) and all(map(could_be, left, right))


def _fills(literal: str, pieces: list[str], pattern: str) -> bool:
    """Return whether a path can be what a pattern stands for; in a time that the pattern can't drive up."""
    gaps = [int(hole != UNKNOWN) for hole in _HOLE.findall(pattern)]
    at, end = len(pieces[0]), len(literal) - len(pieces[-1])
    if not literal.startswith(pieces[0]) or not literal.endswith(pieces[-1]):
        return False
    for piece, gap in zip(pieces[1:-1], gaps[:-1], strict=True):
        found = literal.find(piece, at + gap, max(end, 0))
        if found < 0:
            return False
        at = found + len(piece)
    return at + gaps[-1] <= end
