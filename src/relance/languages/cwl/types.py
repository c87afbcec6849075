"""Reads what type a value has."""

from __future__ import annotations

from collections.abc import Mapping

from relance.languages.cwl import documents, limits
from relance.languages.cwl.model import Array, Binding, Enum, Member, Plain, Record, Type, Union
from relance.languages.references import Part

PLAIN = ("null", "boolean", "int", "long", "float", "double", "string", "File", "Directory", "Any")


def read(part: Part, version: str, known: Mapping[str, Part]) -> Type:
    """Return the type that is written in some place; `known` has types by their names.

    Raises:
        UnsupportedError: it isn't one that is supported.
    """
    value = part.value
    if isinstance(value, str):
        return _named(part, value, version, known)
    if isinstance(value, list):
        return Union(tuple(read(one, version, known) for one in part.each()))
    kind = part.mapping().get("type")
    bound = part.get("inputBinding")
    own = binding(bound, version) if bound is not None else None
    match kind:
        case "array":
            limits.only(part, "an array", "type", "items", "inputBinding")
            return Array(read(part.need("items", "an array"), version, known), own)
        case "enum":
            limits.only(part, "an enum", "type", "symbols", "inputBinding")
            symbols = (documents.local(one.text()) for one in part.need("symbols", "an enum").each())
            return Enum(tuple(symbols), own)
        case "record":
            limits.only(part, "a record", "type", "fields", "inputBinding")
            return Record(tuple(_fields(part, version, known)), own)
    return read(part.need("type", "a type"), version, known)


def binding(part: Part, version: str) -> Binding:
    """Return how a value becomes words.

    Raises:
        UnsupportedError: something in it can't be compiled.
    """
    keys = ("position", "prefix", "separate", "itemSeparator", "shellQuote", "valueFrom", "loadContents")
    limits.only(part, "a binding", *keys)
    for key in ("position", "valueFrom"):
        one = part.get(key)
        if one is not None:
            limits.simple(one, version)
    found = part.mapping()
    return Binding(
        position=found.get("position", 0),
        prefix=found.get("prefix"),
        separate=found.get("separate", True),
        separator=found.get("itemSeparator"),
        quoted=found.get("shellQuote", True),
        value=found.get("valueFrom"),
    )


def _fields(part: Part, version: str, known: Mapping[str, Part]) -> list[Member]:
    found = []
    fields = part.get("fields")
    for name, one in documents.listed(fields, "name"):
        if not isinstance(one.value, dict):
            found.append(Member(name, read(one, version, known)))
            continue
        limits.only(one, "a field", "type", "inputBinding")
        bound = one.get("inputBinding")
        own = binding(bound, version) if bound is not None else None
        found.append(Member(name, read(one.need("type", "a field"), version, known), own))
    return found


def _named(part: Part, text: str, version: str, known: Mapping[str, Part]) -> Type:
    """Return the type that a word stands for; `[]` makes it an array, `?` lets it be left out."""
    if text.endswith("?"):
        return Union((Plain("null"), _named(part, text[:-1], version, known)))
    if text.endswith("[]"):
        return Array(_named(part, text[:-2], version, known))
    if text in PLAIN:
        return Plain(text)
    name = documents.local(text)
    if name not in known:
        raise limits.unsupported(
            part,
            "a type isn't supported",
            found=repr(text),
            expected=f"one of {', '.join([*PLAIN, *known])}, '[]' or '?' after it",
        )
    # A type within itself has no end: there its name isn't known.
    return read(known[name], version, {other: one for other, one in known.items() if other != name})
