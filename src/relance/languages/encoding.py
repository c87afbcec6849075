"""A workflow as JSON and back: each dataclass is an object that names its class."""

from __future__ import annotations

import dataclasses
import inspect
from types import ModuleType
from typing import Any, TypeVar

from relance.languages import model
from relance.languages.model import Json, PlanError, Workflow

_Kind = TypeVar("_Kind")
_CLASS = "is"
_PLAIN = {
    ("Default", "value"),
    ("Literal", "value"),
    ("FromParameters", "outputs"),
    ("Interpolated", "publish"),
    ("Constant", "publish"),
    ("Scripted", "bindings"),
}
"""Fields that hold JSON of the author's: nothing in them is one of our classes."""


def encode(value: object) -> Json:
    """Return a model's value as JSON; fields that have their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        content: dict[str, Json] = {_CLASS: type(value).__name__}
        for one in dataclasses.fields(value):
            part = getattr(value, one.name)
            if one.default is not dataclasses.MISSING and part == one.default:
                continue
            content[one.name] = part if (type(value).__name__, one.name) in _PLAIN else encode(part)
        return content
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return value


def decode(content: Json) -> Workflow:
    """Return the workflow that `encode` wrote.

    Raises:
        PlanError: it isn't one.
    """
    return decoded(content, Workflow, model)


def decoded(content: Json, kind: type[_Kind], classes: ModuleType) -> _Kind:
    """Return what `encode` wrote of the classes in a module.

    Raises:
        PlanError: it isn't of that kind.
    """
    known = dict(inspect.getmembers(classes, dataclasses.is_dataclass))
    try:
        value = _decoded(content, known)
    except (KeyError, TypeError) as error:
        raise PlanError(f"not a compiled workflow: {error}") from error
    if not isinstance(value, kind):
        raise PlanError("not a compiled workflow")
    return value


def _decoded(content: Json, known: dict[str, Any]) -> object:
    if isinstance(content, list):
        return tuple(_decoded(item, known) for item in content)
    if not isinstance(content, dict):
        return content
    if _CLASS not in content:
        return {key: _decoded(item, known) for key, item in content.items()}
    fields = {
        key: item if (content[_CLASS], key) in _PLAIN else _decoded(item, known)
        for key, item in content.items()
        if key != _CLASS
    }
    return known[content[_CLASS]](**fields)
