"""Containers in which a program of relance's own environment runs that must not be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mount:
    """A file or folder of the machine that a container is shown, read-only unless `writable`."""

    source: Path
    target: Path
    writable: bool = False
