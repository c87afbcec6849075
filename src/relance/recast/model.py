"""What came of a recast, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relance.model import Digest, RuntimeKind
from relance.recast.changes import Checked
from relance.results import Results
from relance.results.validation import Judged


@dataclass(frozen=True)
class Condition:
    """Something that results were found with, such as the luminosity."""

    value: float
    unit: str


@dataclass(frozen=True)
class Job:
    """A job of the analysis and what the recast does with it."""

    name: str
    state: str
    """`run`, `restore` (from the store) or `reuse` (not even needed, since what it makes is not read)."""
    why: str
    seconds: float | None = None
    """How long it ran; None if it didn't."""


@dataclass(frozen=True)
class Audited:
    """A restored job that was run once more."""

    job: str
    differing: tuple[str, ...]
    """Outputs that came out different from what is in the store."""


@dataclass(frozen=True)
class Planned:
    """What a recast would run."""

    parent: Digest
    name: str
    version: str
    changes: Checked
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Recast:
    """A recast that is done. Numbers are in the unit that stands beside them."""

    folder: Path
    """Holds `recast.json`, `results.txt` and plots."""
    analysis: Path
    """The folder in it that the analysis ran in."""
    parent: Digest
    name: str
    version: str
    changes: Checked
    conditions: Mapping[str, Condition]
    captured: Results | None
    """Those of the capsule; None if it doesn't hold them."""
    results: Results
    jobs: tuple[Job, ...]
    validation: tuple[Judged, ...] = ()
    audit: tuple[Audited, ...] = ()
    plots: tuple[Path, ...] = ()
    runtime: RuntimeKind | None = None
    started: float | None = None
    """Unix time, s."""
    seconds: float | None = None
