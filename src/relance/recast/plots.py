"""Limits of the capsule and of the recast side by side, with their bands; needs the extra `plots`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any

from relance.errors import MissingPartError
from relance.results import Bands, Result, Results
from relance.results.figures import written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ONE_SIGMA = "#00a651"
_TWO_SIGMA = "#ffd54a"
_LOADED = ("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf")
_WIDE = 5.0  # largest over smallest value from which an axis is logarithmic
# Nothing of the time or the machine: the same numbers make the same bytes.
_METADATA: Mapping[str, Mapping[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


@dataclass(frozen=True)
class Limit:
    """Bands, and what was observed of the same quantity if the analysis declares it."""

    bands: str
    observed: str | None


def limits(results: Results) -> tuple[Limit, ...]:
    """Return what can be drawn: bands, each with the observed number that stands beside it in its file."""
    found = []
    for name, result in results.items():
        if isinstance(result.value, Bands):
            beside = [other for other in results.values() if _beside(result, other)]
            found.append(Limit(name, beside[0].name if len(beside) == 1 else None))
    return tuple(found)


def prepare(old: Results | None) -> Thread:
    """Begin to load what drawing needs, beside other work: it takes longer than to draw.

    What is known already is drawn once for nothing, for the first drawing takes twice as long. Wait for the
    thread before `draw`: matplotlib is for one at a time.
    """
    thread = Thread(target=_load, args=(old or {},), daemon=True)
    thread.start()
    return thread


def _load(old: Results) -> None:
    with suppress(Exception):  # what is wrong the drawing that counts will tell
        for name in _LOADED:
            import_module(name)
        draw(old, old)


def draw(old: Results | None, new: Results) -> Mapping[str, bytes]:
    """Return the figure as `png` and `pdf`; empty if no result has bands.

    Raises:
        MissingPartError: matplotlib isn't there.
    """
    wanted = limits(new)
    if not wanted:
        return {}
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingPartError(
            "no plot of the limits was drawn",
            expected="the Python package matplotlib",
            found="none",
            next_step="type 'pip install relance[plots]' and the same command again",
        ) from error
    figure = Figure(figsize=(1.6 + 3.2 * len(wanted), 4.6), layout="constrained")
    panels = figure.subplots(1, len(wanted), squeeze=False)[0]
    for axes, limit in zip(panels, wanted, strict=True):
        _panel(axes, limit, old, new)
    labelled = [axes.get_legend_handles_labels() for axes in panels]
    known = {
        label: handle for handles, labels in labelled for handle, label in zip(handles, labels, strict=True)
    }
    figure.legend(
        known.values(), known.keys(), loc="outside upper center", ncols=2, frameon=False, fontsize="small"
    )
    drawn = {}
    for kind, metadata in _METADATA.items():
        stream = io.BytesIO()
        figure.savefig(stream, format=kind, dpi=150, metadata=dict(metadata))
        drawn[kind] = stream.getvalue()
    return drawn


def _beside(bands: Result, other: Result) -> bool:
    """Return whether a number is the observed one of some bands: same file, same unit, same parent."""
    return (
        other.observed
        and isinstance(other.value, float)
        and (other.file, other.unit) == (bands.file, bands.unit)
        and _parent(other.pointer) == _parent(bands.pointer)
    )


def _parent(pointer: str | None) -> str:
    return (pointer or "").rpartition("/")[0]


def _panel(axes: Axes, limit: Limit, old: Results | None, new: Results) -> None:
    columns = [("captured", old), ("recast", new)] if old is not None else [("recast", new)]
    numbers: list[float] = []
    for position, (_, results) in enumerate(columns):
        if results is None or limit.bands not in results:
            continue
        numbers += _column(axes, position, results, limit)
    axes.set_xlim(-0.6, len(columns) - 0.4)
    axes.set_xticks(range(len(columns)), [label for label, _ in columns])
    result = new[limit.bands]
    unit = written(result.unit)
    axes.set_ylabel(_folded(result.title) + (f" [{unit}]" if unit else ""), parse_math=False)
    if numbers and min(numbers) > 0 and max(numbers) / min(numbers) > _WIDE:
        axes.set_yscale("log")
    elif numbers and min(numbers) >= 0:
        axes.set_ylim(bottom=0)


def _column(axes: Axes, position: int, results: Results, limit: Limit) -> list[float]:
    """Draw one column; return the numbers in it."""
    bands = results[limit.bands].value
    if not isinstance(bands, Bands):
        return []
    drawn: list[float] = []
    for low, high, colour, label in (
        (bands.minus2sigma, bands.plus2sigma, _TWO_SIGMA, "expected ± 2σ"),
        (bands.minus1sigma, bands.plus1sigma, _ONE_SIGMA, "expected ± 1σ"),
    ):
        if low is not None and high is not None:
            axes.fill_between([position - 0.35, position + 0.35], low, high, color=colour, label=label, lw=0)
            drawn += [low, high]
    if bands.median is not None:
        axes.hlines(
            bands.median, position - 0.35, position + 0.35, "black", "dashed", label="expected, median"
        )
        drawn.append(bands.median)
    beside = results.get(limit.observed) if limit.observed else None
    observed = beside.value if beside else None
    if isinstance(observed, float):
        axes.hlines(observed, position - 0.35, position + 0.35, "black", "solid", label="observed", lw=2)
        drawn.append(observed)
    return drawn


def _folded(title: str, width: int = 44) -> str:
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)
