"""Reads the expressions of yadage, which choose what others publish, and the parameters that they give."""

from __future__ import annotations

import re
from collections.abc import Iterator

from relance.languages.model import FromValue, Literal, Parameter, PlanError, Selector
from relance.languages.notes import Note, workspace
from relance.languages.references import Part
from relance.languages.support import jsonpath

_SHORT = ("step", "steps", "stages")


def parameters(part: Part | None, notes: list[Note]) -> Iterator[Parameter]:
    """Give the parameters of a stage, and note what has no effect.

    Raises:
        InputError: an expression isn't supported; file and line are told.
    """
    if part is None or part.value is None:
        return
    if isinstance(part.value, list):
        for one in part.each():
            one.only("a parameter", "key", "value")
            value = one.need("value", "a parameter")
            yield Parameter(one.need("key", "a parameter").text(), _value(value, notes, short=False))
        return
    for name, value in part.items():
        yield Parameter(name, _value(value, notes, short=True))


def _value(part: Part, notes: list[Note], *, short: bool) -> Literal | Selector | FromValue:
    value = part.value
    said = value.keys() if isinstance(value, dict) else ()
    if "expression_type" in said or (short and any(key in said for key in _SHORT)):
        return expression(part, notes)
    notes += workspace(part.where, value)
    return Literal(part.plain())


def expression(part: Part, notes: list[Note]) -> Selector | FromValue:
    """Return what a part chooses of what others publish; see `parameters`."""
    kind = part.mapping().get("expression_type", "stage-output-selector")
    if kind == "fromvalue":
        without_effect(part, notes, "expression_type", "key", "scope")
        scope = part.get("scope")
        return FromValue(
            part.need("key", "an expression").text(), query(scope) if scope is not None else None
        )
    if kind != "stage-output-selector":
        raise part.refusal(
            "an expression isn't supported",
            found=repr(kind),
            expected="stage-output-selector or fromvalue",
        )
    without_effect(part, notes, "expression_type", *_SHORT, "output", "unwrap", "flatten")
    ways = [key for key in _SHORT if part.get(key) is not None]
    if len(ways) != 1:
        raise part.refusal(
            "a selector needs one of step, steps and stages",
            found=" and ".join(ways) or "none",
            expected="one",
        )
    output, unwrap, flatten = part.get("output"), part.get("unwrap"), part.get("flatten")
    return Selector(
        query=query(part.need(ways[0], "a selector")),
        output=query(output, whole=True) if output and output.value else None,
        single=ways[0] == "step",
        unwrap=bool(unwrap and unwrap.flag()),
        flatten=bool(flatten and flatten.flag()),
    )


def registered(part: Part | None, notes: list[Note]) -> dict[str, Selector | FromValue]:
    """Return the values that a workflow registers for those around it; see `parameters`."""
    if part is None or not part.value:
        return {}
    return {name: expression(one, notes) for name, one in part.items()}


def query(part: Part, *, whole: bool = False) -> str:
    """Return a query in JSONPath.

    whole: also a key that stands as it is.

    Raises:
        InputError: it isn't understood; file and line are told.
    """
    text = part.text()
    if whole and not re.fullmatch(r"[\w$.,|()\[\]*:'\"@ -]*", text):
        return text  # a key that stands in the output as it is
    try:
        jsonpath.check(text)
    except PlanError as error:
        if whole:
            return text
        raise part.refusal(
            str(error), found=repr(text), expected="fields, indices, '*', '..' and '|'"
        ) from error
    return text


def without_effect(part: Part, notes: list[Note], *known: str) -> None:
    """Note keys that yadage passes over."""
    for key in part.mapping():
        if key not in known:
            notes.append(Note(part.where, f"{key!r} has no effect, as in yadage"))
