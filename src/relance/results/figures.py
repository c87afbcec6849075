"""Numbers as people read them: as many digits as say something, and the unit."""

from __future__ import annotations

import math

_DIGITS = 4
_UNCERTAINTY_DIGITS = 2
_MULTIPLES = ("B", "kB", "MB", "GB", "TB", "PB")


def figure(number: float | None, digits: int = _DIGITS) -> str:
    """Return a number with that many significant digits; `none` where there is none."""
    if number is None:
        return "none"
    if number == 0 or not math.isfinite(number):
        return f"{number:g}"
    rounded = f"{number:.{digits - 1}e}"
    exponent = int(rounded.rpartition("e")[2])
    if -5 < exponent < 7:
        rounded = f"{float(rounded):.{max(digits - 1 - exponent, 0)}f}"
    return rounded.replace("-", "−")


def quantity(
    number: float | None, unit: str | None, low: float | None = None, high: float | None = None
) -> str:
    """Return a number with its unit, and how far a band around it reaches if its ends are given."""
    text = figure(number)
    if number is not None and (low is not None or high is not None):
        up = "…" if high is None else figure(high - number, _UNCERTAINTY_DIGITS)
        down = "…" if low is None else figure(number - low, _UNCERTAINTY_DIGITS)
        text = f"{text} +{up} −{down}"
    return text if unit in {None, "1"} or number is None else f"{text} {written(unit)}"


def written(unit: str | None) -> str:
    """Return a unit as the field writes it: `fb⁻¹` for `fb^-1`, nothing for a pure number."""
    return "" if unit in {None, "1"} else str(unit).replace("^-1", "⁻¹")


def shown_size(size: int) -> str:
    """Return a number of bytes as people say it: `812 B`, `3.4 MB`."""
    amount = float(size)
    for multiple in _MULTIPLES:
        if amount < 999.5 or multiple == _MULTIPLES[-1]:
            break
        amount /= 1000
    return f"{amount:.0f} {multiple}" if multiple == "B" else f"{amount:.3g} {multiple}"


def ratio(new: float | None, old: float | None) -> str:
    """Return new over old; empty where that says nothing."""
    return "" if new is None or not old else figure(new / old)
