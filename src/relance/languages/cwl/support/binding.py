"""A tool's command: its bindings in order, as words or as text for the shell.

The order is that of cwltool, the language's reference program, also where the standard leaves it open.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from relance.languages.cwl.model import Array, Binding, Enum, Plain, Record, Tool, Type, Union
from relance.languages.cwl.support import expressions, values
from relance.languages.cwl.support.expressions import Context
from relance.languages.model import Json, PlanError

_Key = tuple[int | str, ...]
_FIRST = -1_000_000


@dataclass(frozen=True)
class _Bound:
    """A value with its place among the words."""

    key: _Key
    binding: Binding
    value: Json


@dataclass(frozen=True)
class _Bind:
    """A binding; one that an array hands to its items has its place already."""

    binding: Binding
    place: _Key | None = None


def words(tool: Tool, context: Context) -> list[str]:
    """Return the words of a tool's command; with a shell, those that start it.

    Raises:
        PlanError: a reference or a value doesn't fit.
    """
    bound = _Binder(context, tool.version).all(tool)
    several = [(_words(one, context, tool.version), one.binding.quoted) for one in bound]
    if not tool.shell:
        return [word for some, _ in several for word in some]
    text = " ".join(values.quoted(word) if quoted else word for some, quoted in several for word in some)
    return ["/bin/sh", "-c", text]


@dataclass(frozen=True)
class _Binder:
    """Finds what is bound; values within a value begin with the key of what they are in."""

    context: Context
    version: str

    def all(self, tool: Tool) -> list[_Bound]:
        """Return everything that makes words, in order."""
        found: list[_Bound] = []
        for one in tool.inputs:
            value = self.context.inputs.get(one.name)
            if value is not None:
                bind = None if one.binding is None else _Bind(one.binding)
                found += self.value(one.type, bind, value, (), (one.name,))
        found += [_Bound((_FIRST, index), Binding(), one) for index, one in enumerate(tool.command)]
        for index, argument in enumerate(tool.arguments):
            found.append(_Bound((self._position(argument, None), index), argument, None))
        return sorted(found, key=functools.cmp_to_key(_compare))

    def value(self, kind: Type, bind: _Bind | None, value: Json, lead: _Key, tail: _Key) -> Iterator[_Bound]:
        """Give a value and what is in it; a `valueFrom` takes the place of all."""
        if isinstance(kind, Union):
            fitting = next((one for one in kind.among if values.fits(one, value)), None)
            if fitting is None:
                raise PlanError(f"{values.brief(value)} isn't {values.shown(kind)}")
            yield from self.value(fitting, bind, value, lead, tail)
            return
        if isinstance(kind, Plain) and kind.name == "Any" and isinstance(value, list):
            yield from self._items(kind, bind, value, lead, tail)
            return
        key = self._key(bind, value, lead, tail)
        if not isinstance(kind, Plain) and (bind is None or bind.binding.value is None):
            for one in self._inner(kind, bind, value, lead, tail):
                yield replace(one, key=(*key, *one.key))
        if bind is not None:
            yield _Bound(key, bind.binding, value)

    def _inner(
        self, kind: Array | Enum | Record, outer: _Bind | None, value: Json, lead: _Key, tail: _Key
    ) -> Iterator[_Bound]:
        """Give what the binding of a type itself makes, and that of what is in it."""
        binding = kind.binding
        if isinstance(kind, Array):
            if binding is None and outer is not None and outer.binding.separator is None:
                binding = Binding()
            bind = None if binding is None else _Bind(binding)
            yield from self._items(kind.items, bind, value, lead, tail)
            return
        key = self._key(None if binding is None else _Bind(binding), value, lead, tail)
        for field in kind.fields if isinstance(kind, Record) else ():
            part = value.get(field.name)
            if part is not None:
                bind = None if field.binding is None else _Bind(field.binding)
                for one in self.value(field.type, bind, part, lead, (field.name,)):
                    yield replace(one, key=(*key, *one.key))
        if binding is not None:
            yield _Bound(key, binding, value)

    def _items(
        self, kind: Type, bind: _Bind | None, value: list[Json], lead: _Key, tail: _Key
    ) -> Iterator[_Bound]:
        key = self._key(bind, value, lead, tail)
        for index, item in enumerate(value):
            own = None if bind is None else replace(bind, place=key)
            yield from self.value(kind, own, item, (index,), tail)

    def _key(self, bind: _Bind | None, value: Json, lead: _Key, tail: _Key) -> _Key:
        if bind is None:
            return ()
        place = bind.place if bind.place is not None else (self._position(bind.binding, value),)
        return (*lead, *place, *tail)

    def _position(self, binding: Binding, value: Json) -> int:
        position = expressions.evaluate(binding.position, replace(self.context, self=value), self.version)
        if position is None:
            return 0
        if not isinstance(position, int) or isinstance(position, bool):
            found = values.brief(position)
            raise PlanError(f"the position {binding.position!r} is {found}, not a whole number")
        return position


def _words(one: _Bound, context: Context, version: str) -> list[str]:  # noqa: PLR0911 - one line a kind
    binding, value = one.binding, one.value
    if binding.value is not None:
        value = expressions.evaluate(binding.value, replace(context, self=value), version)
    prefix = [binding.prefix] if binding.prefix else []
    match value:
        case list() if binding.separator and value:
            value = binding.separator.join(map(values.word, value))
        case list() if binding.value is not None:
            return [*prefix, *map(values.word, value)]
        case list():
            return prefix if value else []
        case dict() if not values.is_entry(value):
            return prefix
        case True:
            return prefix
        case False | None:
            return []
    if binding.separate:
        return [*prefix, values.word(value)]
    return ["".join([*prefix, values.word(value)])]


def _compare(one: _Bound, other: _Bound) -> int:
    """Order keys as Python 2 did: numbers by size, else by text; the shorter of two alike first."""
    for left, right in itertools.zip_longest(one.key, other.key):
        if left == right:
            continue
        if left is None or right is None:
            return -1 if left is None else 1
        if isinstance(left, str) or isinstance(right, str):
            return -1 if str(left) < str(right) else 1
        return -1 if left < right else 1
    return 0
