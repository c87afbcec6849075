"""What came of a recast, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relance.model import Digest, RuntimeKind
from relance.recast import comparison
from relance.recast.changes import Checked
from relance.results import Results, html
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
    fetched: Mapping[str, int] = field(default_factory=dict)
    """Inputs kept elsewhere that jobs need that run, with their sizes in bytes."""
    left: Mapping[str, int] = field(default_factory=dict)
    """Those that no such job needs."""

    def _repr_html_(self) -> str:
        """Show the jobs in a notebook."""
        return html.table(("job", "", "why"), [(job.name, job.state, job.why) for job in self.jobs])


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

    def _repr_html_(self) -> str:
        """Show old and new results in a notebook, with the plot of the limits if there is one."""
        ran = [job.name for job in self.jobs if job.state == "run"]
        shown = [
            html.paragraph(f"{self.name} {self.version}, recast: {len(ran)} of {len(self.jobs)} jobs run"),
            comparison.as_html(comparison.rows(self.captured, self.results)),
        ]
        shown += [
            html.image(path.read_bytes(), "limits, captured and recast")
            for path in self.plots
            if path.suffix == ".png" and path.is_file()
        ]
        return "".join(shown)
