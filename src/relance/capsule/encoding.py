"""Frozen dataclasses as JSON and back: what was not declared is refused, what has its default is left out.

Leaving defaults out lets a later version add a field without changing the digest of what was written before.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, cast

from relance.model import Digest

T = TypeVar("T")
_Decode = Callable[[Any], Any]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MOST_SHOWN = 60
_AS_THEY_ARE = frozenset({str, int, bool, float, type(None)})


class MalformedError(Exception):
    """A JSON value is not what the dataclass declares; `place` leads to it."""

    def __init__(self, expected: str, found: object, place: tuple[str | int, ...] = ()) -> None:
        shown = found if isinstance(found, str) and found.startswith("no key") else repr(found)
        super().__init__(expected)
        self.expected = expected
        self.found = shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
        self.place = place

    def within(self, *place: str | int) -> MalformedError:
        """Return the same, seen from further outside."""
        self.place = (*place, *self.place)
        return self


def encode(value: Any) -> Any:
    """Return the plain JSON value of a dataclass, or of anything that one may hold."""
    kind: Any = type(value)
    if kind in _AS_THEY_ARE:
        return value
    fields = _fields(kind)
    if fields is not None:
        content = {}
        for name, default in fields:
            part = getattr(value, name)
            if part is not default and (default is None or part != default):
                content[name] = part if type(part) in _AS_THEY_ARE else encode(part)
        return content
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [part if type(part) in _AS_THEY_ARE else encode(part) for part in value]
    if isinstance(value, Mapping):
        return {key: encode(part) for key, part in value.items()}
    return value


def decode(kind: type[T], value: Any) -> T:
    """Return the dataclass that a JSON value tells.

    Raises:
        MalformedError: a key is unknown or missing, or a value of another type.
    """
    decoded: T = _decoder(cast(Any, kind))[1](value)
    return decoded


@cache
def _fields(kind: Any) -> tuple[tuple[str, Any], ...] | None:
    """Return the fields of a dataclass with their defaults; None if it is none."""
    if not dataclasses.is_dataclass(kind):
        return None
    return tuple((field.name, _default(field)) for field in dataclasses.fields(kind))


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else _NONE


_NONE = object()
"""Stands for no default: equal to nothing else."""


@cache
def _decoder(kind: Any) -> tuple[frozenset[type], _Decode]:
    """Return the types of JSON values that may tell a `kind`, and what turns one into it."""
    origin = typing.get_origin(kind)
    if kind is Digest:
        return frozenset({str}), _digest
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return frozenset({dict}), _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return frozenset({str}), _choice({member.value: member for member in kind})
    if origin is not None:
        return _generic(origin, typing.get_args(kind))
    if kind in _PLAIN:
        return _PLAIN[kind]
    raise TypeError(f"{kind} has no JSON")


def _generic(origin: Any, arguments: tuple[Any, ...]) -> tuple[frozenset[type], _Decode]:
    if origin is typing.Literal:
        return frozenset({str}), _choice({choice: choice for choice in arguments})
    if origin in {typing.Union, types.UnionType}:
        return _union(arguments)
    if origin is tuple:
        return frozenset({list}), _sequence(arguments[0])
    if issubclass(origin, Mapping):
        return frozenset({dict}), _mapping(arguments[1])
    raise TypeError(f"{origin} has no JSON")


def _digest(value: Any) -> Digest:
    if type(value) is not str or not _DIGEST.fullmatch(value):
        raise MalformedError("'sha256:' and 64 hexadecimal digits in lower case", value)
    return Digest(value)


def _dataclass(kind: type) -> _Decode:
    hints = typing.get_type_hints(kind)
    decoders = {field.name: _decoder(hints[field.name])[1] for field in dataclasses.fields(kind)}
    plain = {name: _PLAIN_TYPES.get(hints[name]) for name in decoders}
    required = {name for name, default in _fields(kind) or () if default is _NONE}

    def decoded(value: Any) -> Any:
        if type(value) is not dict:
            raise MalformedError("a mapping", value)
        if not required <= value.keys():
            missing = min(required - value.keys())
            raise MalformedError(f"the key {missing!r}", f"no key {missing!r}")
        content = {}
        for name, part in value.items():
            if name not in decoders:
                raise MalformedError(f"one of {', '.join(decoders)}", name)
            if type(part) is plain[name]:
                content[name] = part
                continue
            try:
                content[name] = decoders[name](part)
            except MalformedError as error:
                raise error.within(name) from None
        return kind(**content)

    return decoded


def _choice(choices: Mapping[Any, Any]) -> _Decode:
    expected = f"one of {', '.join(map(str, choices))}"

    def decoded(value: Any) -> Any:
        if type(value) is not str or value not in choices:
            raise MalformedError(expected, value)
        return choices[value]

    return decoded


def _union(alternatives: tuple[Any, ...]) -> tuple[frozenset[type], _Decode]:
    known = [_decoder(alternative) for alternative in alternatives]
    by_type: dict[type, list[_Decode]] = {}
    for accepted, decode_one in known:
        for kind in accepted:
            by_type.setdefault(kind, []).append(decode_one)
    for decoders in by_type.values():
        # A literal says more than a form, and a form more than any text.
        decoders.sort(key=lambda one: (one is _TEXT, one is _digest))
    names = " or ".join(sorted({_WORDS[kind] for kind in by_type}))
    digests = Digest in alternatives

    def decoded(value: Any) -> Any:
        # Most are, and trying what they aren't takes long.
        if digests and type(value) is str and _DIGEST.fullmatch(value):
            return value
        decoders = by_type.get(type(value))
        if decoders is None:
            raise MalformedError(names, value)
        *before, last = decoders
        for decode_one in before:
            try:
                return decode_one(value)
            except MalformedError:
                continue
        return last(value)

    return frozenset(by_type), decoded


def _sequence(part: Any) -> _Decode:
    decode_part = _decoder(part)[1]

    def decoded(value: Any) -> Any:
        if type(value) is not list:
            raise MalformedError("a list", value)
        content = []
        for number, item in enumerate(value):
            try:
                content.append(decode_part(item))
            except MalformedError as error:
                raise error.within(number) from None
        return tuple(content)

    return decoded


def _mapping(part: Any) -> _Decode:
    decode_part = _decoder(part)[1]

    def decoded(value: Any) -> Any:
        if type(value) is not dict:
            raise MalformedError("a mapping", value)
        content = {}
        for key, item in value.items():
            try:
                content[key] = decode_part(item)
            except MalformedError as error:
                raise error.within(key) from None
        return content

    return decoded


def _exactly(kind: type) -> _Decode:
    def decoded(value: Any) -> Any:
        if type(value) is not kind:
            raise MalformedError(_WORDS[kind], value)
        return value

    return decoded


def _number(value: Any) -> float:
    if type(value) is int:
        return value  # canonical JSON writes 2.0 as 2; both are equal
    if type(value) is not float or not math.isfinite(value):
        raise MalformedError("a finite number", value)
    return value


def _anything(value: Any) -> Any:
    return value


_WORDS: dict[type, str] = {
    dict: "a mapping",
    list: "a list",
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "nothing",
}
_TEXT = _exactly(str)
_PLAIN_TYPES: Mapping[Any, type] = {str: str, int: int, bool: bool}
"""Fields that a value of the right type fills as it is, most of them; the way through a decoder is longer."""

_PLAIN: dict[Any, tuple[frozenset[type], _Decode]] = {
    str: (frozenset({str}), _TEXT),
    int: (frozenset({int}), _exactly(int)),
    float: (frozenset({float, int}), _number),
    bool: (frozenset({bool}), _exactly(bool)),
    type(None): (frozenset({type(None)}), _exactly(type(None))),
    object: (frozenset(_WORDS), _anything),
}
