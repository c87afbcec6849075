"""Pseudo-data: events taken one by one with the probability that an experiment would have recorded them."""

import zlib
from dataclasses import dataclass

import numpy as np

from dilepton import selection
from dilepton.filling import CHUNK, EFFICIENCY, WEIGHT
from dilepton.ntuple import NtupleError, Sample
from dilepton.regions import Analysis

Counts = dict[str, np.ndarray]


@dataclass(frozen=True)
class Drawn:
    """Events drawn from one sample: counts by region, shape (bins + 2,), and the largest probability."""

    counts: Counts
    largest_probability: dict[str, float]


def draw(
    analysis: Analysis,
    sample: Sample,
    luminosity: float,
    seed: int,
    strength: float = 1.0,
    *,
    chunk: int = CHUNK,
) -> Drawn:
    """Take each event with probability p: its expected events at `luminosity` (fb⁻¹) over the prescale.

    Where p exceeds 1 an event is taken that many times on average, and counts fluctuate more than data
    would. The random numbers depend on the seed, the sample's name and the event's place alone. `strength`
    scales p.

    Raises:
        NtupleError: a branch is missing, or a weight is no number or negative.
    """
    needed = {b for region in analysis.regions for b in selection.branches(region)}
    sample.require((b, f"region '{r.name}'") for r in analysis.regions for b in selection.branches(r))
    sample.require((b, "pseudo-data") for b in (WEIGHT, EFFICIENCY))
    scale = sample.expected_per_weight(luminosity) * strength
    generator = np.random.default_rng([seed, zlib.crc32(sample.metadata.sample.encode())])
    counts = {r.name: np.zeros(r.observable.bins + 2, dtype=int) for r in analysis.regions}
    largest = {r.name: 0.0 for r in analysis.regions}
    for events in sample.chunks([*needed, WEIGHT, EFFICIENCY], chunk):
        sample.check_finite(events, (WEIGHT, EFFICIENCY))
        expected = scale * events[WEIGHT] * events[EFFICIENCY]
        uniform = generator.random(len(expected))
        if (expected < 0).any():
            raise NtupleError(
                f"'{sample.path}': expected events that can be data, found {int((expected < 0).sum())} with "
                "a negative weight; make pseudo-data from a sample without negative weights"
            )
        for region in analysis.regions:
            selected = selection.passing(region, events)
            probability = expected[selected] / region.prescale
            taken = np.floor(probability).astype(int) + (uniform[selected] < probability % 1)
            numbers = selection.bin_numbers(region, events[region.observable.branch][selected])
            np.add.at(counts[region.name], numbers, taken)
            if len(probability):
                largest[region.name] = max(largest[region.name], float(probability.max()))
    return Drawn(counts, largest)


def total(analysis: Analysis, drawn: list[Drawn]) -> Drawn:
    """Sum what was drawn from several samples."""
    regions = [r.name for r in analysis.regions]
    return Drawn(
        {name: np.sum([d.counts[name] for d in drawn], axis=0) for name in regions},
        {name: max(d.largest_probability[name] for d in drawn) for name in regions},
    )
