"""Units that stand in the comments of a configuration, where nobody but people reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from relance import document, units
from relance.errors import InputError

_NUMBER = re.compile(
    r"[^#'\"{}\[\],]*:[ \t]+[-+]?[0-9.][0-9.eE+-]*[ \t]*(?:(?<=[ \t])#+[ \t]*(?P<comment>.*))?"
)
_COMMENT_ALONE = re.compile(r"[ \t]*#+[ \t]*(?P<comment>.*)")
_BRACKETED = re.compile(r"[\[(][ \t]*(?:in[ \t]+)?(?P<unit>[^\s\[\]()]+)[ \t]*[\])]")
_IN = re.compile(r"\bin[ \t]+(?P<unit>[^\s,;]+)")
_FIRST = re.compile(r"(?P<unit>[^\s,;:()\[\]]+)(?P<after>.*)")
_INVERSE = re.compile(r"(?:1?/(?P<over>[a-z]+)|(?P<under>[a-z]+)(?:\*\*|\^)?[{(]?[-−⁻][1¹][)}]?)")
_SURE = {"keV", "MeV", "GeV", "TeV", "PeV", "ab^-1", "fb^-1", "pb^-1", "nb^-1", "ub^-1"}
_NO_UNITS = {"1"}


def units_of(path: Path) -> Mapping[str, str]:
    """Return the units that a YAML configuration's comments name, by the dotted keys of its numbers.

    The comment behind a number counts where it begins with a unit, has one in brackets or after 'in'; else
    the comment on the line above it where it has one in brackets or after 'in'. A word such as 'b' or 's',
    which can be anything, counts in brackets or alone.
    """
    try:
        read = document.read(path)
        lines = path.read_text(encoding="utf-8").splitlines()
    except InputError:
        return {}
    found = {}
    for keys, number in read.lines.items():
        line = lines[number - 1] if number <= len(lines) else ""
        written = _NUMBER.fullmatch(line)
        if written is None or not keys or not all(isinstance(key, str) for key in keys):
            continue
        above = _COMMENT_ALONE.fullmatch(lines[number - 2]) if number > 1 else None
        unit = _unit(written["comment"] or "", first=True)
        unit = unit or (_unit(above["comment"], first=False) if above else None)
        if unit:
            found[".".join(map(str, keys))] = unit
    return found


def _unit(comment: str, *, first: bool) -> str | None:
    """Return the unit that a comment names."""
    for match in _BRACKETED.finditer(comment):
        if unit := _known(match["unit"]):
            return unit
    for match in _IN.finditer(comment):
        if (unit := _known(match["unit"].rstrip(".)"))) in _SURE:
            return unit
    begin = _FIRST.match(comment) if first else None
    unit = _known(begin["unit"].rstrip(".")) if begin else None
    alone = begin is not None and not re.match(r"[ \t]*\w", begin["after"])
    return unit if unit in _SURE or alone else None


def _known(word: str) -> str | None:
    """Return a unit as relance writes it; people also write fb-1, fb⁻¹, /fb and 1/fb."""
    inverse = _INVERSE.fullmatch(word)
    unit = (
        f"{inverse['over'] or inverse['under']}^-1" if inverse else word.replace("µ", "u").replace("μ", "u")
    )
    return unit if units.known(unit) and unit not in _NO_UNITS else None
