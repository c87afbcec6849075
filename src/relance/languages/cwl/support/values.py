"""Values: files and folders as objects, which types they fit, and how they are written in a command."""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Iterator, Mapping
from decimal import Decimal

from relance.languages.cwl.model import Array, Enum, Plain, Record, Secondary, Type, Union
from relance.languages.cwl.support.places import ROOT, TEMPORARY, Places
from relance.languages.model import Json, PlanError

CONTENTS_LIMIT = 64 * 1024
"""How many bytes of a file may be read into a value."""
_WHOLE = {"int": 2**31, "long": 2**63}


def entry(path: str, *, folder: bool = False) -> dict[str, Json]:
    """Return the object of a file or folder at a path."""
    name = posixpath.basename(path)
    found: dict[str, Json] = {"class": "Directory" if folder else "File", "path": path, "basename": name}
    found["location"] = f"file://{path}"
    if not folder:
        found["nameroot"], found["nameext"] = posixpath.splitext(name)
        found["dirname"] = posixpath.dirname(path)
    return found


def given(value: Json) -> Json:
    """Return a value as it is written, with files as objects of the language.

    Raises:
        PlanError: a file has no path.
    """
    if isinstance(value, list):
        return [given(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if not is_entry(value):
        return {key: given(item) for key, item in value.items()}
    path = value.get("path") or value.get("location")
    if not isinstance(path, str) or not path:
        raise PlanError(f"{brief(value)} has no path")
    path = path if path.startswith("/") else f"{ROOT}/{path}"
    found = entry(path.rstrip("/"), folder=value["class"] == "Directory")
    return found | {key: given(value[key]) for key in ("secondaryFiles", "format") if key in value}


def is_entry(value: Json) -> bool:
    """Return whether a value is a file or folder."""
    return isinstance(value, dict) and value.get("class") in ("File", "Directory")


def entries(value: Json) -> Iterator[dict[str, Json]]:
    """Give every file and folder in a value, those beside another too."""
    if isinstance(value, list):
        for item in value:
            yield from entries(item)
    elif isinstance(value, dict):
        if is_entry(value):
            yield value
            yield from entries(value.get("secondaryFiles"))
        else:
            for item in value.values():
                yield from entries(item)


def fits(kind: Type, value: Json) -> bool:  # noqa: PLR0911 - one line a type
    """Return whether a value is of a type."""
    match kind:
        case Union():
            return any(fits(one, value) for one in kind.among)
        case Array():
            return isinstance(value, list) and all(fits(kind.items, item) for item in value)
        case Enum():
            return value in kind.symbols
        case Record():
            return isinstance(value, dict) and all(fits(one.type, value.get(one.name)) for one in kind.fields)
    match kind.name:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int" | "long":
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and -_WHOLE[kind.name] <= value < _WHOLE[kind.name]
        case "float" | "double":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "Any":
            return value is not None
    return isinstance(value, dict) and value.get("class") == kind.name


def shown(kind: Type) -> str:
    """Return a type for a message."""
    match kind:
        case Plain():
            return kind.name
        case Array():
            return f"array of {shown(kind.items)}"
        case Enum():
            return f"one of {', '.join(kind.symbols)}"
        case Record():
            return "record"
    return " or ".join(map(shown, kind.among))


def word(value: Json) -> str:
    """Return a value as a word of a command; numbers without exponents."""
    if is_entry(value):
        return str(value["path"])
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return str(value)


def beside(name: str, pattern: str) -> str:
    """Return the name of a file beside one of that name."""
    while pattern.startswith("^"):
        stem, dot, _ = name.rpartition(".")
        if not dot:
            return name + pattern.lstrip("^")
        name, pattern = stem, pattern[1:]
    return name + pattern


def with_secondary(value: Json, patterns: tuple[Secondary, ...], places: Places, *, discover: bool) -> Json:
    """Return a value whose files have the files beside them that the patterns name.

    Only what is given to the workflow is looked up on disk; what steps hand on has them already.

    Raises:
        PlanError: one that is required isn't there.
    """
    if isinstance(value, list):
        return [with_secondary(item, patterns, places, discover=discover) for item in value]
    if not is_entry(value) or not patterns:
        return value
    found = list(value.get("secondaryFiles") or [])
    for pattern in patterns:
        name = beside(value["basename"], pattern.pattern)
        if any(one["basename"] == name for one in found):
            continue
        path = f"{posixpath.dirname(value['path'])}/{name}"
        if discover and places.real(path).exists():
            found.append(entry(path, folder=places.real(path).is_dir()))
        elif pattern.required:
            raise PlanError(f"'{name}' isn't there beside '{value['basename']}'")
    return {**value, "secondaryFiles": found}


def with_contents(value: Json, places: Places) -> Json:
    """Return a value whose files have their text.

    Raises:
        PlanError: a file is longer than 64 KiB or isn't text.
    """
    if isinstance(value, list):
        return [with_contents(item, places) for item in value]
    if not is_entry(value) or value["class"] != "File":
        return value
    try:
        with places.real(value["path"]).open("rb") as file:
            data = file.read(CONTENTS_LIMIT + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"the text of '{value['basename']}' can't be read: {error}") from error
    if len(data) > CONTENTS_LIMIT:
        raise PlanError(f"'{value['basename']}' is longer than {CONTENTS_LIMIT} bytes, which is the most")
    return {**value, "contents": text}


def brief(value: Json) -> str:
    """Return a value for a message."""
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:77]}..."


def quoted(text: str) -> str:
    """Return a word for the shell; one with a sign is always in quotes, for a real path may have spaces."""
    if ROOT in text or TEMPORARY in text:
        return "'" + text.replace("'", "'\"'\"'") + "'"
    return shlex.quote(text)
