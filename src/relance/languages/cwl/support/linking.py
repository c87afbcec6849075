"""How several values become one: sources merged and picked, jobs of a scatter put in lists."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from relance.languages.cwl.model import Link
from relance.languages.model import Json, PlanError


def merged(found: list[Json], link: Link) -> Json:
    """Return the value of a link, of those of its sources.

    Raises:
        PlanError: one value is wanted, and there are none or several.
    """
    if not found:
        return None
    merge = link.merge or ("merge_nested" if len(found) > 1 else None)
    value: Json = found if merge else found[0]
    if merge == "merge_flattened":
        value = [item for one in found for item in (one if isinstance(one, list) else [one])]
    return _picked(value, link)


def indices(shape: tuple[int, ...], number: int) -> tuple[int, ...]:
    """Return the place of a job among the lists that its step is scattered over; -1 where there is none."""
    found = []
    for length in reversed(shape):
        number, index = divmod(number, length) if length else (number, -1)
        found.append(index)
    return (-1,) * len(shape) if number else tuple(reversed(found))


def nested(items: Iterator[Json], shape: tuple[int, ...]) -> Json:
    """Return a list of lists with the items in order."""
    if len(shape) == 1:
        return list(itertools.islice(items, shape[0]))
    return [nested(items, shape[1:]) for _ in range(shape[0])]


def _picked(value: Json, link: Link) -> Json:
    if link.pick is None or not isinstance(value, list):
        return value
    there = [one for one in value if one is not None]
    if link.pick == "all_non_null":
        return there
    if not there or (link.pick == "the_only_non_null" and len(there) > 1):
        sources = ", ".join(link.sources)
        raise PlanError(f"{len(there)} of {sources} have a value, where {link.pick} needs one")
    return there[0]
