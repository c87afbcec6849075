"""What a conversion makes, before anything of it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relance.drafting.converted import Known


@dataclass(frozen=True)
class Copied:
    """A file or folder that an analysis gets a copy of."""

    source: Path
    place: str
    """Relative to the analysis."""


@dataclass(frozen=True)
class Unpacked:
    """A ZIP archive whose files an analysis gets."""

    source: Path
    place: str
    """Folder, relative to the analysis."""
    wanted: str | None = None
    """Pattern of the one folder in it that counts; None: all of it."""


@dataclass(frozen=True)
class Converted:
    """An analysis made of a workflow in another language."""

    source: str
    """The file of the workflow, for messages."""
    texts: Mapping[str, str]
    """Files by their paths."""
    known: Known
    copies: tuple[Copied, ...] = ()
    archives: tuple[Unpacked, ...] = ()
    notes: tuple[str, ...] = ()
    """What has no effect, or is needed from outside."""
    configuration: str | None = None
    """Name of the configuration that it is run with, if that isn't the usual one."""
    cases: Mapping[str, str] = field(default_factory=dict)
    """Files of changes for `relance recast --from`, by their paths."""
    tests: Mapping[str, Converted] = field(default_factory=dict)
    """Analyses of single steps, by their folders."""
