"""Parameters of a submission, each of the type that reana.yaml or the analysis's specification gives it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relance import document
from relance.engines.reana.declared import Declared, Language
from relance.errors import InputError
from relance.specification import values
from relance.specification.model import Interface

_LEGACY_FILE = "input"
"""Among the parameters of a Snakemake workflow, the path of a file of more of them."""

_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


def typed(declared: Declared, given: Mapping[str, str], interface: Interface | None) -> dict[str, Any]:
    """Return what a server is told, with JSON's types, nested as in the configuration.

    given: text by name, as typed. interface: of the analysis, if it has a specification: its names, units
    and ranges hold; what it doesn't know must be a parameter in reana.yaml.

    Raises:
        InputError: a name that nothing declares, or a value of another type.
    """
    known = interface.parameters if interface is not None else {}
    ours = {name: text for name, text in given.items() if name in known}
    found = values.overrides(interface, ours) if interface is not None and ours else {}
    for name, text in given.items():
        if name not in ours:
            found[name] = _typed(declared.parameters, name, text, known)
    if found and declared.language is not Language.SNAKEMAKE:
        for name in found:
            if name not in declared.parameters:
                raise _unknown(declared.parameters, name, ())
    # Servers replace what stands under a key of reana.yaml as a whole.
    return {name: merged(declared.parameters.get(name), value) for name, value in found.items()}


def again(known: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of a run that is started again, with some replaced by values of the same types.

    Raises:
        InputError: a name that the run doesn't have, or a value of another type.
    """
    found: dict[str, Any] = merged(
        dict(known), {name: _typed(known, name, text, {}) for name, text in given.items()}
    )
    return found


def configuration(declared: Declared, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration that a Snakemake workflow is run with, as servers put it together.

    Raises:
        InputError: the file of parameters that reana.yaml names can't be read.
    """
    own = dict(declared.parameters)
    legacy = own.pop(_LEGACY_FILE, None)
    section = declared.content["workflow"].get("parameters")
    file = section.get("file") if isinstance(section, dict) else legacy
    read = document.read(declared.folder / file).value if isinstance(file, str) else {}
    found: dict[str, Any] = merged(merged(read if isinstance(read, dict) else {}, own), dict(given))
    return found


def merged(below: Any, above: Any) -> Any:
    """Return two mappings as one, in which the second counts more, at every depth."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}


def _typed(defaults: Mapping[str, Any], name: str, text: str, known: Mapping[str, object]) -> Any:
    if name not in defaults:
        raise _unknown(defaults, name, known)
    default = defaults[name]
    if isinstance(default, str):
        return text
    value = document.value(text, Path("--set"))
    if not _agrees(default, value):
        raise InputError(
            f"parameter '{name}'",
            expected=f"{_kind(default)}, as {default!r} in reana.yaml",
            found=repr(text),
            next_step="write such a value",
        )
    return float(value) if isinstance(default, float) else value


def _agrees(default: Any, value: Any) -> bool:
    return (
        default is None
        or _kind(default) == _kind(value)
        or (_kind(default), _kind(value))
        == (
            "a number",
            "a whole number",
        )
    )


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "nothing")


def _unknown(defaults: Mapping[str, Any], name: str, known: Mapping[str, object] | tuple[()]) -> InputError:
    names = [*defaults, *known]
    nearest = difflib.get_close_matches(name, names, n=1)
    return InputError(
        f"parameter '{name}'",
        expected=f"one of {', '.join(names)}" if names else "none, since reana.yaml declares none",
        found="a name that nothing declares",
        next_step=f"did you mean '{nearest[0]}'?"
        if nearest
        else "add it to 'inputs: parameters:' in reana.yaml",
    )
