"""What comes of comparing a product with its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from relance.specification import patterns
from relance.specification.model import Tolerance


class Tier(StrEnum):
    """How far two files are the same, the best first."""

    BYTES = "bytes"
    """Bit for bit."""
    CONTENT = "content"
    """The same content, though times, compression or layout differ."""
    UNORDERED = "unordered"
    """The same rows, in another order."""
    TOLERANCE = "tolerance"
    """Within what the analysis declares."""
    RESULT = "result"
    """Different, but the results of the analysis agree."""
    UNDECIDED = "undecided"
    """Other bytes; a library that could tell more is missing."""
    DIFFERENT = "different"
    OTHER_KIND = "other kind"
    """Not even the same kind of file."""
    UNREADABLE = "unreadable"
    """Broken, or nothing that can be read."""
    MISSING = "missing"
    EXTRA = "extra"
    """There, and not expected."""

    @property
    def rank(self) -> int:
        """Return its place, 0 for the best."""
        return list(Tier).index(self)

    @property
    def agrees(self) -> bool:
        """Return whether such files count as the same."""
        return self.rank <= Tier.RESULT.rank


def worst(tiers: Sequence[Tier]) -> Tier:
    """Return the worst of some tiers; that of no tier is `content`."""
    return max(tiers, key=lambda tier: tier.rank, default=Tier.CONTENT)


@dataclass(frozen=True)
class Difference:
    """One place where two files differ."""

    where: str
    """Such as `tree events, branch pt, entry 12` or a JSON pointer."""
    expected: str
    found: str


@dataclass(frozen=True)
class Comparison:
    """A product beside its reference."""

    path: str
    kind: str
    """`root`, `json`, …; `bytes` if nothing more is known of it."""
    tier: Tier
    differences: tuple[Difference, ...] = ()
    """The first ones."""
    more: int = 0
    """How many more were seen; counted in the units in which that kind of file differs."""
    remarks: tuple[str, ...] = ()
    """Such as χ² and p-value, or what is missing."""


class UnreadableError(Exception):
    """A file isn't what it seems; says why in a few words."""


class LibraryMissingError(Exception):
    """A file can only be read with a library that isn't installed."""


MOST_DIFFERENCES = 10
_MOST_TEXT = 120
_MOST_REMARKS = 20


@dataclass
class Notes:
    """Gathers what is seen while two files are compared; keeps the first differences, counts the others."""

    differing: list[Difference] = field(default_factory=list)
    tolerated: list[Difference] = field(default_factory=list)
    differing_count: int = 0
    tolerated_count: int = 0
    remarks: list[str] = field(default_factory=list)

    def differ(self, where: str, expected: object, found: object) -> None:
        """Note a difference."""
        self.differing_count += 1
        if len(self.differing) < MOST_DIFFERENCES:
            self.differing.append(Difference(shortened(where, 300), shown(expected), shown(found)))

    def tolerate(self, where: str, expected: object, found: object) -> None:
        """Note a difference that is small enough."""
        self.tolerated_count += 1
        if len(self.tolerated) < MOST_DIFFERENCES:
            self.tolerated.append(Difference(shortened(where, 300), shown(expected), shown(found)))

    def uncounted(self, differing: int, tolerated: int = 0) -> None:
        """Note that many more differences without telling each."""
        self.differing_count += differing
        self.tolerated_count += tolerated

    def remark(self, text: str) -> None:
        """Note something that a reader should know."""
        if len(self.remarks) < _MOST_REMARKS and text not in self.remarks:
            self.remarks.append(text)

    def take(self, other: Notes) -> None:
        """Add what another has gathered."""
        room = MOST_DIFFERENCES - len(self.differing)
        self.differing += other.differing[:room]
        room = MOST_DIFFERENCES - len(self.tolerated)
        self.tolerated += other.tolerated[:room]
        self.differing_count += other.differing_count
        self.tolerated_count += other.tolerated_count
        for text in other.remarks:
            self.remark(text)


class Part(Protocol):
    """Something in a file that is compared as one: a tree, an array, a histogram, a text."""

    def compare(self, found: Part, where: str, rules: Rules, notes: Notes) -> Tier:
        """Return how far `found` is the same, noting where it isn't.

        Raises:
            UnreadableError: one of them is broken further on.
        """
        ...


class Rules:
    """The tolerances of one file; of several that fit a part the first counts."""

    def __init__(self, declared: Sequence[Tolerance] = ()) -> None:
        self._declared = tuple(declared)
        self._matching = tuple(
            None if rule.inside is None else patterns.matcher([rule.inside]) for rule in declared
        )
        self.at = lru_cache(maxsize=4096)(self._at)

    def _at(self, where: str) -> Tolerance | None:
        pairs = zip(self._declared, self._matching, strict=True)
        return next(
            (rule for rule, pattern in pairs if pattern is None or pattern.fullmatch(where)),
            None,
        )

    def ignored(self, where: str) -> bool:
        """Return whether a part isn't compared."""
        rule = self.at(where)
        return rule is not None and rule.ignored

    def unordered(self, where: str) -> bool:
        """Return whether the order of a part's items doesn't count."""
        rule = self.at(where)
        return rule is not None and rule.unordered


def within(rule: Tolerance | None, expected: float, found: float) -> bool:
    """Return whether two numbers differ by no more than a rule allows."""
    if rule is None or (rule.relative is None and rule.absolute is None):
        return False
    allowed = max((rule.relative or 0.0) * max(abs(expected), abs(found)), rule.absolute or 0.0)
    return abs(found - expected) <= allowed < float("inf")


def shown(value: object) -> str:
    """Return a value as a report shows it: short, on one line."""
    text = value if isinstance(value, str) else repr(value)
    return shortened(text, _MOST_TEXT)


def shortened(text: str, most: int) -> str:
    """Return a text with what a terminal must not get written out, cut where it is too long."""
    safe = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[: most + 1])
    return safe if len(safe) <= most else f"{safe[: most - 1]}…"
