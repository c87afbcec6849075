"""Text with `{parameter}` in it, filled in as Python's `str.format` does, but for access to attributes."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping

from relance.languages.model import Json, PlanError

_WIDEST = 4


class _Formatter(string.Formatter):
    """Python's own, refusing what reaches into objects or would fill the memory."""

    def get_field(self, field_name: str, args: Json, kwargs: Json) -> Json:
        """Look a field up."""
        if "." in re.sub(r"\[[^\]]*\]", "", field_name):
            raise PlanError(f"'{{{field_name}}}' reaches into a value, which isn't allowed")
        return super().get_field(field_name, args, kwargs)

    def format_field(self, value: Json, format_spec: str) -> str:
        """Format a value; no field is wider than 9999."""
        if any(len(digits) > _WIDEST for digits in re.findall("[0-9]+", format_spec)):
            raise PlanError(f"'{format_spec}' is too wide a format")
        return str(super().format_field(value, format_spec))


def fill(text: str, parameters: Json) -> str:
    """Return a command's text with its parameters, which lists join by spaces.

    Raises:
        PlanError: a placeholder has no value.
    """
    if isinstance(parameters, dict):
        return _formatted(text, (), {key: _joined(value) for key, value in parameters.items()})
    if isinstance(parameters, list):
        return _formatted(text, tuple(map(_joined, parameters)), {})
    return _formatted(text, (), {"value": parameters})


def fill_published(text: str, parameters: Json, workdir: str) -> str:
    """Return a published text with its parameters and `{workdir}`; lists stay as Python writes them.

    Raises:
        PlanError: a placeholder has no value.
    """
    if isinstance(parameters, dict):
        if "workdir" in parameters:
            raise PlanError("a parameter is called 'workdir', as the job's folder is")
        return _formatted(text, (), {**parameters, "workdir": workdir})
    if isinstance(parameters, list):
        return _formatted(text, tuple(parameters), {"workdir": workdir})
    return _formatted(text, (), {"value": parameters, "workdir": workdir})


def substitute(text: str, parameters: Mapping[str, Json]) -> str:
    """Return a text with `$parameter` and `${parameter}` replaced as Python writes the values.

    Raises:
        PlanError: there is no such parameter, or a dollar stands alone.
    """
    try:
        return string.Template(text).substitute(parameters)
    except (KeyError, ValueError) as error:
        known = ", ".join(sorted(parameters)) or "nothing"
        found = f"no parameter {error}, which is none of {known}" if isinstance(error, KeyError) else error
        raise PlanError(
            f"{_shown(text)!r} can't be filled in: {found}; a dollar itself is written '$$'"
        ) from error


def fill_folders(value: Json, folders: Mapping[str, str]) -> Json:
    """Return a value with `{workdir}` and `{readdir0}` replaced in all its text.

    Raises:
        PlanError: another placeholder is there.
    """
    if isinstance(value, dict):
        return {key: fill_folders(item, folders) for key, item in value.items()}
    if isinstance(value, list):
        return [fill_folders(item, folders) for item in value]
    if not isinstance(value, str) or not re.search("[{}]", value):
        return value
    try:
        return _Formatter().vformat(value, (), folders)
    except IndexError:
        return value
    except (KeyError, ValueError) as error:
        raise _unbound(value, error, folders) from error


def _joined(value: Json) -> Json:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _formatted(text: str, args: tuple[Json, ...], names: Mapping[str, Json]) -> str:
    try:
        return _Formatter().vformat(text, args, names)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise _unbound(text, error, names) from error


def _unbound(text: str, error: Exception, names: Mapping[str, Json]) -> PlanError:
    shown = _shown(text)
    known = ", ".join(sorted(names)) or "nothing"
    if isinstance(error, (KeyError, IndexError)):
        return PlanError(f"{shown!r} has the placeholder {error}, which is none of {known}")
    return PlanError(f"{shown!r} can't be filled in ({error}); a brace itself is written twice")


def _shown(text: str) -> str:
    return text.strip().splitlines()[0][:80] if text.strip() else text
