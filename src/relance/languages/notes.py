"""What there is to say of a workflow that could be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """Something that is read and has no effect, or that a job needs from outside."""

    where: str
    text: str
