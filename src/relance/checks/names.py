"""The name that was meant, for one that isn't known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return what to write instead of a name, if one that is known is near; else nothing."""
    nearest = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"write '{nearest[0]}'" if nearest else ""
