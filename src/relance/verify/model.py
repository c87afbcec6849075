"""What verifying a capsule found, as frozen dataclasses; docs/verify.md tells what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from relance.compare.model import Difference, Tier
from relance.model import Digest, RunFacts
from relance.results import html
from relance.results.figures import figure, shown_size, written

_SHOWN = 3  # differences of a product, in a notebook

REPORT_FORMAT = "relance-verify-report"
APPROVAL_FORMAT = "relance-approval"
VERSION = 1


class Verdict(StrEnum):
    """What came of verifying."""

    INTACT = "intact"
    """Every blob is what its digest says; nothing was run."""
    DAMAGED = "damaged"
    REPRODUCED = "reproduced"
    """Every product has the same content again."""
    WITHIN = "reproduced within tolerance"
    """Every product is the same within what the analysis declares, or its results are."""
    DIFFERS = "differs"
    FAILED = "failed"
    """The analysis did not run to its end."""
    NOT_CLOSED = "not closed"
    """It did not run to its end, and needs what the capsule doesn't hold."""
    UNDECIDED = "undecided"
    """Some products have other bytes, and a library that could tell more is missing."""


@dataclass(frozen=True)
class Problem:
    """Something of a capsule that isn't as it was."""

    what: str
    """`input data/a.txt`, `layer 2 of image docker://…`, `jobs.json`, …; all that one blob belongs to."""
    expected: str
    found: str


@dataclass(frozen=True)
class Integrity:
    """What checking every blob found."""

    blobs: int
    size: int
    """Bytes that were read."""
    problems: tuple[Problem, ...] = ()
    by_digest_only: int = 0
    """Files that the capsule knows but doesn't hold."""

    @property
    def holds(self) -> bool:
        """Return whether everything is as it was."""
        return not self.problems


@dataclass(frozen=True)
class Machine:
    """Where a run took place."""

    platform: str
    processor: str
    libc: str
    runtime: str
    runtime_version: str

    @classmethod
    def of(cls, run: RunFacts) -> Machine:
        """Return what a record says of it."""
        return cls(run.platform, run.processor, run.libc, run.runtime, run.runtime_version)


@dataclass(frozen=True)
class ReportedProduct:
    """A product of the captured run beside that of the rerun."""

    path: str
    tier: Tier
    kind: str = "bytes"
    expected: Digest | None = None
    found: Digest | None = None
    differences: tuple[Difference, ...] = ()
    """The first ones; none if the product is blinded."""
    more: int = 0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportedResult:
    """A result before and now, in its unit; of bands from the lowest to the highest, else one number.

    A number is None where a search found no value.
    """

    name: str
    unit: str
    agrees: bool
    expected: tuple[float | None, ...] = ()
    """Of the captured run, or the reference of a validation case."""
    found: tuple[float | None, ...] = ()
    tolerance: float = 0.0
    """Largest difference that agrees."""
    equal: bool = False
    """Whether both are the very same."""
    because: str = ""
    """Why the tolerance is as large, in the specification's words; empty if there is none."""
    remark: str = ""


@dataclass(frozen=True)
class Report:
    """What verifying a capsule found."""

    format: str
    version: int
    relance: str
    capsule: Digest
    analysis: str
    """Name and version."""
    verdict: Verdict
    time: float
    """Unix time of its beginning, s."""
    seconds: float
    integrity: Integrity
    reran: bool = False
    case: str | None = None
    """The validation case that was run; None: the captured run itself."""
    captured_on: Machine | None = None
    rerun_on: Machine | None = None
    products: tuple[ReportedProduct, ...] = ()
    results: tuple[ReportedResult, ...] = ()
    not_closed: tuple[str, ...] = ()
    """What a rerun needs and the capsule doesn't hold, in words."""
    message: str = ""
    """Why it failed, in the words of what failed."""

    def _repr_html_(self) -> str:
        """Show the report in a notebook."""
        read = f"{self.integrity.blobs} blobs, {shown_size(self.integrity.size)} read"
        shown = [html.paragraph(f"{self.analysis or 'capsule'}: {self.verdict}; {read}")]
        shown += [html.paragraph(text) for text in (*self.not_closed, self.message) if text]
        tables = (
            ("damaged", ("expected", "found"), self._problems()),
            ("product", ("the same in", ""), self._products()),
            ("result", ("captured" if self.case is None else "reference", "found", ""), self._results()),
        )
        shown += [html.table((name, *columns), rows) for name, columns, rows in tables if rows]
        return "".join(shown)

    def _problems(self) -> list[tuple[str, str, str]]:
        return [(problem.what, problem.expected, problem.found) for problem in self.integrity.problems]

    def _products(self) -> list[tuple[str, str, str]]:
        return [
            (product.path, product.tier, "; ".join(map(_told, product.differences[:_SHOWN])))
            for product in self.products
        ]

    def _results(self) -> list[tuple[str, str, str, str]]:
        return [
            (
                result.name,
                _numbers(result.expected, result.unit),
                _numbers(result.found, result.unit),
                result.remark or ("the same" if result.equal else "agrees" if result.agrees else "differs"),
            )
            for result in self.results
        ]


def _told(difference: Difference) -> str:
    return f"{difference.where}: {difference.expected} → {difference.found}"


def _numbers(values: Iterable[float | None], unit: str) -> str:
    return f"{', '.join(map(figure, values))} {written(unit)}".strip()


@dataclass(frozen=True)
class Approval:
    """Somebody's word on a capsule. It is not signed: it proves nothing about who wrote it."""

    format: str
    version: int
    capsule: Digest
    by: str
    time: float
    """Unix time, s."""
    comment: str = ""
