"""What is asked of a recast, and what it does to its caller."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from relance import digest
from relance.capsule.model import Capsule
from relance.engines.base import Watch
from relance.engines.limits import USUAL, Limits
from relance.model import Digest, RunResult, RuntimeKind
from relance.recast.changes import Changes, Checked
from relance.store.store import Store


@dataclass(frozen=True)
class Request:
    """What to recast, and how."""

    store: Store
    parent: Digest
    """Of the capsule."""
    capsule: Capsule
    changes: Changes
    outer: Mapping[str, str] = field(default_factory=dict)
    """The caller's environment variables; jobs see none of them."""
    cache: Path = Path()
    """Folder for what can be made again."""
    runtime: RuntimeKind | None = None
    trusted: bool = False
    """Whether the capsule's Snakefile is run without a sandbox."""
    cores: int = 1
    reuse: bool = True
    audit: int = 0
    """How many restored jobs are run once more."""
    fetch: bool = False
    """Whether inputs that the capsule keeps by reference may be brought, where jobs need them that run."""
    limits: Limits = USUAL
    """What it may take of this machine, unless it is trusted."""


@dataclass(frozen=True)
class Effects:
    """What a recast has on its caller."""

    say: Callable[[str], None]
    watching: Callable[[], AbstractContextManager[Watch]]
    """Entered for as long as jobs run."""


@dataclass(frozen=True)
class Unfinished:
    """A recast that a failed job, a refusal or a signal ended; the same request goes on."""

    folder: Path
    result: RunResult


def folder_name(request: Request, checked: Checked) -> str:
    """Return what the folder of a recast is called if nobody says: the same for the same recast."""
    name = re.sub(r"[^\w.-]+", "_", request.capsule.specification.identity.name)
    told = digest.of_json([request.parent, checked.digest]).removeprefix("sha256:")
    return f"{name}-recast-{told[:8]}"
