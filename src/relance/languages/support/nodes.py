"""What planning finds in a workflow: its jobs, and the workflows nested in its stages."""

from __future__ import annotations

from dataclasses import dataclass

from relance.languages.model import FromJq, Json, Origin, Step, Workflow
from relance.languages.support import naming
from relance.languages.support.patterns import Numbered

INIT = "init"
"""The job that publishes a workflow's own parameters."""


class UnpublishedError(Exception):
    """Something depends on what the jobs of a stage publish once they have run."""

    def __init__(self, scope: Scope, stage: str) -> None:
        super().__init__(scope.folder, stage)
        self.scope = scope
        self.stage = stage


@dataclass(frozen=True, eq=False)
class Node:
    """A job, or what only publishes."""

    name: str
    """Its folder, relative to that of all jobs."""
    scope: Scope
    stage: str
    step: Step
    case: int
    """Which of its stage's cases it is."""
    parameters: Json
    used: tuple[Node, ...]
    """Those that its parameters come from."""
    writes: bool = True
    """Whether it has a folder of its own."""

    @property
    def runs(self) -> bool:
        """Whether it is a job."""
        return self.step.process is not None and self.step.environment is not None


@dataclass(frozen=True, eq=False)
class Scope:
    """A workflow with its parameters: the whole, or one nested in a stage."""

    folder: str
    """Relative to that of all jobs; empty for the whole."""
    workflow: Workflow
    init: Node | None
    """What publishes its parameters; None if there are none."""
    path: Numbered = ()
    """Stage and number of each workflow around and of itself."""

    def within(self, name: str) -> str:
        """Return the folder of something in it."""
        own = naming.folder(name)
        return f"{self.folder}/{own}" if self.folder else own


Entry = Node | Scope


def begun(
    scope: Scope,
    parameters: Json,
    used: tuple[Node, ...] = (),
    *,
    origin: Origin,
    discover: bool,
    relative: bool,
) -> Scope:
    """Return a workflow with what publishes its parameters.

    Args:
        scope: the workflow without parameters.
        parameters: what it is given.
        used: the jobs that the parameters come from.
        origin: of the stage that it is nested in.
        discover: whether text among the parameters may be a pattern for files.
        relative: whether it may be a path within the folder that the parameters come from.
    """
    publisher = FromJq(".", exact=True, glob=discover, relative=relative)
    step = Step(None, None, publisher, origin)
    init = Node(scope.within(INIT), scope, INIT, step, 0, parameters, used, writes=False)
    return Scope(scope.folder, scope.workflow, init, scope.path)
