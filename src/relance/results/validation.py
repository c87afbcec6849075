"""Results compared with those that a validation case declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relance.results.model import Bands, Result
from relance.specification.model import Case, Reference


@dataclass(frozen=True)
class Judged:
    """A result beside its reference; numbers in the result's unit."""

    name: str
    unit: str | None
    reference: Reference
    found: float | None
    """None if there is no number, or it is hidden."""
    agrees: bool


def judged(results: Mapping[str, Result], case: Case) -> tuple[Judged, ...]:
    """Compare what was found with what a case expects, in the case's order; of bands, their median."""
    return tuple(_judged(results[name], reference) for name, reference in case.expected.items())


def _judged(result: Result, reference: Reference) -> Judged:
    value = result.value.median if isinstance(result.value, Bands) else result.value
    number = value if isinstance(value, float) else None
    return Judged(
        result.name, result.unit, reference, number, number is not None and reference.agrees(number)
    )
