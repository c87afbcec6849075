"""What every engine offers: the same request, the same result, wherever the steps run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from signal import Signals
from typing import Protocol

from relance.engines.progress import Progress
from relance.model import RunRequest, RunResult, RuntimeKind


@dataclass(frozen=True)
class Capabilities:
    """What an engine can and can't do; commands ask here before they ask the engine."""

    remote: bool
    """Whether steps run on other machines, so that files have to be sent and fetched."""
    dry_run: bool
    """Whether it can tell what would run without running it."""
    runtimes: frozenset[RuntimeKind]
    """What it can run steps in."""


@dataclass(frozen=True)
class Watch:
    """The effects that a run has on its caller, given by the caller."""

    progress: Callable[[Progress], None]
    """Called with the run's state after each change and at least once a second."""
    stop: Callable[[], Signals | None]
    """Asked often; a signal makes the engine end the run as that signal would."""


class Engine(Protocol):
    """Runs workflows."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can and can't do."""
        ...

    def run(self, request: RunRequest, watch: Watch) -> RunResult:
        """Run the workflow to its end.

        A step that fails, a refusal by the analysis and an interruption are results, not exceptions.

        Raises:
            RelanceError: the run can't begin.
        """
        ...
