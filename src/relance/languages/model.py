"""The one model of a workflow, whatever language it was written in, as frozen dataclasses.

A workflow is a tuple of stages; a stage, once what it waits for is there, adds jobs or whole workflows.
Fields called `Json` hold what JSON can say and nothing else. Loads only the standard library: a compiled
workflow brings this file along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any
"""None, a boolean, a number, text, or lists and mappings of these."""


class PlanError(ValueError):
    """A workflow can't go on: what it says doesn't fit what is there. The message is for its author."""


@dataclass(frozen=True)
class Origin:
    """Where something was written."""

    file: str
    """Relative to the toplevel of the specification."""
    line: int


@dataclass(frozen=True)
class Selector:
    """Outputs of other stages' jobs."""

    query: str
    """JSONPath into the stages."""
    output: str | None = None
    """JSONPath into what each job published; None: all of it."""
    single: bool = False
    """Whether the query is for exactly one job, whose output isn't put into a list."""
    unwrap: bool = False
    flatten: bool = False


@dataclass(frozen=True)
class FromValue:
    """A value that some stage registered."""

    name: str
    scope: str | None = None
    """JSONPath of the nested workflow that has it; None: this one."""


@dataclass(frozen=True)
class Literal:
    """A value that is written out."""

    value: Json


@dataclass(frozen=True)
class Parameter:
    """A value that a stage hands to its jobs."""

    name: str
    value: Literal | Selector | FromValue


@dataclass(frozen=True)
class Command:
    """A command for `sh -c`, with `{parameter}` where a value goes."""

    text: str


@dataclass(frozen=True)
class Script:
    """A script that an interpreter reads from its standard input, with `{parameter}` where a value goes."""

    text: str
    interpreter: str = "sh"


@dataclass(frozen=True)
class Commands:
    """Commands for bash, one after another, each in a shell of its own, in a folder that holds all files.

    `${parameter}` stands where a value goes, `$$` for a dollar.
    """

    texts: tuple[str, ...]
    after: str | None = None
    """The stage whose folder theirs is a copy of when they begin; None: that of the given files."""


@dataclass(frozen=True)
class Mount:
    """A file of JSON made of a job's parameters."""

    path: str
    script: str
    """In jq."""


@dataclass(frozen=True)
class Container:
    """An image that a job runs in."""

    image: str
    tag: str = "latest"
    """Nothing if the image is named by its digest."""
    resources: tuple[str, ...] = ()
    """What it needs from outside: CVMFS, GRIDProxy, KRB5Auth and whatever else was named."""
    setup: str = ""
    """Path of a script that is sourced first."""
    folder: str | None = None
    """Where the command starts; None: the job's own folder."""
    mounts: tuple[Mount, ...] = ()

    @property
    def reference(self) -> str:
        """The image as container programs name it."""
        return f"{self.image}:{self.tag}" if self.tag else self.image


@dataclass(frozen=True)
class Local:
    """A job runs as a process, in its own folder."""


@dataclass(frozen=True)
class FromParameters:
    """Published is a structure in whose leaves names of parameters are replaced by their values."""

    outputs: Json


@dataclass(frozen=True)
class Interpolated:
    """Published is a structure in whose text `{parameter}` and `{workdir}` are replaced."""

    publish: Json
    glob: bool = False
    relative: bool = False


@dataclass(frozen=True)
class FromJq:
    """Published is what a jq script makes of the parameters; text that names files becomes their paths."""

    script: str = "."
    exact: bool = True
    glob: bool = False
    relative: bool = False


@dataclass(frozen=True)
class FromYaml:
    """Published is what a file in YAML says."""

    file: str


@dataclass(frozen=True)
class FromGlob:
    """Published is a list of files."""

    pattern: str
    key: str


@dataclass(frozen=True)
class Constant:
    """Published is always the same."""

    publish: Json


@dataclass(frozen=True)
class Step:
    """What one job does. Without a process it only publishes."""

    process: Command | Script | Commands | None
    environment: Container | Local | None
    publisher: FromParameters | Interpolated | FromJq | FromYaml | FromGlob | Constant
    origin: Origin


@dataclass(frozen=True)
class Case:
    """What a stage adds for a set of parameters."""

    step: Step | None = None
    workflow: Workflow | None = None
    """Exactly one of both."""
    condition: str | None = None
    """In jq, on the parameters; None: always."""


@dataclass(frozen=True)
class Single:
    """A stage adds one job."""


@dataclass(frozen=True)
class Scatter:
    """A stage adds a job for each set of values out of lists."""

    parameters: tuple[str, ...]
    cartesian: bool = False
    """Every combination, the last parameter fastest; else one of each list at a time."""
    batch: int | None = None
    """Values in one job."""
    parts: int | None = None
    """Jobs that the values are divided among."""


@dataclass(frozen=True)
class Scripted:
    """A stage adds a job for each parameter set that a jq script gives."""

    bindings: Json
    script: str = "[.]"
    after: str = "."
    """In jq, on each set once its values are known."""


@dataclass(frozen=True)
class Ready:
    """A stage waits until all that these JSONPaths match is there."""

    queries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fulfilled:
    """A stage waits until these expressions have values."""

    expressions: tuple[Selector | FromValue, ...]


@dataclass(frozen=True)
class Stage:
    """A rule that adds jobs or workflows."""

    name: str
    dependencies: Ready | Fulfilled
    schedule: Single | Scatter | Scripted
    parameters: tuple[Parameter, ...]
    cases: tuple[Case, ...]
    """The first whose condition holds counts."""
    origin: Origin
    registered: Mapping[str, Selector | FromValue] = field(default_factory=dict)
    relative: bool = True
    """Whether a nested workflow looks for its parameters' text among the files it is given."""
    discover: bool = False
    """Whether it takes such text for a pattern, too."""

    @property
    def many(self) -> bool:
        """Whether jobs are numbered."""
        return not isinstance(self.schedule, Single)


@dataclass(frozen=True)
class Workflow:
    """Stages that know of each other by name."""

    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage | None:
        """Return the stage of a name."""
        return next((stage for stage in self.stages if stage.name == name), None)
