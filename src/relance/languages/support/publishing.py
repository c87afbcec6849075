"""What a job publishes for others: values of its parameters, paths of its files, or what a file says."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator

from relance.languages.model import (
    Constant,
    FromGlob,
    FromJq,
    FromParameters,
    FromYaml,
    Interpolated,
    Json,
    PlanError,
    Step,
)
from relance.languages.support import interpolation, jqscript
from relance.languages.support.places import View

Pointer = tuple[str | int, ...]
Publisher = FromParameters | Interpolated | FromJq | FromYaml | FromGlob | Constant


def known_before(step: Step) -> bool:
    """Return whether what a step publishes is known before it has run."""
    match step.publisher:
        case FromYaml() | FromGlob():
            return False
        case Interpolated(glob=searched):
            return not searched
        case FromJq(glob=searched, exact=exact, relative=relative):
            return not searched and not (exact and relative)
    return True


def searches(publisher: Publisher, parameters: Json) -> bool:
    """Return whether text among the parameters may be the name of a file, or a pattern for several."""
    if not isinstance(publisher, FromJq):
        return False
    texts = [text for _, text in leaves(parameters) if isinstance(text, str)]
    named = publisher.exact and publisher.relative and not all(text.startswith("/") for text in texts)
    return named or (publisher.glob and any(map(glob.has_magic, texts)))


def publish(publisher: Publisher, parameters: Json, folder: str | None, places: View) -> Json:
    """Return what a job publishes.

    Args:
        publisher: how.
        parameters: the job's, with `{workdir}` already replaced.
        folder: where text is looked for as names of files; None: nowhere.
        places: what is known of files.

    Raises:
        PlanError: a parameter or file that it names isn't there.
    """
    match publisher:
        case Constant(value):
            return value
        case FromParameters(outputs):
            return changed(outputs, lambda name: _parameter(parameters, name))
        case FromJq():
            return _from_jq(publisher, parameters, folder, places)
    if folder is None:
        raise PlanError("a publisher of files has no folder to look in")
    match publisher:
        case Interpolated():
            return changed(
                publisher.publish, lambda text: _interpolated(publisher, text, parameters, folder, places)
            )
        case FromGlob(pattern, key):
            found = places.matches(f"{folder}/{pattern}")
            if not found:
                raise PlanError(f"nothing in {folder} matches the published pattern {pattern!r}")
            return {key: found}
        case FromYaml(file):
            return from_yaml(places.text(f"{folder}/{file}"), folder)


def leaves(value: Json, pointer: Pointer = ()) -> Iterator[tuple[Pointer, Json]]:
    """Give every leaf that isn't null or false, with the keys that lead to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*pointer, index))
    elif value is not None and value is not False:
        yield pointer, value


def changed(value: Json, change: Callable[[Json], Json]) -> Json:
    """Return a structure with each of its leaves replaced, but null and false."""
    if isinstance(value, dict):
        return {key: changed(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [changed(item, change) for item in value]
    return value if value is None or value is False else change(value)


def _parameter(parameters: Json, name: Json) -> Json:
    try:
        return parameters[name]
    except (KeyError, IndexError, TypeError) as error:
        raise PlanError(f"published is the parameter {name!r}, which isn't there") from error


def _interpolated(publisher: Interpolated, text: Json, parameters: Json, folder: str, places: View) -> Json:
    if not isinstance(text, str):
        return text
    filled = interpolation.fill_published(text, parameters, folder)
    path = filled
    if publisher.relative and not filled.startswith("/"):
        path = f"{folder}/{filled}"
    if not publisher.glob:
        return path
    return places.matches(path) or filled


def _from_jq(publisher: FromJq, parameters: Json, folder: str | None, places: View) -> Json:
    result = jqscript.first(publisher.script, parameters)
    if folder is None:
        return result

    def found(text: Json) -> Json:
        if not isinstance(text, str):
            return text
        path = text
        if publisher.relative and not text.startswith("/"):
            path = f"{folder}/{text}"
        if publisher.exact and places.exists(path):
            return path
        return (publisher.glob and places.matches(path)) or text

    return changed(result, found)


def from_yaml(text: str, name: str) -> Json:
    """Return what a published file says, if JSON can say it; `name` is for messages.

    Raises:
        PlanError: it isn't YAML, or has something else in it.
    """
    import yaml  # noqa: PLC0415 - no other step needs it

    try:
        return _json(yaml.safe_load(text), name)
    except (yaml.YAMLError, RecursionError) as error:
        raise PlanError(f"the file that '{name}' publishes isn't YAML: {error}") from error


def _json(value: Json, name: str) -> Json:
    if isinstance(value, dict):
        return {_key(key): _json(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item, name) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise PlanError(f"'{name}' publishes {value!r}, which JSON can't say")


def _key(key: Json) -> str:
    """Return a mapping's key as JSON has it: what YAML takes for true or null is spelt so."""
    words = {True: "true", False: "false", None: "null"}
    return words[key] if key is None or isinstance(key, bool) else str(key)
