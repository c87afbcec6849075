"""What there is to say of a workflow that could be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """Something that is read and has no effect, or that a job needs from outside."""

    where: str
    text: str


def workspace(where: str, text: object) -> tuple[Note, ...]:
    """Return what there is to say of a text if it names the folder that only REANA has."""
    if not isinstance(text, str) or "REANA_WORKSPACE" not in text:
        return ()
    said = "REANA_WORKSPACE is empty here, as in yadage itself: hand on paths of files or folders"
    return (Note(where, said),)
