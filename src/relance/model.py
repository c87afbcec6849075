"""The words of the field as frozen dataclasses, shared by every layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, NewType

Digest = NewType("Digest", str)
"""A sha256 as OCI writes it: `sha256:` and 64 hexadecimal digits in lower case; see `relance.digest`."""


@dataclass(frozen=True)
class Part:
    """A piece of content that is kept as a blob of its own; size in bytes."""

    digest: Digest
    size: int


@dataclass(frozen=True)
class Stored:
    """Content kept in a store: one blob of this digest, or, if it is very large, parts in their order."""

    digest: Digest
    """sha256 of the whole content."""
    size: int
    """Bytes."""
    parts: tuple[Part, ...] = ()

    @property
    def blobs(self) -> tuple[Part, ...]:
        """The blobs that hold it."""
        return self.parts or (Part(self.digest, self.size),)


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
    message: str = ""
    """What the engine said of its failure, in its own words; empty otherwise."""

    @property
    def name(self) -> str:
        """The rule with its wildcards, as people tell jobs apart: `reduce stream=templates sample=ttbar`."""
        return " ".join([self.rule, *(f"{key}={value}" for key, value in self.wildcards.items())])


@dataclass(frozen=True)
class Slurm:
    """A batch system, Slurm, that gets a run's jobs."""

    jobs: int
    """Most of them to have there at once."""
    accounted: bool
    """Whether it keeps account of jobs that have ended."""


@dataclass(frozen=True)
class RunRequest:
    """What to run, and how."""

    analysis: Path
    """Folder that holds the Snakefile; the steps run in it."""
    configuration: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    """Values that replace those of the configuration; nested as in it."""
    cores: int | None = 1
    """Most to use at once; on a batch system most for one job, and None for as many as it asks for."""
    dry_run: bool = False
    keep_going: bool = False
    """Whether steps that don't depend on a failed one still run."""
    arguments: tuple[str, ...] = ()
    """Passed on to the engine's own command line as they are."""
    snakefile: str | None = None
    """The workflow's file, relative to the analysis; None: the one that Snakemake would find."""
    slurm: Slurm | None = None
    """The batch system that gets the jobs; None: they run on this machine."""


@dataclass(frozen=True)
class StepPlan:
    """What becomes of a step in a run."""

    name: str
    """As people tell steps apart; see `StepProgress.name`."""
    state: Literal["reuse", "restore", "run"]
    """`reuse`: its results lie there, or nobody needs them; `restore`: they come from the store."""
    why: str


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
    plan: tuple[StepPlan, ...] = ()
    """What was to become of each step that was known before the run; empty if nothing could be reused."""


Unknown = Literal["unknown"]
UNKNOWN: Unknown = "unknown"
"""Stands in a record for what nobody can tell any more."""


@dataclass(frozen=True)
class FileDigest:
    """A file or folder that jobs read or wrote, as it was found when the record was made."""

    path: str
    """As the workflow writes it: relative to its working folder, or absolute."""
    kind: Literal["file", "folder", "gone"]
    digest: Digest | Unknown
    """sha256 of a file's content, or of a folder's tree; see `relance.digest`."""
    size: int | Unknown
    """Bytes; of a folder, those of all its files."""
    source: Literal["content", "snakemake", "none"]
    """Who hashed it: relance, or Snakemake when a job read it (for what is gone since); `none` if nobody."""
    altered: bool = False
    """Whether it was written after the job that made it ended, or, a raw input, after the first job that
    read it began: then the digest is not that of what the run made or read."""


@dataclass(frozen=True)
class Parameter:
    """A value that a rule gives to its job."""

    name: str | Unknown | None
    """None if it has none."""
    value: object
    exact: bool
    """Whether `value` is the value itself; else it is text that shows it as Python does."""


CodeKind = Literal["shell", "script", "notebook", "run", "other", "unknown"]


@dataclass(frozen=True)
class CodeRecord:
    """What a job executes besides, or instead of, a command."""

    kind: CodeKind
    path: str | None = None
    digest: Digest | Unknown = UNKNOWN
    """sha256 of the script or notebook, or of the text of a rule's `run:` and `shell:` as written."""
    files: tuple[str, ...] | Unknown = UNKNOWN
    """Every source file of the analysis that the job's code may reach, relative to the analysis; their
    digests stand in `RunRecord.files`."""


