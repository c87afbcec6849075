"""`--limit`: what a capsule may take of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import click

from relance.engines.limits import BOUNDLESS, Limits
from relance.errors import InputError

_TIMES = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_FIELDS: Mapping[str, tuple[str, Mapping[str, float], str]] = {
    "time": ("seconds", _TIMES, "2h"),
    "memory": ("memory", _SIZES, "8GB"),
    "disk": ("disk", _SIZES, "50GB"),
    "processes": ("processes", {"": 1}, "500"),
}

LIMIT: Callable[[Any], Any] = click.option(
    "--limit",
    "limits",
    metavar="NAME=VALUE",
    multiple=True,
    help="The most it may take, unless it is trusted: time=3d, memory=8GB, disk=50GB, processes=500, or none "
    "(default: a day, nine tenths of the memory and disk that are free, 4000).",
)


def read(given: Iterable[str]) -> Limits:
    """Return the limits that `NAME=VALUE` options set, the last of each name.

    Raises:
        InputError: a name isn't known, or a value is none.
    """
    limits = Limits()
    for text in given:
        name, _, value = text.partition("=")
        if name not in _FIELDS:
            raise _refusal(text, f"one of {', '.join(_FIELDS)}", repr(name), "--limit time=2h")
        field, units, example = _FIELDS[name]
        amount = BOUNDLESS if value == "none" else _amount(value, units)
        if amount is None:
            raise _refusal(
                text,
                f"a number with its unit, such as {example}, or none",
                repr(value),
                f"--limit {name}={example}",
            )
        limits = replace(limits, **{field: amount if field == "seconds" else int(amount)})  # type: ignore[arg-type]
    return limits


def _amount(text: str, units: Mapping[str, float]) -> float | None:
    number = text.rstrip("".join(units))
    unit = text[len(number) :]
    try:
        amount = float(number) * units[unit.strip()]
    except (ValueError, KeyError):
        return None
    return amount if 0 < amount < BOUNDLESS else None


def _refusal(text: str, expected: str, found: str, example: str) -> InputError:
    return InputError(
        f"--limit {text}", expected=expected, found=found, next_step=f"write it as in '{example}'"
    )
