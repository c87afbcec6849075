"""The words of the field as frozen dataclasses, shared by every layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NewType

Digest = NewType("Digest", str)
"""A sha256 as OCI writes it: `sha256:` and 64 hexadecimal digits in lower case; see `relance.digest`."""


@dataclass(frozen=True)
class ImageRef:
    """A container image that an analysis names."""

    name: str
    written: tuple[str, ...]
    """What a rule's `container:` may say for it: the path of a runtime image, or `docker://…`."""
    config: Digest | None
    """Digest of the OCI configuration, by which Podman and Docker know the image; None if not built here."""
    runtime_path: Path | None
    """The squashfs file that Apptainer runs; None if not built here."""


class RuntimeKind(StrEnum):
    """What the steps of a workflow run in, the most faithful first."""

    APPTAINER = "apptainer"
    PODMAN = "podman"
    DOCKER = "docker"
    PLAIN = "plain"


@dataclass(frozen=True)
class Runtime:
    """A runtime that works on this machine."""

    kind: RuntimeKind
    version: str
    rootless: bool = False
    """Whether the engine runs without root's rights (Podman only)."""
    remark: str = ""
    """What a user should know of how it works here, if anything."""


class StepState(StrEnum):
    """Where a step stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class StepProgress:
    """One job of a workflow, from the moment that it starts."""

    job: int
    rule: str
    wildcards: Mapping[str, str]
    state: StepState
    started: float
    """Unix time, seconds."""
    seconds: float | None = None
    """Duration; None while it runs."""
    outputs: tuple[str, ...] = ()
    """Paths as the workflow writes them: relative to its working folder, or absolute."""
    logs: tuple[str, ...] = ()
    command: str = ""
    reason: str = ""
    """Why the workflow runs it now."""

    @property
    def name(self) -> str:
        """The rule with its wildcards, as people tell jobs apart: `reduce stream=templates sample=ttbar`."""
        return " ".join([self.rule, *(f"{key}={value}" for key, value in self.wildcards.items())])


@dataclass(frozen=True)
class RunRequest:
    """What to run, and how."""

    analysis: Path
    """Folder that holds the Snakefile; the steps run in it."""
    configuration: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    """Values that replace those of the configuration; nested as in it."""
    cores: int = 1
    dry_run: bool = False
    keep_going: bool = False
    """Whether steps that don't depend on a failed one still run."""
    arguments: tuple[str, ...] = ()
    """Passed on to the engine's own command line as they are."""


class RunStatus(StrEnum):
    """How a run ended."""

    OK = "ok"
    FAILED = "failed"
    """A step failed."""
    REFUSED = "refused"
    """The analysis or its engine refused what was asked for, before any step ran."""
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class RunResult:
    """What came of a run."""

    analysis: Path
    runtime: RuntimeKind
    status: RunStatus
    message: str
    """Why it was refused or failed, in the engine's words; empty otherwise."""
    steps_total: int
    steps_done: int
    failed: tuple[StepProgress, ...]
    seconds: float
    results: tuple[str, ...]
    """The final products, relative to the analysis or absolute: what its target asks for."""
    record: Path
    """Folder with the run's events and console output."""
    uncontained: tuple[str, ...] = ()
    """Rules without a container: they ran with this machine's programs, files and environment."""
    planned: tuple[StepProgress, ...] = ()
    """What a dry run says would run."""
