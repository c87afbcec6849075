"""Configuration files: read safely, checked by JSON Schema, refused with file, line and what to write.

A workflow engine imports this too, with its own Python: what is in here runs under Python 3.8 and
jsonschema 3.2, those of REANA 0.9.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import yaml

from dilepton.errors import AnalysisError
from dilepton.units import UnitError, parse

if TYPE_CHECKING:
    Place = tuple[str | int, ...]


_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "keys with values",
}


class ConfigurationError(AnalysisError):
    """A configuration that does not follow its schema."""


def load(path: Path, schema_path: Path) -> dict[str, Any]:
    """Read one configuration file, its quantities in the units that the schema names.

    Raises:
        ConfigurationError: no YAML, a key twice, or anything that the schema does not allow.
        OSError: the file cannot be read.
    """
    return check(_document(path), json.loads(schema_path.read_text("utf-8")), [path])


def check(
    document: Any,
    schema: Mapping[str, Any],
    sources: Sequence[Path],
    is_file: Callable[[str], bool] = lambda _name: True,
) -> dict[str, Any]:
    """Validate a configuration merged from `sources` (the last wins) and what a command line added to them.

    A string where the schema wants a number is taken as one, since REANA hands its parameters over as text;
    where the schema gives `x-unit`, it may carry a unit, and the result is in the schema's unit. Where it
    says `x-file`, the string is the name of a file that `is_file` must find.

    Raises:
        ConfigurationError: names every place that is wrong, each with its file and line where it has one.
    """
    problems: list[tuple[Place, str]] = []
    converted = _converted(document, schema, schema, (), problems)
    problems += [
        (
            place,
            f"{_name(place)}: expected a file, found none at '{file}'; check the path, or leave the key out",
        )
        for place, file in _files(document, schema, schema, ())
        if not is_file(file)
    ]
    failed = {place for place, _ in problems}
    validator = jsonschema.validators.validator_for(schema)(schema)
    for error in sorted(
        validator.iter_errors(converted), key=lambda error: [str(step) for step in error.absolute_path]
    ):
        place = _place(error)
        if error.validator == "additionalProperties":
            problems.extend(_unknown(place, error))
        elif place not in failed:
            problems.append((place, _said(error)))
    if problems:
        lines = _Lines(document, sources)
        told = dict.fromkeys(f"{lines.where(place)}: {text}" for place, text in problems)
        raise ConfigurationError("\n".join(told))
    return converted


def _document(path: Path) -> Any:
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(
            f"{path}:{line}: expected YAML, found {error.problem or error.context}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}:1: expected YAML in UTF-8, found {error}") from error
    for key in _repeated(node):
        raise ConfigurationError(
            f"{path}:{key.start_mark.line + 1}: '{key.value}' stands here a second time; keep one"
        )
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{path}:{line}: expected plain values, found {error.problem}") from error


def _repeated(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key
            seen.add(key.value)
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated(item)


def _converted(
    value: Any, schema: Any, root: Mapping[str, Any], place: Place, problems: list[tuple[Place, str]]
) -> Any:
    """The document with its quantities as numbers; what can't be converted stays, and is a problem."""
    schema = _resolved(schema, root)
    if isinstance(value, Mapping):
        named = schema.get("properties", {})
        others = schema.get("additionalProperties", {})
        return {
            key: _converted(item, named.get(key, others), root, (*place, key), problems)
            for key, item in value.items()
        }
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        rest = schema.get("items", {})
        return [
            _converted(item, first[number] if number < len(first) else rest, root, (*place, number), problems)
            for number, item in enumerate(value)
        ]
    if not isinstance(value, str):
        return value
    if "x-unit" in schema:
        try:
            return parse(value, schema["x-unit"])
        except UnitError as error:
            problems.append((place, f"{_name(place)}: {error}"))
            return value
    return _scalar(value, schema.get("type"))


