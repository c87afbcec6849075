"""Findings that somebody has looked at and doesn't want to hear of again.

image: busybox   # relance: ignore[RL201]
# relance: ignore[RL201, RL202]      on a line of its own: the line that follows
# relance: ignore-file[RL305]        anywhere in a file: all of it
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from relance.checks.codes import CODES
from relance.checks.files import Files
from relance.checks.finding import Finding, Place
from relance.checks.names import suggestion

_COMMENT = re.compile(r"#\s*relance:\s*ignore(?P<file>-file)?\[(?P<codes>[^\]]*)\]")


@dataclass(frozen=True)
class Heard:
    """Findings, those that are silenced apart."""

    findings: tuple[Finding, ...]
    silenced: tuple[Finding, ...]


def heard(findings: Iterable[Finding], files: Files, known: Mapping[str, str]) -> Heard:
    """Tell the findings that comments, or the specification, silence from the others.

    Args:
        findings: all of them.
        files: where their places are.
        known: codes that the specification silences everywhere, with its reasons.
    """
    kept: list[Finding] = []
    silenced: list[Finding] = []
    whole: dict[str, frozenset[str]] = {}
    for finding in findings:
        file = finding.place.file
        if file not in whole:
            whole[file] = _everywhere(file, files)
        away = finding.code in known or finding.code in whole[file] | _at(finding.place, files)
        (silenced if away else kept).append(finding)
    return Heard(tuple(kept), tuple(silenced))


def unknown(files: Files, looked_at: Iterable[str]) -> tuple[Finding, ...]:
    """Return a finding for each comment that names no code."""
    found = []
    for file in looked_at:
        for number, line in enumerate(files.lines(file), 1):
            for comment in _COMMENT.finditer(line):
                for code in _codes(comment):
                    if code not in CODES:
                        found.append(
                            Finding(
                                "RL004",
                                Place(file, number, comment.start() + 1),
                                "a comment that is to silence a finding",
                                expected="codes of docs/check.md",
                                found=repr(code),
                                next_step=suggestion(code, CODES) or "correct or remove it",
                            )
                        )
    return tuple(found)


def _everywhere(file: str, files: Files) -> frozenset[str]:
    """Return the codes that comments silence in a whole file."""
    comments = (match for line in files.lines(file) for match in _COMMENT.finditer(line) if match["file"])
    return frozenset().union(*map(_codes, comments))


def _at(place: Place, files: Files) -> frozenset[str]:
    """Return the codes that comments on a line or above it silence at a place."""
    lines = files.lines(place.file)
    if place.line is None or place.line > len(lines):
        return frozenset()
    found: set[str] = set()
    near = [lines[place.line - 1]]
    above = place.line - 2
    while above >= 0 and lines[above].lstrip().startswith("#"):
        near.append(lines[above])
        above -= 1
    for line in near:
        for comment in _COMMENT.finditer(line):
            found |= _codes(comment)
    return frozenset(found)


def _codes(comment: re.Match[str]) -> set[str]:
    return {code.strip() for code in comment["codes"].split(",") if code.strip()}
