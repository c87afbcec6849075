"""Histograms and profiles with their uncertainties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relance.compare.model import MOST_DIFFERENCES, Notes, Part, Rules, Tier, shown, within, worst
from relance.compare.statistics import chi_square
from relance.compare.tree import Tree, same
from relance.specification.model import Tolerance


@dataclass(frozen=True)
class Histogram:
    """Contents and variances of all bins, under- and overflow included, in the histogram's unit."""

    contents: tuple[float, ...]
    variances: tuple[float, ...]
    """Of a profile: those of its means."""
    axes: tuple[tuple[float | str, ...], ...]
    """Edges or labels of each axis."""
    statistics: Tree
    """What else it keeps, such as the number of entries; it is no part of a χ²."""

    def compare(self, found: Part, where: str, rules: Rules, notes: Notes) -> Tier:
        """Compare bin by bin, then by χ² if that is declared; see `Part.compare`."""
        if not isinstance(found, Histogram):
            notes.differ(where, "a histogram", "something else")
            return Tier.DIFFERENT
        if self.axes != found.axes or len(self.contents) != len(found.contents):
            notes.differ(f"{where}, binning", _binning(self.axes), _binning(found.axes))
            return Tier.DIFFERENT
        rule = rules.at(where)
        inner = Notes()
        tier = worst(
            [
                _bins(self.contents, found.contents, f"{where}, bin", rule, inner),
                _bins(self.variances, found.variances, f"{where}, variance of bin", rule, inner),
                self.statistics.compare(found.statistics, where, rules, inner),
            ]
        )
        if tier is Tier.CONTENT:
            return tier
        result = chi_square(self.contents, self.variances, found.contents, found.variances)
        told = f"{where}: χ² = {result.value:.4g} in {result.bins} bins, p = {result.p_value:.3g}"
        declared = rule.p_value if rule is not None else None
        if not tier.agrees and declared is not None and result.p_value >= declared:
            notes.remark(f"{told}, at least {declared:g} as declared")
            notes.tolerated += inner.differing[: MOST_DIFFERENCES - len(notes.tolerated)]
            notes.tolerated_count += inner.differing_count + inner.tolerated_count
            return Tier.TOLERANCE
        notes.remark(told if declared is None else f"{told}, where {declared:g} is asked for")
        notes.take(inner)
        return tier


def _bins(a: Sequence[float], b: Sequence[float], what: str, rule: Tolerance | None, notes: Notes) -> Tier:
    tiers = {Tier.CONTENT}
    for index, (x, y) in enumerate(zip(a, b, strict=True)):
        if same(x, y):
            continue
        if within(rule, x, y):
            notes.tolerate(f"{what} {index}", x, y)
            tiers.add(Tier.TOLERANCE)
        else:
            notes.differ(f"{what} {index}", x, y)
            tiers.add(Tier.DIFFERENT)
    return worst([*tiers])


def _binning(axes: Sequence[Sequence[float | str]]) -> str:
    return shown(" × ".join(f"{len(axis)} [{', '.join(map(str, axis[:3]))}, …]" for axis in axes))
