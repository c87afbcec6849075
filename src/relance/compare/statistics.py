"""χ² between two histograms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = 10_000
_PRECISION = 1e-15


@dataclass(frozen=True)
class ChiSquare:
    """How two histograms differ, by their uncertainties."""

    value: float
    bins: int
    """Bins that have an uncertainty: the degrees of freedom, since nothing is normalised or fitted."""
    p_value: float
    """Probability of a χ² at least as large if both are drawn from the same expectation."""


def chi_square(
    expected: Sequence[float],
    expected_variances: Sequence[float],
    found: Sequence[float],
    found_variances: Sequence[float],
) -> ChiSquare:
    """Return Σ (a − b)² / (σa² + σb²) over the bins, and its p-value.

    The two are taken as independent and normal in every bin; nothing is rescaled, for a rerun has the same
    luminosity. A rerun that shares random numbers with the first makes the p-value larger than it says.
    Where a bin has no uncertainty in either and differs, the p-value is 0. Without common normalisation it is
    the test statistic of N. D. Gagunashvili, arXiv:physics/0605123, section 2, for weighted histograms.
    """
    total, bins = 0.0, 0
    for a, variance_a, b, variance_b in zip(
        expected, expected_variances, found, found_variances, strict=True
    ):
        variance = variance_a + variance_b
        if variance > 0.0 and math.isfinite(variance):
            total += (a - b) ** 2 / variance
            bins += 1
        elif a != b:
            return ChiSquare(math.inf, bins, 0.0)
    if math.isnan(total):
        return ChiSquare(total, bins, 0.0)
    return ChiSquare(total, bins, survival(total, bins))


def survival(value: float, freedom: int) -> float:
    """Return the probability that a χ² of so many degrees of freedom exceeds a value.

    It is the regularised upper incomplete gamma function Q(freedom/2, value/2), by its power series below
    the mean and its continued fraction (in Lentz's order) above; DLMF 8.7.1 and 8.9.2.
    """
    if freedom == 0 or value <= 0.0:
        return 1.0
    if math.isinf(value):
        return 0.0
    shape, x = freedom / 2.0, value / 2.0
    log_front = shape * math.log(x) - x - math.lgamma(shape)
    if x < shape + 1.0:
        term = total = 1.0 / shape
        for step in range(1, _STEPS):
            term *= x / (shape + step)
            total += term
            if term < total * _PRECISION:
                break
        return min(1.0, max(0.0, 1.0 - total * math.exp(log_front)))
    tiny = 1e-300
    b = x + 1.0 - shape
    c, d = 1.0 / tiny, 1.0 / b
    fraction = d
    for step in range(1, _STEPS):
        a = -step * (step - shape)
        b += 2.0
        d = 1.0 / (a * d + b or tiny)
        c = b + a / c or tiny
        fraction *= d * c
        if abs(d * c - 1.0) < _PRECISION:
            break
    return min(1.0, math.exp(log_front) * fraction)
