"""The parts of an analysis specification as frozen dataclasses; quantities are in the unit that is declared.

Fields have the names of the keys in the file, so that a specification can be written as it was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from relance.model import Digest


class Level(StrEnum):
    """Where in the chain a file enters."""

    CARD = "generator-card"
    LHE = "lhe"
    HEPMC = "hepmc"
    DAOD = "daod"
    NANOAOD = "nanoaod"
    NTUPLE = "ntuple"
    HISTOGRAMS = "histograms"
    LIKELIHOOD = "likelihood"


class ParameterType(StrEnum):
    """What a parameter's value is."""

    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"


class ResultType(StrEnum):
    """What a result is."""

    NUMBER = "number"
    BANDS = "bands"
    """A median with its bands of one and two standard deviations, as in `fit-result.schema.json`."""
    FILE = "file"


class Visibility(StrEnum):
    """Who may see something."""

    PUBLIC = "public"
    COLLABORATION = "collaboration"
    BLINDED = "blinded"
    """Nobody sees what data say until the analysis is unblinded."""


Value = float | int | bool | str


@dataclass(frozen=True)
class Author:
    """Who made the analysis."""

    name: str
    affiliation: str | None = None
    orcid: str | None = None


@dataclass(frozen=True)
class Identifiers:
    """Under what numbers an analysis is known elsewhere."""

    inspire: str | None = None
    hepdata: str | None = None
    arxiv: str | None = None
    doi: str | None = None


@dataclass(frozen=True)
class Identity:
    """What the analysis is and who made it."""

    name: str
    title: str
    version: str
    authors: tuple[Author, ...]
    licence: str
    description: str | None = None
    collaboration: str | None = None
    topic: str | None = None
    keywords: tuple[str, ...] = ()
    identifiers: Identifiers = Identifiers()


@dataclass(frozen=True)
class Entry:
    """How the analysis is run; paths are relative to its folder."""

    language: str
    file: str
    configuration: str | None = None
    sources: tuple[str, ...] = ()
    """Patterns of the files that come with the analysis; empty: all that version control knows of."""


@dataclass(frozen=True)
class Form:
    """One way to give an input."""

    level: Level
    formats: tuple[str, ...]
    """Names of `relance.formats`, any of which will do."""
    key: str
    """Key of the configuration that the file's path is written to."""
    replaces: tuple[str, ...] = ()
    """Parameters that mean nothing once this file is given."""


@dataclass(frozen=True)
class Input:
    """A file that may be given in place of what the analysis makes or brings."""

    title: str
    forms: tuple[Form, ...]


@dataclass(frozen=True)
class Parameter:
    """A value that may be changed."""

    title: str
    type: ParameterType
    key: str
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    """Like `minimum`, itself excluded."""
    below: float | None = None
    """Like `maximum`, itself excluded."""
    choices: tuple[Value, ...] = ()
    default: Value | None = None


@dataclass(frozen=True)
class ResultField:
    """A number or file that the analysis is run for."""

    title: str
    type: ResultType
    file: str
    """Relative to the analysis; `{output}` stands for the value of that key of the configuration."""
    unit: str | None = None
    pointer: str | None = None
    """JSON pointer (RFC 6901) into the file; None for a file as a whole."""
    observed: bool = False
    """Whether it reveals data."""
    visibility: Visibility | None = None
    """None: as all results."""


@dataclass(frozen=True)
class Interface:
    """What may be swapped or set, and what comes out; each by name."""

    results: Mapping[str, ResultField]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """What a result is known to be; agreement is within the larger of the tolerances."""

    value: float
    because: str
    relative: float | None = None
    absolute: float | None = None

    @property
    def tolerance(self) -> float:
        """The largest difference that still agrees, in the result's unit."""
        return max((self.relative or 0.0) * abs(self.value), self.absolute or 0.0)

    def agrees(self, found: float) -> bool:
        """Return whether a value found by a rerun, in the result's unit, is the known one."""
        return abs(found - self.value) <= self.tolerance


@dataclass(frozen=True)
class Case:
    """A run whose results are known."""

    title: str
    expected: Mapping[str, Reference]
    configuration: str | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """Products that a capsule holds besides the results."""

    path: str
    reason: str | None = None


@dataclass(frozen=True)
class ExternalData:
    """Data kept by reference."""

    path: str
    size: int
    """Bytes."""
    sha256: str
    locations: tuple[str, ...]
    adler32: str | None = None


@dataclass(frozen=True)
class Tolerance:
    """How far products may differ when they are made again and still be the same."""

    path: str
    """Pattern of paths; `{output}` stands for the value of that key of the configuration."""
    because: str
    inside: str | None = None
    """Pattern of the parts of a file that it holds for; None: all."""
    relative: float | None = None
    """Largest difference over the larger of both values."""
    absolute: float | None = None
    """Largest difference, in the file's unit; of both tolerances the larger counts."""
    p_value: float | None = None
    """Least p-value of the χ² between two histograms."""
    unordered: bool = False
    """Whether the order of an array's items, or of a table's lines, doesn't count."""
    ignored: bool = False
    """Whether these parts aren't compared."""


@dataclass(frozen=True)
class Products:
    """What a capsule holds besides the results, and how its products are compared with those of a rerun."""

    keep: tuple[Kept, ...] = ()
    external: tuple[ExternalData, ...] = ()
    tolerances: tuple[Tolerance, ...] = ()


@dataclass(frozen=True)
class Outside:
    """Something that the analysis needs and a capsule can't hold."""

    kind: str
    name: str
    reason: str
    rules: tuple[str, ...] = ()
    """Rules that need it; all of them if empty."""
    reuse: bool = False
    """Whether results of these rules may be reused all the same; `reason` says why."""


@dataclass(frozen=True)
class AllowedSecret:
    """A file that looks as if it held a secret, and holds none."""

    digest: Digest
    """sha256 of the file, or of the text in an image: a changed one is looked at again."""
    reason: str


@dataclass(frozen=True)
class Check:
    """What `relance check` needn't say of the analysis."""

    ignore: Mapping[str, str] = field(default_factory=dict)
    """Codes of findings, each with the reason why it doesn't matter here."""


@dataclass(frozen=True)
class Audience:
    """Who may see what."""

    specification: Visibility
    products: Visibility
    results: Visibility


@dataclass(frozen=True)
class Specification:
    """All that an analysis declares of itself."""

    identity: Identity
    workflow: Entry
    interface: Interface
    visibility: Audience
    validation: Mapping[str, Case] = field(default_factory=dict)
    products: Products = Products()
    outside: tuple[Outside, ...] = ()
    allowed_secrets: tuple[AllowedSecret, ...] = ()
    check: Check = field(default_factory=Check)

    def visibility_of(self, result: str) -> Visibility:
        """Return who may see a result; only one that reveals data is ever blinded.

        Raises:
            KeyError: there is no result of this name.
        """
        declared = self.interface.results[result]
        asked = declared.visibility or self.visibility.results
        if asked is Visibility.BLINDED and not declared.observed:
            return Visibility.COLLABORATION
        return asked
