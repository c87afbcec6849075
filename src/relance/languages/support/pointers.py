"""Parts of what jobs publish, pointed to while parameters are chosen, so that it is known whose they are."""

from __future__ import annotations

from dataclasses import dataclass

from relance.languages.model import Json
from relance.languages.support.nodes import Node
from relance.languages.support.outcomes import Outcomes
from relance.languages.support.publishing import Pointer


@dataclass(frozen=True, eq=False)
class Reference:
    """A leaf of what a job publishes."""

    node: Node
    pointer: Pointer


def references(node: Node, value: Json, pointer: Pointer = ()) -> Json:
    """Return what a job publishes with a reference in place of each leaf that isn't null or false."""
    if isinstance(value, dict):
        return {key: references(node, item, (*pointer, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [references(node, item, (*pointer, index)) for index, item in enumerate(value)]
    return value if value is None or value is False else Reference(node, pointer)


def followed(value: Json, used: dict[Node, None], outcomes: Outcomes) -> Json:
    """Return a value with what its references lead to; the jobs that they lead to are added to `used`."""
    if isinstance(value, Reference):
        used[value.node] = None
        found = outcomes.result(value.node)
        for key in value.pointer:
            found = found[key]
        return found
    if isinstance(value, dict):
        return {key: followed(item, used, outcomes) for key, item in value.items()}
    if isinstance(value, list):
        return [followed(item, used, outcomes) for item in value]
    return value
