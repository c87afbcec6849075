"""The captured results beside those of the recast, as rows of text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from relance.results import Bands, Result, ResultFile, Results, html
from relance.results.figures import figure, ratio, shown_size, written

HEADER = ("result", "captured", "recast", "unit", "ratio")


@dataclass(frozen=True)
class Row:
    """One line: a number, or one of a result's bands."""

    name: str
    old: str
    new: str
    unit: str
    ratio: str
    """New over old; for files whether they are the same."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts in the order of `HEADER`."""
        return (self.name, self.old, self.new, self.unit, self.ratio)


def rows(old: Results | None, new: Results) -> tuple[Row, ...]:
    """Compare results; of bands the median has a row, and each band one of its own."""
    return tuple(row for name in new for row in _rows(old.get(name) if old else None, new[name]))


def text(compared: Sequence[Row]) -> str:
    """Return a table for a terminal."""
    lines = [HEADER, *(row.cells for row in compared)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def as_html(compared: Sequence[Row], caption: str = "") -> str:
    """Return a table for a notebook; all text in it is escaped."""
    return html.table(HEADER, [row.cells for row in compared], caption)


def _rows(old: Result | None, new: Result) -> Iterator[Row]:
    before = old.value if old else None  # hidden ones have none
    now = new.value
    if isinstance(now, Bands):
        was = before if isinstance(before, Bands) else None
        unit = written(new.unit)
        median = was.median if was else None
        yield Row(new.name, _number(old, median), figure(now.median), unit, ratio(now.median, median))
        yield Row("    ±1σ", _range(was, 1), _range(now, 1), unit, "")
        yield Row("    ±2σ", _range(was, 2), _range(now, 2), unit, "")
    elif isinstance(now, ResultFile):
        same = isinstance(before, ResultFile) and before.digest == now.digest
        size = shown_size(before.size) if isinstance(before, ResultFile) else "not known"
        told = "the same" if same else "differs" if before else ""
        yield Row(new.name, size, shown_size(now.size), "", told)
    elif new.hidden:
        yield Row(new.name, str(old) if old else "not known", str(new), "", "")
    else:
        number = before if isinstance(before, float) else None
        yield Row(new.name, _number(old, number), figure(now), written(new.unit), ratio(now, number))


def _number(old: Result | None, number: float | None) -> str:
    if old is None:
        return "not known"
    return str(old) if old.hidden else figure(number)


def _range(bands: Bands | None, sigmas: int) -> str:
    if bands is None:
        return ""
    low, high = (
        (bands.minus1sigma, bands.plus1sigma) if sigmas == 1 else (bands.minus2sigma, bands.plus2sigma)
    )
    return f"{figure(low)} … {figure(high)}"


def _width(shown: str) -> int:
    return sum(not unicodedata.combining(character) for character in shown)
