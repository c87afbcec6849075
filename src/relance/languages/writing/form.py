"""An analysis in another language, as the files that are to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """What is written into a folder."""

    texts: Mapping[str, str]
    """By path, relative to the folder."""
    files: str = ""
    """Folder that the analysis's own files go to, relative to the folder."""
    run: tuple[str, ...] = ()
    """Commands that run it there, for people."""
