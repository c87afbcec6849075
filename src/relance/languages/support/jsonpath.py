"""JSONPath as yadage understands it: fields, indices, slices, `*`, `..` and `|`.

As in its library, `|` binds closer than `.`, which binds closer than `..`; a field of a list is nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from relance.languages.model import Json, PlanError

_TOKEN = re.compile(
    r"\s*(?:(?P<dots>\.\.)|(?P<name>[A-Za-z_@][A-Za-z0-9_@-]*)|(?P<number>-?[0-9]+)"
    r"|'(?P<single>[^'\\]*)'|\"(?P<double>[^\"\\]*)\"|(?P<sign>[$*.,:|()\[\]]))"
)


@dataclass(frozen=True)
class _Root:
    pass


@dataclass(frozen=True)
class _Fields:
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Index:
    at: int


@dataclass(frozen=True)
class _Slice:
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class _Pair:
    kind: str
    left: _Path
    right: _Path


_Path = _Root | _Fields | _Index | _Slice | _Pair


def find(query: str, value: Json) -> list[Json]:
    """Return every part of a value that a query matches.

    Raises:
        PlanError: the query isn't JSONPath that is understood here.
    """
    return list(_found(_parsed(query), value, value))


def first_names(query: str) -> frozenset[str] | None:
    """Return the fields of the root that a query begins with; None: it may be any of them."""
    return _first(_parsed(query))


def check(query: str) -> None:
    """Refuse a query that `find` would refuse.

    Raises:
        PlanError: the query isn't JSONPath that is understood here.
    """
    _parsed(query)


def _first(path: _Path) -> frozenset[str] | None:
    match path:
        case _Fields(names) if "*" not in names:
            return frozenset(names)
        case _Pair(".", _Root(), right):
            return _first(right)
        case _Pair(".", left, _):
            return _first(left)
        case _Pair("..", left, _) if left != _Root():
            return _first(left)
        case _Pair("|", left, right):
            one, other = _first(left), _first(right)
            return None if one is None or other is None else one | other
    return None


def _found(path: _Path, value: Json, root: Json) -> Iterator[Json]:
    match path:
        case _Root():
            yield root
        case _Fields(names):
            if isinstance(value, Mapping):
                yield from (value[one] for one in (value if "*" in names else names) if one in value)
        case _Index(at):
            if isinstance(value, list) and -len(value) <= at < len(value):
                yield value[at]
        case _Slice(start, end):
            yield from (value if isinstance(value, list) else [value])[start:end]
        case _Pair("|", left, right):
            yield from _found(left, value, root)
            yield from _found(right, value, root)
        case _Pair(kind, left, right):
            further = _found if kind == "." else _below
            for part in _found(left, value, root):
                yield from further(right, part, root)


def _below(path: _Path, value: Json, root: Json) -> Iterator[Json]:
    yield from _found(path, value, root)
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for item in items:
        yield from _below(path, item, root)


@cache
def _parsed(query: str) -> _Path:
    return _Parser(query).parsed()


class _Parser:
    """Reads a query by recursive descent."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._tokens: list[tuple[str, str]] = []
        text, at = query.rstrip(), 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._refusal(text[at:])
            kind = match.lastgroup or ""
            self._tokens.append((kind, match[kind]))
            at = match.end()
        self._tokens.append(("end", ""))
        self._at = 0

    def parsed(self) -> _Path:
        try:
            path = self._descents()
        except RecursionError:
            raise self._refusal("too many brackets") from None
        if self._next[0] != "end":
            raise self._refusal(self._next[1])
        return path

    @property
    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _take(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def _sign(self, sign: str) -> bool:
        if self._next == ("sign", sign):
            self._at += 1
            return True
        return False

    def _descents(self) -> _Path:
        path = self._children()
        while self._next[0] == "dots":
            self._take()
            path = _Pair("..", path, self._children())
        return path

    def _children(self) -> _Path:
        path = self._union()
        while self._sign("."):
            path = _Pair(".", path, self._union())
        return path

    def _union(self) -> _Path:
        path = self._bracketed()
        while self._sign("|"):
            path = _Pair("|", path, self._bracketed())
        return path

    def _bracketed(self) -> _Path:
        path = self._atom()
        while self._sign("["):
            path = _Pair(".", path, self._inside())
        return path

    def _atom(self) -> _Path:
        if self._sign("$"):
            return _Root()
        if self._sign("*"):
            return _Fields(("*",))
        if self._sign("("):
            path = self._descents()
            self._expect(")")
            return path
        if self._sign("["):
            return self._inside()
        return _Fields(self._names())

    def _names(self) -> tuple[str, ...]:
        names = []
        while True:
            kind, text = self._take()
            if kind not in {"name", "single", "double"} or text == "where":
                raise self._refusal(text or "its end")
            names.append(text)
            if not self._sign(","):
                return tuple(names)

    def _inside(self) -> _Path:
        path: _Path
        if self._sign("*"):
            path = _Slice()
        elif self._next[0] == "number" or self._next == ("sign", ":"):
            start = self._number()
            path = _Slice(start, self._number()) if self._sign(":") else _Index(start or 0)
        else:
            path = _Fields(self._names())
        self._expect("]")
        return path

    def _number(self) -> int | None:
        return int(self._take()[1]) if self._next[0] == "number" else None

    def _expect(self, sign: str) -> None:
        if not self._sign(sign):
            raise self._refusal(self._next[1] or "its end")

    def _refusal(self, found: str) -> PlanError:
        return PlanError(f"the JSONPath {self._query!r} isn't understood here, from {found!r} on")
