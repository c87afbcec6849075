"""Who made an analysis and what they call it: CITATION.cff, pyproject.toml, git's history, its licence."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relance import document
from relance.errors import InputError
from relance.specification import orcid
from relance.specification.model import Author

_ORCID = re.compile(r"[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]")
_LICENCES = (
    ("Apache-2.0", "apache license"),
    ("GPL-3.0-or-later", "gnu general public license"),
    ("LGPL-3.0-or-later", "gnu lesser general public license"),
    ("MIT", "permission is hereby granted, free of charge"),
    ("BSD-3-Clause", "redistribution and use in source and binary forms"),
)
_MOST_AUTHORS = 30


@dataclass(frozen=True)
class Facts:
    """What an analysis says of itself; None or empty where it says nothing."""

    title: str | None
    version: str | None
    description: str | None
    licence: str | None
    keywords: tuple[str, ...]
    authors: tuple[Author, ...]
    authors_from: str
    """Where the authors were found."""


def read(analysis: Path) -> Facts:
    """Gather what can be found; a file that can't be read counts as absent."""
    citation = _citation(analysis / "CITATION.cff")
    project = _project(analysis / "pyproject.toml")
    licence = citation.get("license") or project.get("license")
    sources = (
        ("CITATION.cff", tuple(_cited(citation.get("authors")))),
        ("pyproject.toml", tuple(_named(project.get("authors")))),
        ("git's history", _committers(analysis)),
    )
    origin, authors = next(((name, found) for name, found in sources if found), ("", ()))
    keywords = citation.get("keywords") or project.get("keywords") or []
    return Facts(
        title=_text(citation.get("title")),
        version=_text(citation.get("version") or project.get("version")),
        description=_text(citation.get("abstract") or project.get("description")),
        licence=_text(licence) or _licence_file(analysis),
        keywords=tuple(dict.fromkeys(word for word in keywords if isinstance(word, str) and word)),
        authors=authors,
        authors_from=origin,
    )


def _text(value: object) -> str | None:
    return " ".join(str(value).split()) or None if isinstance(value, (str, int, float)) else None


def _citation(path: Path) -> Mapping[str, Any]:
    try:
        value = document.read(path).value
    except InputError:
        return {}
    return value if isinstance(value, dict) else {}


def _project(path: Path) -> Mapping[str, Any]:
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _cited(authors: object) -> Iterator[Author]:
    for author in authors if isinstance(authors, list) else ():
        if isinstance(author, dict):
            parts = (author.get("given-names"), author.get("name-particle"), author.get("family-names"))
            name = _text(author.get("name")) or " ".join(filter(None, map(_text, parts)))
            written = _ORCID.search(str(author.get("orcid", "")))
            # A mistyped one would only be refused: it is asked for instead.
            known = written[0] if written and orcid.fits(written[0]) else None
            if name:
                yield Author(name, _text(author.get("affiliation")), known)


def _named(authors: object) -> Iterator[Author]:
    for author in authors if isinstance(authors, list) else ():
        if isinstance(author, dict) and (name := _text(author.get("name"))):
            yield Author(name)


def _committers(analysis: Path) -> tuple[Author, ...]:
    """Return who committed to the analysis's folder, those with most commits first."""
    try:
        done = subprocess.run(
            ["git", "log", "--format=%aN", "--", "."],
            cwd=analysis,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError:  # no git on this machine
        return ()
    commits = Counter(name for line in done.stdout.splitlines() if (name := line.strip()))
    ordered = sorted(commits, key=lambda name: (-commits[name], name))
    return tuple(Author(name) for name in ordered[:_MOST_AUTHORS])


def _licence_file(analysis: Path) -> str | None:
    for name in ("LICENSE", "LICENCE", "LICENSE.txt", "LICENSE.md", "COPYING"):
        try:
            text = " ".join((analysis / name).read_text(encoding="utf-8").lower().split())
        except (OSError, UnicodeDecodeError):
            continue
        return next((spdx for spdx, words in _LICENCES if words in text), None)
    return None
