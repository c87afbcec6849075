"""Files that a person writes, checked against JSON Schema: errors with file, line and what to write.

document = schema.load(Path("containers/images.lock.yaml"), SCHEMA)
document.value["images"]["fit"]        # plain dicts, lists, str, int, float, bool, None
document.where("images", "fit")        # "containers/images.lock.yaml:7", for errors found later
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from relance.document import Document, read
from relance.errors import InputError

_Keys = tuple[str | int, ...]
_Breach = tuple[int, InputError]  # with its line, to sort by

_HERE = Path(__file__).parent
# An installed package brings the schemas inside; a checkout has them where people look for them.
_FOLDERS = (_HERE / "schemas", _HERE.parents[1] / "specs" / "schemas")


def bundled(name: str) -> Mapping[str, Any]:
    """Return the JSON Schema `specs/schemas/NAME.schema.json` that came with this version of relance."""
    found = next(folder for folder in _FOLDERS if folder.is_dir()) / f"{name}.schema.json"
    return cast(Mapping[str, Any], json.loads(found.read_text(encoding="utf-8")))


def load(path: Path, schema: Mapping[str, Any]) -> Document:
    """Read a YAML (or JSON) file and check it against a JSON Schema (draft 2020-12).

    Raises:
        InputError: the file can't be read (see `relance.document.read`) or breaks the schema; every
            breach is told with its line, what was expected, what was found and, for a misspelt key or
            value, the nearest right one.
    """
    document = read(path)
    check(document, schema)
    return document


def check(document: Document, schema: Mapping[str, Any]) -> None:
    """Raise an InputError that tells every place where a document breaks a JSON Schema."""
    breaches = [
        error
        for found in Draft202012Validator(schema).iter_errors(document.value)
        for error in _explain(document, _innermost(found))
    ]
    if breaches:
        breaches.sort(key=lambda pair: pair[0])
        first, *others = [error for _, error in breaches]
        first.also = tuple(others)
        raise first


def _innermost(error: ValidationError) -> ValidationError:
    """Return what is wrong in the alternative that comes nearest, for a choice between alternatives."""
    while error.validator in {"anyOf", "oneOf"} and error.context:
        depth = max(len(inner.path) for inner in error.context)
        nearest = [inner for inner in error.context if len(inner.path) == depth]
        if depth == 0 and len(nearest) > 1:
            return error
        error = nearest[0]
    return error


def _explain(document: Document, error: ValidationError) -> Iterator[_Breach]:
    keys = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        yield from _unknown_keys(document, keys, error)
    elif error.validator == "required" and isinstance(error.instance, dict):
        yield from _missing_keys(document, keys, error)
    else:
        choices = map(str, _given(error)) if error.validator == "enum" else ()
        yield _breach(
            document,
            keys,
            ".".join(map(str, keys)) or "the file",
            expected=_expectation(error),
            found=_shown(error.instance),
            next_step=_suggestion(str(error.instance), choices)
            or str(_schema(error).get("description", "correct this line")),
        )


def _unknown_keys(document: Document, keys: _Keys, error: ValidationError) -> Iterator[_Breach]:
    known = list(_schema(error).get("properties", {}))
    patterns = list(_schema(error).get("patternProperties", {}))
    for key in cast(dict[str, Any], error.instance):
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            yield _breach(
                document,
                (*keys, key),
                "unknown key",
                expected=f"one of {', '.join(known)}" if known else "no such key",
                found=repr(key),
                next_step=_suggestion(key, known) or "remove it",
            )


def _missing_keys(document: Document, keys: _Keys, error: ValidationError) -> Iterator[_Breach]:
    instance = cast(dict[str, Any], error.instance)
    for key in _given(error):
        # The validator tells each missing key apart, but only in its message.
        if key not in instance and error.message.startswith(repr(key)):
            yield _breach(
                document,
                keys,
                f"{'.'.join(map(str, keys)) or 'the file'} lacks a key",
                expected=repr(key),
                found=f"only {', '.join(instance)}" if instance else "no keys",
                next_step=f"add '{key}: …'",
            )


def _given(error: ValidationError) -> Any:
    return error.validator_value


def _schema(error: ValidationError) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], error.schema)


def _breach(
    document: Document, keys: _Keys, what: str, *, expected: str, found: str, next_step: str
) -> _Breach:
    where = document.where(*keys)
    line = int(where.rpartition(":")[2])
    return line, InputError(f"{where}: {what}", expected=expected, found=found, next_step=next_step)


def _expectation(error: ValidationError) -> str:
    given = _given(error)
    name = str(error.validator)
    if name in _BOUNDS:
        return _BOUNDS[name].format(given)
    match name:
        case "type":
            return " or ".join(_TYPE_NAMES[kind] for kind in (given if isinstance(given, list) else [given]))
        case "enum":
            return f"one of {', '.join(map(_shown, given))}"
        case "anyOf" | "oneOf":
            return " or ".join(dict.fromkeys(map(_expectation, error.context or ())))
        case _:
            return f"{name} {_shown(given)}"


_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "minProperties": "at least {} keys",
    "minLength": "at least {} characters",
    "pattern": "text of the form {}",
}

_TYPE_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}


def _shown(value: object) -> str:
    match value:
        case dict():
            return f"a mapping with {', '.join(value) or 'nothing in it'}"
        case list():
            return f"a list of {len(value)}"
        case str():
            return repr(value)
        case _:
            return json.dumps(value)


def _suggestion(given: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(given, list(known), n=1, cutoff=0.6)
    return f"write {nearest[0]!r}" if nearest else ""