def _files(value: Any, schema: Any, root: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    """The names of files in a document, by the schema's `x-file`."""
    schema = _resolved(schema, root)
    if isinstance(value, Mapping):
        named, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, item in value.items():
            yield from _files(item, named.get(key, others), root, (*place, key))
    elif isinstance(value, str) and schema.get("x-file"):
        yield place, value


def _scalar(text: str, kind: Any) -> Any:
    if kind in ("number", "integer", "boolean"):
        plain = yaml.safe_load(text) if text.strip() and len(text) < 40 else text
        return plain if isinstance(plain, (int, float)) else text
    return text


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(schema, Mapping):
        return {}
    while "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].split("/")[1:]:
            target = target[step]
        schema = target
    return schema


def _unknown(place: Place, error: jsonschema.ValidationError) -> Iterator[tuple[Place, str]]:
    known = list(error.schema.get("properties", {}))
    for key in error.instance:
        if key not in known:
            yield (*place, key), f"unknown key '{key}' in {_name(place)}; {_advice(str(key), known)}"


def _said(error: jsonschema.ValidationError) -> str:
    name, found = _name(_place(error)), json.dumps(error.instance, ensure_ascii=False)
    unit = error.schema.get("x-unit") if isinstance(error.schema, Mapping) else None
    keyword, wanted = str(error.validator), error.validator_value
    if keyword == "required":
        missing = [key for key in wanted if key not in error.instance]
        return f"{name} lacks {_listed(missing)}; add {'it' if len(missing) == 1 else 'them'}"
    if keyword == "type":
        example = f" in {unit}, such as '1 {unit}'" if unit else ""
        return f"{name}: expected {_TYPES.get(wanted, wanted)}{example}, found {found}"
    if keyword == "enum":
        return f"{name}: expected one of {_listed(wanted)}, found {found}"
    if keyword in _BOUNDS:
        return f"{name}: expected {_BOUNDS[keyword]} {wanted}{' ' + unit if unit else ''}, found {found}"
    described = error.schema.get("description")
    return f"{name}: {f'expected {described}' if described else error.message}, found {found}"


def _place(error: jsonschema.ValidationError) -> Place:
    """Where the mistake is; a key that is no name is at itself, not at what holds it."""
    key = (error.instance,) if "propertyNames" in error.absolute_schema_path else ()
    return (*error.absolute_path, *key)


def _advice(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are {_listed(known)}"


def _listed(words: Iterable[Any]) -> str:
    return ", ".join(f"'{word}'" for word in words) or "none"


def _name(place: Place) -> str:
    return f"'{'.'.join(str(step) for step in place)}'" if place else "the configuration"


class _Lines:
    """Where each place of a configuration stands in the files it was merged from."""

    def __init__(self, document: Any, sources: Sequence[Path]) -> None:
        self._document = document
        self._files = [
            (path, yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)) for path in sources
        ]

    def where(self, place: Place) -> str:
        """The file and line of a place, or of the nearest one around it where it is absent."""
        value = _at(self._document, place)
        for path, root in reversed(self._files):
            found = _node(root, place)
            if found is not None:
                line, node = found
                changed = isinstance(node, yaml.ScalarNode) and yaml.safe_load(node.value) != value
                return "command line" if changed else f"{path}:{line}"
        if not place:
            return f"{self._files[-1][0]}:1" if self._files else "command line"
        return "command line" if _at(self._document, place) is not None else self.where(place[:-1])


def _at(value: Any, place: Place) -> Any:
    for step in place:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _node(node: yaml.Node | None, place: Place) -> tuple[int, yaml.Node] | None:
    """The node at a place, with its line (that of its key, where it has one)."""
    if node is None or not place:
        return None
    line = 1
    for step in place:
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == str(step)]
            if not pairs:
                return None
            line, node = pairs[-1][0].start_mark.line + 1, pairs[-1][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return None
    return line, node
