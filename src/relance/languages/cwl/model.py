"""Tools and workflows of the Common Workflow Language, as far as they can be compiled.

Text that may hold parameter references is kept as it was written; `support.expressions` fills it in. Loads
only the standard library: a compiled workflow brings this file along.
"""

from __future__ import annotations

from dataclasses import dataclass

from relance.languages.model import Json, Origin


@dataclass(frozen=True)
class Binding:
    """How a value becomes words of a command line."""

    position: int | str = 0
    prefix: str | None = None
    separate: bool = True
    separator: str | None = None
    """Between the items of an array that become one word."""
    quoted: bool = True
    """Whether the shell sees it as it is; without a shell it has no effect."""
    value: str | None = None
    """What takes the value's place."""


@dataclass(frozen=True)
class Plain:
    """`null`, a number, text, `File`, `Directory` or `Any`."""

    name: str


@dataclass(frozen=True)
class Array:
    """Any number of values of one type."""

    items: Type
    binding: Binding | None = None


@dataclass(frozen=True)
class Enum:
    """One of several words."""

    symbols: tuple[str, ...]
    binding: Binding | None = None


@dataclass(frozen=True)
class Member:
    """A field of a record."""

    name: str
    type: Type
    binding: Binding | None = None


@dataclass(frozen=True)
class Record:
    """Named values, each of its own type."""

    fields: tuple[Member, ...]
    binding: Binding | None = None


@dataclass(frozen=True)
class Union:
    """A value of any of several types; the first that fits counts."""

    among: tuple[Type, ...]


Type = Plain | Array | Enum | Record | Union


@dataclass(frozen=True)
class Secondary:
    """A file beside another."""

    pattern: str
    """Put behind the file's name; each `^` at its beginning takes an ending off first."""
    required: bool


@dataclass(frozen=True)
class Default:
    """A value that is used where none is given."""

    value: Json


@dataclass(frozen=True)
class Input:
    """What a tool or workflow is given."""

    name: str
    type: Type
    binding: Binding | None = None
    default: Default | None = None
    secondary: tuple[Secondary, ...] = ()
    contents: bool = False
    """Whether the text of files is read, up to 64 KiB."""


@dataclass(frozen=True)
class Output:
    """What a tool leaves."""

    name: str
    type: Type
    globs: tuple[str, ...] = ()
    evaluated: str | None = None
    """A parameter reference into the files that were found."""
    contents: bool = False
    secondary: tuple[Secondary, ...] = ()


@dataclass(frozen=True)
class Staged:
    """A file or folder that lies in a job's folder when its command begins."""

    entry: str
    """Text of the file, or a reference to files."""
    name: str | None = None


@dataclass(frozen=True)
class Resources:
    """What a job asks for: processors, and memory and room in MiB."""

    cores: Json = 1
    ram: Json = 256
    tmpdir: Json = 1024
    outdir: Json = 1024


@dataclass(frozen=True)
class Tool:
    """A command."""

    origin: Origin
    version: str
    """Of the language: escapes in text differ."""
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    command: tuple[str, ...] = ()
    arguments: tuple[Binding, ...] = ()
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    image: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    staged: tuple[Staged, ...] = ()
    resources: Resources = Resources()
    shell: bool = False
    success: tuple[int, ...] = ()


@dataclass(frozen=True)
class Link:
    """Where a value comes from: outputs of steps (`step/output`) and inputs of the workflow."""

    sources: tuple[str, ...] = ()
    merge: str | None = None
    pick: str | None = None


@dataclass(frozen=True)
class Handed:
    """What a step hands to its process."""

    name: str
    link: Link
    default: Default | None = None
    value: str | None = None
    contents: bool = False


@dataclass(frozen=True)
class Step:
    """A part of a workflow."""

    name: str
    origin: Origin
    runs: Tool | Workflow
    inputs: tuple[Handed, ...]
    outputs: tuple[str, ...]
    scatter: tuple[str, ...] = ()
    method: str = "dotproduct"
    when: str | None = None


@dataclass(frozen=True)
class Result:
    """An output of a workflow."""

    name: str
    link: Link


@dataclass(frozen=True)
class Workflow:
    """Steps that hand values to each other."""

    version: str
    inputs: tuple[Input, ...]
    results: tuple[Result, ...]
    steps: tuple[Step, ...]
    watched: bool = False
    """Whether the text of files that jobs write is read, so that each must have run first."""
