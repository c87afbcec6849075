"""What checks of REANA's specifications say alike."""

from __future__ import annotations

from collections.abc import Iterable

from relance.checks.finding import Finding, Place
from relance.checks.names import suggestion


def unknown(key: str, known: Iterable[str], place: Place) -> Finding:
    """Return that a key is none that REANA knows."""
    return Finding(
        "RL405",
        place,
        f"the key {key!r}",
        expected=f"one of {', '.join(known)}",
        found="an unknown one, which has no effect",
        next_step=suggestion(key, known) or "remove it",
    )


def wrong_value(place: Place, subject: str, known: Iterable[str], given: str) -> Finding:
    """Return that a value is none that REANA knows."""
    return Finding(
        "RL406",
        place,
        subject,
        expected=f"one of {', '.join(known)}",
        found=repr(given),
        next_step=suggestion(given, known) or "write one of them",
    )
