"""Parameter references, `$(inputs.file.basename)`: what they name, and texts with such in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from relance.languages.model import Json, PlanError

_SEGMENT = r"""\.\w+|\['(?:[^'\\]|\\.)+'\]|\["(?:[^"\\]|\\.)+"\]|\[[0-9]+\]"""
_REFERENCE = re.compile(rf"\((\w+)((?:{_SEGMENT})*)\)")
_CLOSING = {"(": ")", "{": "}"}
_OLD = ("v1.0", "v1.1")


@dataclass(frozen=True)
class Context:
    """What references can name."""

    inputs: Mapping[str, Json]
    self: Json = None
    runtime: Mapping[str, Json] | None = None


@dataclass(frozen=True)
class Piece:
    """A part of a text: either as it is, or an expression with its brackets."""

    text: str
    expression: bool


def needed(text: Json) -> bool:
    """Return whether a value is text with an expression in it."""
    return isinstance(text, str) and ("$(" in text or "${" in text)


def pieces(text: str, version: str) -> Iterator[Piece]:
    """Split a text at its expressions; escapes are resolved.

    Raises:
        PlanError: an expression has no end.
    """
    plain, index = "", 0
    while index < len(text):
        two = text[index : index + 2]
        if two[0] == "\\" and len(two) == 2:
            literal, used = _escape(text, index, version)
            plain += literal
            index += used
        elif two in {"$(", "${"}:
            end = _end(text, index + 1)
            if plain:
                yield Piece(plain, expression=False)
                plain = ""
            yield Piece(text[index + 1 : end], expression=True)
            index = end
        else:
            plain += text[index]
            index += 1
    if plain:
        yield Piece(plain, expression=False)


def simple(text: Json, version: str) -> bool:
    """Return whether all expressions in a text are references, which need no JavaScript."""
    if not needed(text):
        return True
    found = [piece for piece in pieces(text, version) if piece.expression]
    return all(_REFERENCE.fullmatch(piece.text) for piece in found)


def evaluate(text: Json, context: Context, version: str, *, stripped: bool = True) -> Json:
    """Return what a text says once its references are replaced; one reference alone keeps its type.

    Raises:
        PlanError: a reference names what isn't there.
    """
    if not needed(text):
        return text
    if stripped:
        text = text.strip()
    found = [
        (_value(piece.text, context), True) if piece.expression else (piece.text, False)
        for piece in pieces(text, version)
    ]
    if len(found) == 1 and found[0][1]:
        return found[0][0]
    return "".join(
        value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value, _ in found
    )


def _value(reference: str, context: Context) -> Json:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise PlanError(f"${reference} is JavaScript")
    if match[1] == "null" and not match[2]:
        return None
    if match[1] not in {"inputs", "self", "runtime"}:
        raise PlanError(f"${reference} begins with neither inputs nor self nor runtime")
    value = getattr(context, match[1])
    for segment in re.findall(_SEGMENT, match[2]):
        value = _within(value, segment, reference)
    return value


def _within(value: Json, segment: str, reference: str) -> Json:
    if segment[1:].rstrip("]").isdigit() and segment[0] == "[":
        index = int(segment[1:-1])
        if isinstance(value, list) and index < len(value):
            return value[index]
        raise PlanError(f"${reference}: nothing is at {segment}")
    key = segment[1:] if segment[0] == "." else re.sub(r"\\(.)", r"\1", segment[2:-2])
    if isinstance(value, list) and key == "length":
        return len(value)
    if isinstance(value, Mapping) and key in value:
        return value[key]
    raise PlanError(f"${reference}: there is no {key!r}")


def _escape(text: str, index: int, version: str) -> tuple[str, int]:
    """Return what an escape stands for, and how long it is."""
    following = text[index + 1]
    if version in _OLD:
        return following, 2
    if text[index + 1 : index + 3] in {"$(", "${"}:
        return text[index + 1 : index + 3], 3
    return ("\\", 2) if following == "\\" else (text[index : index + 2], 2)


def _end(text: str, start: int) -> int:
    """Return where the bracket that opens at `start` has been closed."""
    opening, depth, quote, index = text[start], 0, "", start
    while index < len(text):
        one = text[index]
        if one == "\\" and quote:
            index += 1
        elif quote:
            quote = "" if one == quote else quote
        elif one in "'\"":
            quote = one
        elif one == opening:
            depth += 1
        elif one == _CLOSING[opening]:
            depth -= 1
            if depth == 0:
                return index + 1
        index += 1
    raise PlanError(f"an expression has no end: {text[start - 1 :][:40]!r}")
