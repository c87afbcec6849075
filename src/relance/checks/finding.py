"""What a check found: a stable code, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from relance.checks.codes import CODES, Code, Severity

__all__ = ["Code", "Finding", "Place", "Severity", "Target", "ordered"]


class Target(StrEnum):
    """What an analysis is to run on, besides this machine."""

    REANA = "reana"


@dataclass(frozen=True)
class Place:
    """Where something stands."""

    file: str
    """Relative to the folder that is checked."""
    line: int | None = None
    """Counted from 1."""
    column: int | None = None
    """Counted from 1."""

    def __str__(self) -> str:
        """Return `file:line:column`, as far as it is known."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or will be elsewhere."""

    code: str
    """One of `codes.CODES`."""
    place: Place
    subject: str
    expected: str
    found: str
    next_step: str

    @property
    def kind(self) -> Code:
        """What its code stands for."""
        return CODES[self.code]

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.kind.severity

    def __str__(self) -> str:
        """Say it in a line, without the place."""
        return f"{self.subject}: found {self.found}, expected {self.expected}; {self.next_step}"


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by file and line, each once."""

    def key(one: Finding) -> tuple[object, ...]:
        return (one.place.file, one.place.line or 0, one.place.column or 0, one.code, str(one))

    return tuple(sorted(dict.fromkeys(findings), key=key))
