"""Names of event weights that HepMC, ROOT and a command line all take."""

import re
from collections.abc import Sequence

_FOREIGN = re.compile(r"[^A-Za-z0-9_.+-]+")


def harmless(names: Sequence[str]) -> tuple[str, ...]:
    """The names, whatever is no letter, digit or one of `_.+-` replaced; equal ones get a number behind."""
    plain: list[str] = []
    for name in names:
        base = _FOREIGN.sub("_", name.strip()).strip("_") or "unnamed"
        candidate, number = base, 2
        while candidate in plain:
            candidate, number = f"{base}_{number}", number + 1
        plain.append(candidate)
    return tuple(plain)
