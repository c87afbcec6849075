"""The workflow of a work folder read and run in a sandbox, recorded as any run is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relance.engines.base import Watch
from relance.model import RunRecord, RunResult, RuntimeKind
from relance.recording.sources import Graph
from relance.rerun.folder import Work


@dataclass(frozen=True)
class Settings:
    """How a work folder is run."""

    outer: Mapping[str, str]
    """The caller's environment variables; what runs sees none of them."""
    runtime: RuntimeKind | None = None
    """What jobs run in; None: the first that works."""
    trusted: bool = False
    """Whether Snakemake runs on the machine itself, as `relance run` does; plain processes need it."""
    cores: int = 1
    values: Mapping[str, object] = field(default_factory=dict)
    """Values that replace those of the captured configuration; nested as in it."""
    targets: tuple[str, ...] = ()
    """Files to make; empty: what the Snakefile asks for first."""
    keep_going: bool = False
    arguments: tuple[str, ...] = ()
    """More arguments of Snakemake, such as `--forcerun reduce`."""
    cache: Path = Path()
    """Folder for environments of plain processes."""
    say: Callable[[str], None] = lambda _text: None
    """Told what is done in place of something better, and what takes long."""


@dataclass(frozen=True)
class Rerun:
    """What came of a run in a work folder."""

    result: RunResult
    """Its status may be any: a failed step and an interruption are results, not exceptions."""
    record: RunRecord | None
    """None if nothing ran: the analysis was refused, or the run interrupted before its first step."""


def graph(work: Work, settings: Settings) -> Graph:
    """Return the jobs that the workflow has with these values; nothing runs but the Snakefile's own Python.

    Raises:
        InputError: Snakemake refuses the workflow; its words are passed on.
        MissingPartError: there is no sandbox on this machine.
    """
    raise NotImplementedError


def run(work: Work, settings: Settings, watch: Watch) -> Rerun:
    """Run the workflow to its end and record it.

    What `steps.restore` put into the folder before is up to date for Snakemake and isn't run.

    Raises:
        MissingPartError: there is no sandbox on this machine, or no runtime for the jobs.
        AnalysisError: what the run left can't be read, as only a hostile one does it.
    """
    raise NotImplementedError
