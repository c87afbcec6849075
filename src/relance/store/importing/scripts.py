"""The environment that the scripts of a Singularity image set, read without running them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_FIRST = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
"""What Apptainer sets before it reads them."""
_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_EXPORT = re.compile(rf"(?:export )?({_NAME})=(.*)", re.ASCII)
_EXPORTED = re.compile(rf"export ({_NAME})", re.ASCII)
_DEFAULT = re.compile(r'"\$\{(\w+):-"?((?:[^"\\$`]|\\.)*)"?\}"', re.ASCII)
_TOKEN = re.compile(
    r"""'(?P<single>[^']*)'|"(?P<double>(?:[^"\\`]|\\.)*)"|(?P<bare>[\w@%+=:,./${}-]+)""", re.ASCII
)
_USE = re.compile(rf"\$(?:({_NAME})|\{{({_NAME})\}})|\$", re.ASCII)


def exported(scripts: Iterable[str]) -> Mapping[str, str]:
    """Return what scripts export in words that can be read; what they compute otherwise is left to them."""
    known: dict[str, str] = {}
    names: set[str] = set()
    for script in scripts:
        for line in map(str.strip, script.splitlines()):
            bare = _EXPORTED.fullmatch(line)
            if bare:
                names.add(bare[1])
            match = _EXPORT.fullmatch(line)
            value = None if match is None else _value(match[1], match[2], {**_FIRST, **known})
            if match is not None and value is not None:
                known[match[1]] = value
                names |= {match[1]} if line.startswith("export ") else set()
    return {name: value for name, value in known.items() if name in names}


def _value(name: str, written: str, known: Mapping[str, str]) -> str | None:
    """Return what a shell would assign, if that is plain text and variables that are known; else None."""
    default = _DEFAULT.fullmatch(written)
    if default is not None and default[1] == name:
        return re.sub(r"\\(.)", r"\1", default[2])
    found, at = "", 0
    while at < len(written):
        token = _TOKEN.match(written, at)
        if token is None:
            return None
        at = token.end()
        if token["single"] is not None:
            found += token["single"]
            continue
        if token["double"] is not None and "$" not in token["double"]:
            found += re.sub(r"\\(.)", r"\1", token["double"])
            continue
        filled = _filled(token["bare"] if token["double"] is None else token["double"], known)
        if filled is None:
            return None
        found += filled
    return found


def _filled(text: str, known: Mapping[str, str]) -> str | None:
    pieces, at = [], 0
    for use in _USE.finditer(text):
        name = use[1] or use[2]
        if name is None or name not in known:
            return None
        pieces += [text[at : use.start()], known[name]]
        at = use.end()
    plain = "".join([*pieces, text[at:]])
    return None if "\\" in plain else plain
