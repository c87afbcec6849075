"""Histograms of one sample in all regions and variations, in one pass over its events."""

import fnmatch
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import boost_histogram as bh
import numpy as np

from dilepton import selection
from dilepton.ntuple import Columns, NtupleError, Sample
from dilepton.regions import (
    Analysis,
    GeneratorSystematic,
    Region,
    ShapeSystematic,
    Systematic,
    WeightSystematic,
)

NOMINAL = "nominal"
WEIGHT = "weight"
EFFICIENCY = "efficiency"
CHUNK = 100_000


@dataclass(frozen=True)
class Variation:
    """One way to read the events: branches with `suffix`, weighted by the product of `weights`.

    `renormalised` is the factor that keeps the cross-section where only the acceptance varies.
    """

    name: str
    suffix: str
    weights: tuple[str, ...]
    renormalised: float
    needed_by: str


@dataclass(frozen=True)
class Reading:
    """All variations of a sample, the nominal one first, and what was left out of it."""

    variations: tuple[Variation, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Yields:
    """Expected events and their variances in one region, shape (bins + 2,): underflow, bins, overflow."""

    region: str
    variation: str
    values: np.ndarray
    variances: np.ndarray


def name_of(systematic: str, variation: str) -> str:
    """Name of a variation's histograms: `electron_scale__up`, `signal_scale__muR_2`."""
    return f"{systematic}__{variation}"


def reading(analysis: Analysis, sample: Sample) -> Reading:
    """Decide which variations a sample is read with.

    Raises:
        NtupleError: a variation that regions.yaml refuses to do without is missing.
    """
    process = analysis.process_of(sample.metadata.sample).name
    found = [Variation(NOMINAL, "", (WEIGHT, EFFICIENCY), 1.0, "the nominal histogram")]
    warnings: list[str] = []
    kinematic = {b for region in analysis.regions for b in selection.branches(region)}
    for systematic in analysis.systematics:
        if process not in getattr(systematic, "processes", frozenset()):
            continue
        found += _variations(systematic, sample, kinematic)
        for sought in _missing(systematic, sample, kinematic):
            warnings.append(_without(systematic, sample, sought))
    return Reading(tuple(found), tuple(warnings))


def _variations(systematic: Systematic, sample: Sample, kinematic: Iterable[str]) -> Iterator[Variation]:
    label = f"systematic '{systematic.name}'"
    if _missing(systematic, sample, kinematic) and not isinstance(systematic, GeneratorSystematic):
        return
    if isinstance(systematic, ShapeSystematic):
        for direction, suffix in (("up", systematic.up), ("down", systematic.down)):
            name = name_of(systematic.name, direction)
            yield Variation(name, suffix, (WEIGHT, EFFICIENCY), 1.0, label)
    elif isinstance(systematic, WeightSystematic):
        for direction, branch in (("up", systematic.up), ("down", systematic.down)):
            weights = tuple(branch if w == systematic.replaces else w for w in (WEIGHT, EFFICIENCY))
            if branch not in weights:
                weights = (*weights, branch)
            yield Variation(name_of(systematic.name, direction), "", weights, 1.0, label)
    elif isinstance(systematic, GeneratorSystematic):
        for name in _matching(systematic.variations, sample):
            factor = _kept_cross_section(systematic, sample, name) if systematic.acceptance_only else 1.0
            yield Variation(name_of(systematic.name, name), "", (f"weight_{name}", EFFICIENCY), factor, label)


def _matching(patterns: Iterable[str], sample: Sample) -> list[str]:
    weights = sorted(b.removeprefix("weight_") for b in sample.branches if b.startswith("weight_"))
    return [name for name in weights if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def _kept_cross_section(systematic: GeneratorSystematic, sample: Sample, name: str) -> float:
    total = sample.metadata.variation_sums.get(name, math.nan)
    if not math.isfinite(total) or total == 0:
        raise NtupleError(
            f"'{sample.path}': systematic '{systematic.name}' varies the acceptance alone and needs the "
            f"sum of the weights '{name}' of all generated events, found {total} in variation_sums; make the "
            "ntuple again"
        )
    return sample.metadata.sum_of_weights / total


def _missing(systematic: Systematic, sample: Sample, kinematic: Iterable[str]) -> list[str]:
    """Give what of a systematic the sample lacks, as a reader of the message would look for it."""
    if isinstance(systematic, ShapeSystematic):
        suffixes = (systematic.up, systematic.down)
        return [f"*{s}" for s in suffixes if not any(b + s in sample.branches for b in kinematic)]
    if isinstance(systematic, WeightSystematic):
        return [branch for branch in (systematic.up, systematic.down) if branch not in sample.branches]
    if isinstance(systematic, GeneratorSystematic):
        return [f"weight_{p}" for p in systematic.variations if not _matching([p], sample)]
    return []


def _without(systematic: Systematic, sample: Sample, sought: str) -> str:
    subject = f"sample '{sample.metadata.sample}' has no branch '{sought}' for systematic '{systematic.name}'"
    if systematic.refuse_missing:
        raise NtupleError(
            f"'{sample.path}': {subject}; make the ntuple again with it, or declare 'missing: nominal'"
        )
    return f"{subject}: its nominal yields are used"


def branches(analysis: Analysis, sample: Sample, read: Reading) -> list[str]:
    """Give all branches that a reading needs, sorted.

    Raises:
        NtupleError: one is missing; the message names it and the region or systematic that needs it.
    """
    needs = [(b, f"region '{r.name}'") for r in analysis.regions for b in selection.branches(r)]
    needs += [(w, v.needed_by) for v in read.variations for w in v.weights]
    sample.require(needs)
    kinematic = {b for region in analysis.regions for b in selection.branches(region)}
    suffixed = {b + v.suffix for v in read.variations for b in kinematic} & sample.branches
    return sorted({b for b, _ in needs} | suffixed)


def fill(
    analysis: Analysis, sample: Sample, read: Reading, luminosity: float, chunk: int = CHUNK
) -> list[Yields]:
    """Fill every region with every variation, at `luminosity` (fb⁻¹) over the region's prescale.

    The events are selected and binned once for each kinematic variation; weight variations share that.

    Raises:
        NtupleError: a branch is missing, or a weight is no number.
    """
    needed = branches(analysis, sample, read)
    weights = sorted({w for v in read.variations for w in v.weights})
    axis = _Axis(analysis.regions)
    filled = {v.name: axis.empty() for v in read.variations}
    for events in sample.chunks(needed, chunk):
        sample.check_finite(events, weights)
        products = {v.weights: np.prod([events[w] for w in v.weights], axis=0) for v in read.variations}
        for suffix in sorted({v.suffix for v in read.variations}):
            rows, numbers = axis.digitised(varied(events, suffix))
            for variation in read.variations:
                if variation.suffix == suffix:
                    filled[variation.name].fill(numbers, weight=products[variation.weights][rows])
    scale = sample.expected_per_weight(luminosity)
    return [
        axis.yields(number, region, variation.name, filled[variation.name], scale * variation.renormalised)
        for number, region in enumerate(analysis.regions)
        for variation in read.variations
    ]


def varied(events: Columns, suffix: str) -> Columns:
    """Return the events with every branch that has a twin with `suffix` replaced by it."""
    if not suffix:
        return events
    return {branch: events.get(branch + suffix, values) for branch, values in events.items()}


class _Axis:
    """The bins of all regions, flow bins too, laid one after the other."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = regions
        self._starts = np.cumsum([0, *(r.observable.bins + 2 for r in regions)])

    def empty(self) -> bh.Histogram:
        bins = bh.axis.Integer(0, int(self._starts[-1]), underflow=False, overflow=False)
        return bh.Histogram(bins, storage=bh.storage.Weight())

    def digitised(self, events: Columns) -> tuple[np.ndarray, np.ndarray]:
        """Row and bin of each selected event, once for each region that selects it."""
        rows, numbers = [], []
        for start, region in zip(self._starts, self._regions, strict=False):
            selected = selection.passing(region, events)
            values = events[region.observable.branch][selected]
            rows.append(selected)
            numbers.append(selection.bin_numbers(region, values) + start)
        return np.concatenate(rows), np.concatenate(numbers)

    def yields(
        self, number: int, region: Region, variation: str, filled: bh.Histogram, scale: float
    ) -> Yields:
        view = filled.view()[self._starts[number] : self._starts[number + 1]]
        factor = scale / region.prescale
        return Yields(region.name, variation, view.value * factor, view.variance * factor**2)
