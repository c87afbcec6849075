"""Quantities with units, as people write them in a configuration: `2 TeV`, `36.1 fb^-1`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from dilepton.errors import AnalysisError


@dataclass(frozen=True)
class Unit:
    """A unit and its size in the base unit of its dimension (GeV, pb, pb⁻¹)."""

    dimension: str
    size: float


UNITS = {
    "eV": Unit("energy", 1e-9),
    "keV": Unit("energy", 1e-6),
    "MeV": Unit("energy", 1e-3),
    "GeV": Unit("energy", 1.0),
    "TeV": Unit("energy", 1e3),
    "ab": Unit("cross-section", 1e-6),
    "fb": Unit("cross-section", 1e-3),
    "pb": Unit("cross-section", 1.0),
    "nb": Unit("cross-section", 1e3),
    "ub": Unit("cross-section", 1e6),
    "mb": Unit("cross-section", 1e9),
    "ab^-1": Unit("luminosity", 1e6),
    "fb^-1": Unit("luminosity", 1e3),
    "pb^-1": Unit("luminosity", 1.0),
    "nb^-1": Unit("luminosity", 1e-3),
}
_QUANTITY = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(\S*)\s*")


class UnitError(AnalysisError):
    """A text that is no quantity of the wanted dimension."""


def parse(text: str, unit: str) -> float:
    """Read a quantity and give its value in `unit`; a bare number is in `unit` already.

    Raises:
        UnitError: no number, an unknown unit, or one of another dimension.
    """
    wanted = UNITS[unit]
    match = _QUANTITY.fullmatch(text)
    value = _number(match[1]) if match else math.nan
    if match is None or math.isnan(value):
        raise UnitError(f"expected a quantity in {unit}, such as '1 {unit}', found '{text}'")
    if not match[2]:
        return value
    given = UNITS.get(_plain(match[2]))
    if given is None or given.dimension != wanted.dimension:
        known = ", ".join(name for name, known in UNITS.items() if known.dimension == wanted.dimension)
        raise UnitError(f"expected a unit of {wanted.dimension} ({known}), found '{match[2]}' in '{text}'")
    return value * given.size / wanted.size


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _plain(unit: str) -> str:
    return unit.replace("⁻¹", "^-1").replace("µ", "u").replace("μ", "u").replace("**-1", "^-1")
