"""Words of a drafted specification: YAML that reads back as it was meant, types, units and forms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from relance import formats, units
from relance.errors import InputError, RelanceError

MARK = "# decide:"
"""What every comment that asks for a decision begins with."""

OUTSIDE = (
    ("cvmfs", "/cvmfs", re.compile(r"/cvmfs/")),
    ("voms", "VOMS proxy", re.compile(r"voms-proxy|X509_USER_PROXY")),
    ("kerberos", "Kerberos ticket", re.compile(r"\bkinit\b|KRB5")),
    ("conditions-database", "conditions database", re.compile(r"frontier|GlobalTag", re.IGNORECASE)),
    ("network", "remote files", re.compile(r"root://|https?://|\b(?:xrdcp|curl|wget|rucio)\b")),
)
"""What tells that a command needs something from outside: kind and name of that, and its sign in a text."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_WORDS_OF_YAML = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_QUANTITY = re.compile(r"\s*[-+0-9.eE]+\s*(\S+)\s*")


def form(path: Path) -> tuple[str, tuple[str, ...], bool]:
    """Return level and formats that a file seems to have, and whether its content tells it."""
    try:
        found = formats.check(path, formats.names(), "input").format
    except RelanceError:
        guesses = {"hepmc": "hepmc3", "lhe": "lhe", "root": "root", "json": "pyhf-workspace"}
        suffixes = [suffix.lstrip(".").lower() for suffix in path.suffixes]
        found = next((guesses[suffix] for suffix in suffixes if suffix in guesses), "card")
        return formats.levels(found)[0], (found,), False
    levels = formats.levels(found)
    level = "ntuple" if "ntuple" in levels else levels[0]
    return level, (found,), len(levels) == 1


def value_lines(value: Any, written: Any, commented: str | None = None) -> Iterator[str]:
    """Write type, unit and default of a parameter that is `value`, `written` in the configuration file.

    commented: the unit that a comment there says.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match value:
        case _ if number and isinstance(written, str) and (unit := _common_unit(value, written)):
            yield "      type: number"
            yield f"      unit: {scalar(unit)}"
        case bool():
            yield "      type: boolean"
        case int() | float() if commented is not None and value == written:
            yield f"      type: {'integer' if isinstance(value, int) else 'number'}"
            yield f"      unit: {scalar(commented)}  # as a comment in the configuration says"
        case int():
            yield "      type: integer"
        case float():
            yield "      type: number"
            yield f'      unit: "1"  {MARK} its unit'
        case _ if (unit := unit_of(value)) is not None:
            yield "      type: number"
            yield f"      unit: {scalar(unit)}  {MARK} the unit of a bare number in the configuration"
        case _:
            yield "      type: text"
    yield f"      default: {json.dumps(value) if isinstance(value, (bool, int, float)) else quoted(value)}"


def _common_unit(value: float, written: str) -> str | None:
    """Return the unit in which a quantity as written is the number that the analysis made of it."""
    for unit in units.names():
        try:
            if value and units.parse(written, unit, "value") == value:
                return unit
        except InputError:
            continue
    return None


def unit_of(value: str) -> str | None:
    """Return the unit of a quantity as it is written, if that is what a text says."""
    match = _QUANTITY.fullmatch(value)
    if match is None or not units.known(match[1]):
        return None
    try:
        units.parse(value, match[1], "value")
    except RelanceError:
        return None
    return match[1]


def slug(given: str) -> str:
    """Return a name as the keys of a specification are written."""
    found = re.sub(r"[^a-z0-9_-]+", "_", given.lower()).strip("_-")
    return found if found[:1].isalpha() else f"a_{found}".rstrip("_")


def dotted_slug(key: str) -> str:
    """Return the key of a configuration as a name of the interface."""
    return ".".join(map(slug, key.split(".")))


def unique(wanted: str, taken: set[str]) -> str:
    """Return a name that isn't taken, and take it."""
    found, count = wanted, 2
    while found in taken:
        found, count = f"{wanted}_{count}", count + 1
    taken.add(found)
    return found


def scalar(value: str) -> str:
    """Write text as YAML: bare where nobody can take it for something else."""
    bare = _PLAIN.fullmatch(value) is not None and value.lower() not in _WORDS_OF_YAML
    return value if bare else quoted(value)


def quoted(value: str) -> str:
    """Write text as YAML in quotes, on one line whatever is in it."""
    return json.dumps(value, ensure_ascii=not value.isprintable())


def named(names: Iterable[str]) -> str:
    """Return the names of rules as a sentence has them, with the word before them."""
    known = list(names)
    return f"rule{'s' if len(known) > 1 else ''} {', '.join(known)}"
