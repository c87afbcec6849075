"""What a draft is made of: an analysis, its jobs, its configuration and its history."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from relance import document
from relance.drafting import comments
from relance.drafting.graph import Graph
from relance.drafting.history import Facts
from relance.errors import InputError

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True)
class Leaf:
    """A value of the configuration that the workflow saw, and the keys that lead to it, joined by dots."""

    key: str
    value: Any


@dataclass(frozen=True)
class Found:
    """An analysis."""

    analysis: Path
    graph: Graph
    facts: Facts

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """The values of the configuration that a specification can name."""
        return tuple(leaf for leaf in _leaves(self.graph.configuration, ()) if _KEY.fullmatch(leaf.key))

    @cached_property
    def units(self) -> Mapping[str, str]:
        """Units that comments of the configuration file tell, by key."""
        file = self.graph.configuration_file
        return comments.units_of(self.analysis / file) if file else {}

    @cached_property
    def given(self) -> Mapping[str, str]:
        """The files from outside that the configuration names, with the key."""
        return {
            path: leaf.key
            for path in self.graph.external
            for leaf in self.leaves
            if isinstance(leaf.value, str) and leaf.value == path
        }

    def written(self, key: str) -> Any:
        """Return a value as the configuration file writes it, before the analysis made anything of it."""
        value = self._file
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def template(self, path: str) -> str:
        """Write `{key}` for the longest beginning of a path that the configuration names."""
        fitting = [
            leaf
            for leaf in self.leaves
            if isinstance(leaf.value, str)
            and leaf.value.strip("/")
            and path.startswith(f"{leaf.value.rstrip('/')}/")
        ]
        if not fitting:
            return path
        leaf = max(fitting, key=lambda leaf: len(leaf.value))
        return f"{{{leaf.key}}}{path[len(leaf.value.rstrip('/')) :]}"

    @cached_property
    def _file(self) -> Any:
        file = self.graph.configuration_file
        try:
            return document.read(self.analysis / file).value if file else None
        except InputError:
            return None


def inside(path: str) -> bool:
    """Return whether a path of the workflow lies within the analysis, as a specification can name it."""
    if re.search(r"[\x00-\x1f{}\\]", path):
        return False
    return "://" not in path and not Path(path).is_absolute() and ".." not in Path(path).parts


def _leaves(value: Any, keys: tuple[str, ...]) -> Iterator[Leaf]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if "." not in str(key):  # it couldn't be told from a key below another
                yield from _leaves(inner, (*keys, str(key)))
    elif not isinstance(value, list):
        yield Leaf(".".join(keys), value)
