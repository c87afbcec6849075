"""Results as frozen dataclasses; numbers are in the unit that stands beside them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from relance.errors import InputError
from relance.model import Digest
from relance.results import html
from relance.results.figures import quantity, shown_size
from relance.specification.model import ResultType, Visibility

SIGMAS = ("minus2sigma", "minus1sigma", "median", "plus1sigma", "plus2sigma")
"""Keys of bands, the lowest first, as `fit-result.schema.json` has them."""


@dataclass(frozen=True)
class Bands:
    """A median with its bands of one and two standard deviations; None where a search found no value."""

    minus2sigma: float | None
    minus1sigma: float | None
    median: float | None
    plus1sigma: float | None
    plus2sigma: float | None


@dataclass(frozen=True)
class ResultFile:
    """A file, or a folder, that is a result; size in bytes."""

    path: str
    digest: Digest
    size: int


@dataclass(frozen=True)
class Result:
    """What a run found for one result of the interface."""

    name: str
    title: str
    type: ResultType
    unit: str | None
    """Of the numbers; None for a file, `1` for a pure number."""
    value: float | Bands | ResultFile | None
    """None if it is hidden, or where the analysis says that there is none (null in the file)."""
    observed: bool
    """Whether it reveals data."""
    visibility: Visibility
    file: str
    """Where it was read, relative to the analysis."""
    pointer: str | None = None
    hidden: bool = False
    """Whether its value was left out since who asks may not see it."""

    def __float__(self) -> float:
        """Return the number, or the median of bands, in `unit`.

        Raises:
            InputError: there is none: a file, something hidden, or no value was found.
        """
        number = self.value.median if isinstance(self.value, Bands) else self.value
        if isinstance(number, float):
            return number
        raise InputError(
            f"result '{self.name}'", expected="a number", found=str(self), next_step="see its 'value'"
        )

    def __str__(self) -> str:
        """Return value and unit as people write them: `0.9421 fb`, `1.2 fb (+0.5 −0.3)`."""
        if self.hidden:
            return f"hidden ({self.visibility})"
        match self.value:
            case None:
                return "none"
            case ResultFile():
                return f"{self.value.path} ({shown_size(self.value.size)})"
            case Bands():
                value = self.value
                return quantity(value.median, self.unit, value.minus1sigma, value.plus1sigma)
            case _:
                return quantity(self.value, self.unit)


class UnknownResultError(InputError, KeyError):
    """A result was asked for by a name that the interface doesn't declare."""


@dataclass(frozen=True)
class Results(Mapping[str, Result]):
    """All results of a run, by the names of the interface, in its order."""

    by_name: Mapping[str, Result]

    def __getitem__(self, name: str) -> Result:
        """Return a result.

        Raises:
            UnknownResultError: the interface declares none of this name. It is a KeyError too.
        """
        if name not in self.by_name:
            near = [known for known in self.by_name if name in known]
            near = near or difflib.get_close_matches(name, self.by_name, n=3, cutoff=0.5)
            raise UnknownResultError(
                f"result '{name}'",
                expected=f"one of {', '.join(self.by_name)}",
                found=repr(name),
                next_step=f"did you mean {' or '.join(map(repr, near))}?" if near else "choose one of them",
            )
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def _repr_html_(self) -> str:
        """Show a table in a notebook."""
        rows = [(name, str(result), result.title) for name, result in self.by_name.items()]
        return html.table(("result", "value", ""), rows)