@dataclass(frozen=True)
class ImageRecord:
    """The container image of a job."""

    written: str
    """As the rule names it."""
    manifest: Digest | Unknown = UNKNOWN
    config: Digest | Unknown = UNKNOWN
    runtime: Digest | Unknown = UNKNOWN
    """sha256 of the image file that Apptainer runs."""
    resolved: Literal["written", "run", "afterwards", "unknown"] = UNKNOWN
    """Whence the digests: written in the rule or the list of images; from what the run used; looked up only
    afterwards, so that the run may have had others; or there are none."""


@dataclass(frozen=True)
class JobRecord:
    """One job of a recorded run, without what differs from one run to the next."""

    rule: str
    wildcards: Mapping[str, str] | Unknown
    status: Literal["ok", "failed", "unfinished", "not run", "unknown"]
    exit: int | Unknown | None
    """Exit status; None where no process ended: the job was not run, or didn't finish."""
    attempts: int | Unknown
    command: str | Unknown | None
    """None for `script:`, `notebook:` and `run:`."""
    parameters: tuple[Parameter, ...] | Unknown
    code: CodeRecord
    image: ImageRecord | Unknown | None
    """None if the rule names none."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    logs: tuple[str, ...]
    temporary: tuple[str, ...] | Unknown = UNKNOWN
    protected: tuple[str, ...] | Unknown = UNKNOWN
    directories: tuple[str, ...] | Unknown = UNKNOWN
    """Outputs that are folders."""
    threads: int | Unknown = UNKNOWN


@dataclass(frozen=True)
class JobTimes:
    """What differs from one run of a job to the next. Unix times in seconds; memory in bytes."""

    started: float | Unknown
    ended: float | Unknown
    peak_memory: int | Unknown
    peak_memory_of: Literal["all processes", "largest process"] | Unknown = UNKNOWN
    """What that is the peak of: a benchmark's samples add up all processes of a job."""


@dataclass(frozen=True)
class RemoteRun:
    """A run that somebody else's machines did: where it is known, and by what."""

    engine: Literal["reana"]
    server: str
    """Its address."""
    version: str
    """Of the server, as it says itself, or `unknown`."""
    id: str
    name: str
    """`NAME.RUN`."""


@dataclass(frozen=True)
class RunFacts:
    """What a run as a whole was."""

    made: Literal["during the run", "afterwards"]
    """`afterwards` if no events were recorded: then jobs come from Snakemake's metadata and graph alone."""
    graph: bool
    """Whether Snakemake's graph of jobs could be read: it gives names of parameters, flags and targets."""
    status: Literal["ok", "failed", "unfinished", "unknown"]
    relance: str
    snakemake: str | Unknown
    command: tuple[str, ...] | Unknown
    snakefile: FileDigest | Unknown
    included: tuple[FileDigest, ...] | Unknown
    configuration_files: tuple[FileDigest, ...] | Unknown
    configuration: Mapping[str, object] | Unknown
    configuration_digest: Digest | Unknown
    platform: str
    processor: str
    libc: str
    runtime: str
    """`apptainer`, `podman`, `docker`, `plain`, `reana`, or `unknown`."""
    runtime_version: str
    targets: tuple[str, ...]
    """What the run was asked for: what rules without outputs name, else what no job reads."""
    read: tuple[FileDigest, ...] | Unknown = UNKNOWN
    """Files of the analysis that were opened while its Snakefile was parsed."""
    read_outside: tuple[FileDigest, ...] | Unknown = UNKNOWN
    """Files elsewhere that were, by absolute path; without those of Python, Snakemake and the system."""
    variables: tuple[str, ...] | Unknown = UNKNOWN
    """Names of environment variables that the Snakefile asked for."""
    beyond: tuple[str, ...] | Unknown = UNKNOWN
    """What else it did while it was parsed that no record can hold: `program git`, `network example.org`."""
    environments: Mapping[str, Digest] = field(default_factory=dict)
    """Of the locked environments that jobs of a plain run used: `envs/<name>.txt`."""
    redacted: tuple[str, ...] = ()
    """Places of this record where a value that looks like a secret was left out."""
    remote: RemoteRun | None = None
    """Where it ran, if not on this machine."""
    stand_ins: tuple[str, ...] = ()
    """What rules write for images in whose place a mapping file put others."""


@dataclass(frozen=True)
class RunRecord:
    """A run: comparable with another run of the same by all but `started`, `ended` and `times`."""

    run: RunFacts
    jobs: tuple[JobRecord, ...]
    files: tuple[FileDigest, ...]
    """Every input, output and source file of a job once, by path."""
    started: float | Unknown
    ended: float | Unknown
    times: tuple[JobTimes, ...]
    """Of each job, in the same order."""
