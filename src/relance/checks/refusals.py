"""Errors of those who read specifications, as findings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from relance.checks.finding import Finding, Place
from relance.errors import RelanceError

_WHERE = re.compile(r"(?P<file>[^:\n]+):(?P<line>\d+): (?P<what>.*)", re.DOTALL)


def refused(error: RelanceError, file: str, folder: str = "") -> Iterator[Finding]:
    """Give what an error tells as findings.

    Args:
        error: it and those that it brings along.
        file: where it is if it doesn't say.
        folder: what its file names are relative to.
    """
    for one in (error, *error.also):
        found = _WHERE.fullmatch(one.subject)
        where = f"{folder}/{found['file']}" if found and folder else found["file"] if found else file
        yield Finding(
            "RL001",
            Place(where, int(found["line"]) if found else None),
            found["what"] if found else one.subject,
            expected=one.expected,
            found=one.found,
            next_step=one.next_step,
        )
