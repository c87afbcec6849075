"""Which events a region selects, and into which of its bins they fall."""

from collections.abc import Iterator

import numpy as np

from dilepton.ntuple import Columns
from dilepton.regions import Region

CHANNEL = "channel"
CHARGE = "charge_product"


def branches(region: Region) -> Iterator[str]:
    """Give the branches that a region's selection and observable read."""
    if region.channel is not None:
        yield CHANNEL
    if region.charge_product is not None:
        yield CHARGE
    for cut in region.cuts:
        yield cut.branch
    yield region.observable.branch


def passing(region: Region, events: Columns) -> np.ndarray:
    """Row numbers of the selected events, shape (selected,)."""
    selected = np.ones(len(events[region.observable.branch]), dtype=bool)
    if region.channel is not None:
        selected &= events[CHANNEL] == region.channel
    if region.charge_product is not None:
        selected &= events[CHARGE] == region.charge_product
    for cut in region.cuts:
        if cut.low is not None:
            selected &= events[cut.branch] >= cut.low
        if cut.high is not None:
            selected &= events[cut.branch] < cut.high
    return np.flatnonzero(selected)


def bin_numbers(region: Region, values: np.ndarray) -> np.ndarray:
    """Bins of observed values: 0 is the underflow, 1 the first bin, bins + 1 the overflow (and NaN)."""
    observable = region.observable
    numbers = np.searchsorted(np.asarray(observable.edges), values, side="right")
    if observable.overflow_in_last_bin:
        numbers[(numbers > observable.bins) & np.isfinite(values)] = observable.bins
    return numbers
