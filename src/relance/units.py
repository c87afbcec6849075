"""Quantities as people write them, `2.5 TeV` or `36.1 fb^-1`, converted exactly.

Every unit here is a power of ten times another of its dimension, so that a conversion moves the decimal
point and nothing else: `2.5 TeV` is 2500.0 GeV to the last bit.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from relance.errors import InputError

_EXPONENTS = {
    "energy": {"eV": -9, "keV": -6, "MeV": -3, "GeV": 0, "TeV": 3, "PeV": 6},
    "cross-section": {"ab": -6, "fb": -3, "pb": 0, "nb": 3, "ub": 6, "mb": 9, "b": 12},
    "luminosity": {"ab^-1": 6, "fb^-1": 3, "pb^-1": 0, "nb^-1": -3, "ub^-1": -6},
    "length": {"fm": -15, "um": -6, "mm": -3, "cm": -2, "m": 0},
    "time": {"ps": -12, "ns": -9, "us": -6, "ms": -3, "s": 0},
    "number": {"1": 0, "%": -2},
}
_DIMENSIONS = {unit: name for name, units in _EXPONENTS.items() for unit in units}
_QUANTITY = re.compile(
    r"\s*([-+]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?)\s*(\S*)\s*"
)


def known(unit: str) -> bool:
    """Return whether numbers can be converted to and from a unit."""
    return unit in _DIMENSIONS


def same_dimension(one: str, other: str) -> bool:
    """Return whether two units, both of `names()`, measure the same kind of quantity."""
    return _DIMENSIONS[one] == _DIMENSIONS[other]


def names() -> tuple[str, ...]:
    """Return all units, as they are written."""
    return tuple(_DIMENSIONS)


def parse(text: str, unit: str, subject: str) -> float:
    """Return a quantity's value in `unit`, one of `names()`; a bare number is in that unit already.

    Raises:
        InputError: no number, a unit that isn't known or is of another dimension, or more than a double
            holds; `subject` begins the message.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise _refusal(subject, f"a quantity in {unit}", repr(text), f"write it like '1 {unit}'")
    written = match[2].replace("⁻¹", "^-1").replace("**-1", "^-1").replace("µ", "u").replace("μ", "u") or unit
    dimension = _DIMENSIONS[unit]
    if _DIMENSIONS.get(written) != dimension:
        others = ", ".join(_EXPONENTS[dimension])
        raise _refusal(
            subject, f"a unit of {dimension} ({others})", f"'{match[2]}' in '{text}'", "convert it"
        )
    exponents = _EXPONENTS[dimension]
    value = float(Decimal(match[1]).scaleb(exponents[written] - exponents[unit]))
    if not math.isfinite(value):
        raise _refusal(subject, "a finite number", repr(text), "correct it")
    return value


def _refusal(subject: str, expected: str, found: str, next_step: str) -> InputError:
    return InputError(subject, expected=expected, found=found, next_step=next_step)
