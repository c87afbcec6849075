"""JSON and YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from relance import document
from relance.compare.kinds.base import Kind, text_of
from relance.compare.model import Part, UnreadableError
from relance.compare.tree import Tree
from relance.errors import InputError

_MOST_JSON = 1 << 28
_MOST_YAML = 1 << 20


def _is_json(head: bytes, path: Path) -> bool:
    if head.lstrip()[:1] not in {b"{", b"["}:
        return False
    return path.suffix == ".json" or _parses(path)


def _parses(path: Path) -> bool:
    try:
        _value(path)
    except UnreadableError:
        return False
    return True


def _value(path: Path) -> object:
    try:
        return json.loads(text_of(path, _MOST_JSON), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"no JSON: {error}") from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UnreadableError("no JSON: a key twice")  # which of them counts depends on the reader
    return found


@contextmanager
def _json(path: Path) -> Iterator[Mapping[str, Part]]:
    yield {"": Tree(_value(path))}


def _is_yaml(head: bytes, path: Path) -> bool:  # noqa: ARG001 - the signature of a kind
    if path.suffix not in {".yaml", ".yml"} or path.stat().st_size > _MOST_YAML:
        return False
    try:
        document.read(path)
    except (InputError, RecursionError, ValueError):
        return False
    return True


@contextmanager
def _yaml(path: Path) -> Iterator[Mapping[str, Part]]:
    try:
        value = document.read(path).value
    except (InputError, RecursionError) as error:
        raise UnreadableError(f"no YAML: {error}") from error
    yield {"": Tree(value)}


JSON = Kind("json", "JSON", _is_json, _json, marked=False)
YAML = Kind("yaml", "YAML", _is_yaml, _yaml, marked=False)
