"""What a REANA server tells, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relance.model import Digest


class Protocol(StrEnum):
    """How a server takes a workflow's specification."""

    JSON = "json"
    """Expanded, as JSON: 0.9."""
    BUNDLE = "bundle"
    """The files themselves, as a ZIP that the server reads: 0.95."""


class Login(StrEnum):
    """How a server wants to be told the token."""

    QUERY = "query"
    """As a part of the address, `access_token`."""
    BEARER = "bearer"
    """As a header."""


class Status(StrEnum):
    """How far a workflow is."""

    CREATED = "created"
    QUEUED = "queued"
    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    DELETED = "deleted"

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self in {Status.FINISHED, Status.FAILED, Status.STOPPED, Status.DELETED}


@dataclass(frozen=True)
class Server:
    """A server and what was found out about it."""

    address: str
    """Without a slash at the end, and without any token."""
    protocol: Protocol
    login: Login
    version: str | None
    """As it says itself; servers before 0.95 don't."""
    user: str
    """Whom it takes us for."""


@dataclass(frozen=True)
class Workflow:
    """One run of a workflow on a server."""

    id: str
    """A UUID."""
    name: str
    """`NAME.RUN`."""


@dataclass(frozen=True)
class Progress:
    """Counts of jobs; `total` may grow while a workflow runs."""

    total: int = 0
    running: int = 0
    finished: int = 0
    failed: int = 0


@dataclass(frozen=True)
class State:
    """How far a workflow is."""

    workflow: Workflow
    status: Status
    progress: Progress = Progress()
    created: str = ""
    """As the server writes it: ISO 8601."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a workspace."""

    path: str
    """Relative to the workspace, parts joined by `/`, none of them `..`."""
    size: int
    """Bytes."""
    modified: str
    """As the server writes it: ISO 8601."""


@dataclass(frozen=True)
class JobLog:
    """What a server knows of a job and what the job said."""

    id: str
    name: str
    status: str
    image: str
    command: str
    text: str
    started: float | None = None
    """Unix time, s; None if the server doesn't tell."""
    ended: float | None = None


@dataclass(frozen=True)
class Logs:
    """What the engine and the jobs said so far."""

    engine: str
    jobs: tuple[JobLog, ...]
    """By name."""


@dataclass(frozen=True)
class Secret:
    """A secret that the server keeps for its user; its value is never told."""

    name: str
    kind: str
    """`env` or `file`."""


@dataclass(frozen=True)
class Transferred:
    """A file that lies on both sides, verified."""

    path: str
    size: int
    """Bytes."""
    digest: Digest
    moved: bool
    """False if it was there already."""
