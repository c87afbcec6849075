"""Plots of the fit: every region before and after it, pulls, correlations, and the scan of CLs."""

import math
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from dilepton.inference import Fit, Inference, Prediction, Predictions, by_region
from dilepton.regions import Analysis, Luminosity, PlotSettings, Region
from dilepton.report import Inputs

# No date and no program version, so that equal results are equal files.
METADATA = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
MOST_PROCESSES = 2
"""Those that draw; as many as the fit's rule has threads."""
GREEN, YELLOW = "#00cc00", "#ffcc00"
STYLE = {
    "font.family": ["TeX Gyre Heros", "DejaVu Sans"],
    "font.size": 13,
    "axes.labelsize": 14,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 11.5,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
}


def draw_all(
    folder: Path,
    analysis: Analysis,
    formats: Sequence[str],
    inputs: Inputs,
    found: Inference,
    *,
    predictions: Predictions,
) -> None:
    """Draw every plot, in every format, into a folder that exists.

    Raises:
        OSError: a file can't be written.
    """
    drawings: dict[str, Callable[[], Figure]] = {}
    for stage, predicted in (("before_fit", predictions.before), ("after_fit", predictions.after)):
        for region in analysis.regions:
            prediction = by_region(predicted)[region.name]
            drawings[f"{region.name}_{stage}"] = partial(
                _region, analysis, inputs, predictions, region, prediction=prediction, stage=stage
            )
    drawings["pulls"] = partial(_pulls, found.background, analysis, inputs)
    drawings["correlations"] = partial(_correlations, found.background, analysis)
    drawings["cls_scan"] = partial(_scan, analysis, inputs, found)
    save = partial(_save, drawings, folder, formats, analysis.plots.resolution)
    # Drawing takes longer than fitting; what the processes need is inherited, so that nothing is copied.
    processes = min(MOST_PROCESSES, len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(
        processes, multiprocessing.get_context("fork"), initializer=_inherit, initargs=(save,)
    ) as pool:
        list(pool.map(_save_one, drawings))


_inherited: list[Callable[[str], None]] = []


def _inherit(save: Callable[[str], None]) -> None:
    _inherited.append(save)


def _save_one(name: str) -> None:
    _inherited[0](name)


def _save(
    drawings: Mapping[str, Callable[[], Figure]],
    folder: Path,
    formats: Sequence[str],
    resolution: int,
    name: str,
) -> None:
    with plt.style.context([mplhep.style.ROOT, STYLE]):
        figure = drawings[name]()
        for kind in formats:
            quick = {"pil_kwargs": {"compress_level": 1}} if kind == "png" else {}
            figure.savefig(folder / f"{name}.{kind}", dpi=resolution, metadata=METADATA[kind], **quick)
        plt.close(figure)


def _label(axes: Axes, settings: PlotSettings, luminosity: float, *lines: str) -> None:
    axes.text(0.04, 0.95, settings.label, transform=axes.transAxes, va="top", fontweight="bold", fontsize=16)
    text = "\n".join((f"13 TeV, {luminosity:g} fb⁻¹, pseudo-data", *lines))
    axes.text(0.04, 0.875, text, transform=axes.transAxes, va="top", fontsize=12, linespacing=1.35)


def _region(
    analysis: Analysis,
    inputs: Inputs,
    predictions: Predictions,
    region: Region,
    *,
    prediction: Prediction,
    stage: str,
) -> Figure:
    edges = np.asarray(region.observable.edges)
    counts = inputs.data.counts[region.name]
    figure, (main, ratio) = plt.subplots(
        2,
        1,
        figsize=(7, 7),
        sharex=True,
        gridspec_kw={
            "height_ratios": [3, 1],
            "hspace": 0.06,
            "left": 0.13,
            "right": 0.97,
            "top": 0.97,
            "bottom": 0.1,
        },
    )
    processes = sorted(prediction.by_process, key=lambda name: prediction.by_process[name].sum())
    mplhep.histplot(
        [prediction.by_process[name] for name in processes],
        edges,
        ax=main,
        stack=True,
        histtype="fill",
        color=[analysis.process(name).colour for name in processes],
        label=[analysis.process(name).title for name in processes],
    )
    _band(main, edges, prediction.total, prediction.uncertainty, "Uncertainty")
    signal = predictions.signal.get(region.name)
    if signal is not None and signal.sum() > 0:
        mplhep.histplot(
            signal, edges, ax=main, color=analysis.signal.colour, linestyle="--", label=analysis.signal.title
        )
    _points(main, edges, counts, "Pseudo-data")
    _axes_of_region(main, region, counts, prediction, signal)
    title = "before the fit" if stage == "before_fit" else "after the fit of the background"
    prescale = f"1 event in {region.prescale:g} kept" if region.prescale > 1 else None
    _label(
        main, analysis.plots, inputs.luminosity_ifb, region.title, title, *([prescale] if prescale else [])
    )
    handles, labels = main.get_legend_handles_labels()
    main.legend(handles[::-1], labels[::-1], loc="upper right", frameon=False)
    _ratio(ratio, edges, counts, prediction)
    unit = f" [{region.observable.unit}]" if region.observable.unit else ""
    ratio.set_xlabel(f"{region.observable.title}{unit}")
    # Placed at once: finding the place from the size of every tick label takes a tenth of the drawing.
    ratio.xaxis.set_label_coords(1.0, -0.21)
    main.yaxis.set_label_coords(-0.08, 1.0)
    ratio.yaxis.set_label_coords(-0.08, 0.5)
    return figure


def _axes_of_region(
    main: Axes, region: Region, counts: np.ndarray, prediction: Prediction, signal: np.ndarray | None
) -> None:
    edges = np.asarray(region.observable.edges)
    if edges[-1] / max(edges[0], 1e-9) > 4 and edges[0] > 0:
        main.set_xscale("log")
        ticks = _round_values(edges[0], edges[-1])
        main.set_xticks(ticks, [f"{t:g}" for t in ticks])
        main.minorticks_off()
    main.set_xlim(edges[0], edges[-1])
    main.set_yscale("log")
    tops = [counts.max(), prediction.total.max(), *([signal.max()] if signal is not None else [])]
    positive = prediction.total[prediction.total > 0]
    low = max(min(positive.min(initial=1.0) / 3, 0.3), 1e-3)
    high = max(*tops, 1.0)
    main.set_ylim(low, high * (high / low) ** 0.75)
    _decades(main, low, high * (high / low) ** 0.75)
    main.set_ylabel("Events per bin")


def _decades(axes: Axes, low: float, high: float) -> None:
    """Label decades in plain text: matplotlib typesets its own as formulas, which takes most of its time."""
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    step = 1 + len(powers) // 8
    shown = [n for n in powers if n % step == 0]
    axes.yaxis.set_major_locator(FixedLocator([10.0**n for n in shown]))
    axes.yaxis.set_major_formatter(FixedFormatter([_power_of_ten(n) for n in shown]))
    axes.yaxis.set_minor_locator(NullLocator())


def _power_of_ten(power: int) -> str:
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return {-1: "0.1", 0: "1", 1: "10", 2: "100"}.get(power, f"10{raised}")


def _round_values(low: float, high: float) -> list[float]:
    values = [m * 10.0**e for e in range(0, 5) for m in (1, 2, 3, 5)]
    return [v for v in values if low <= v <= high] or [low, high]


def _band(axes: Axes, edges: np.ndarray, centre: np.ndarray, width: np.ndarray, label: str | None) -> None:
    axes.stairs(
        centre + width,
        edges,
        baseline=np.maximum(centre - width, 1e-9),
        fill=True,
        facecolor="none",
        edgecolor="0.35",
        hatch="////",
        linewidth=0,
        label=label,
    )


def _points(axes: Axes, edges: np.ndarray, counts: np.ndarray, label: str) -> None:
    mplhep.histplot(
        counts,
        edges,
        ax=axes,
        histtype="errorbar",
        yerr=_poisson(counts),
        xerr=False,
        color="black",
        markersize=6,
        label=label,
    )


def _poisson(counts: np.ndarray) -> np.ndarray:
    """Central 68% intervals of a Poisson mean, below and above, shape (2, bins)."""
    from scipy.stats import chi2  # noqa: PLC0415

    tail = 0.158655
    low = np.where(counts > 0, chi2.ppf(tail, 2 * np.maximum(counts, 0.5)) / 2, 0.0)
    return np.array([counts - low, chi2.isf(tail, 2 * (counts + 1)) / 2 - counts])


def _ratio(axes: Axes, edges: np.ndarray, counts: np.ndarray, prediction: Prediction) -> None:
    total = prediction.total
    filled = total > 0
    safe = np.where(filled, total, 1.0)
    _band(axes, edges, np.ones_like(total), np.where(filled, prediction.uncertainty / safe, 0.0), None)
    below, above = _poisson(counts)
    centres = (edges[1:] + edges[:-1]) / 2
    seen = filled & (counts > 0)
    axes.errorbar(
        centres[seen],
        (counts / safe)[seen],
        yerr=np.array([below / safe, above / safe])[:, seen],
        fmt="o",
        color="black",
        markersize=6,
    )
    axes.axhline(1.0, color="0.3", linewidth=1, linestyle="--")
    reach = np.max(np.abs(counts / safe - 1)[seen], initial=0.0) * 1.3
    half = float(np.clip(reach, 0.25, 1.0))
    axes.set_ylim(1 - half * 1.05, 1 + half * 1.05)
    axes.set_ylabel("Data / bkg.", loc="center")


def _pulls(fit: Fit, analysis: Analysis, inputs: Inputs) -> Figure:
    shown = [
        p
        for p in fit.parameters
        if p.prior is not None and not p.held and p.uncertainty is not None and "_statistics_" not in p.name
    ]
    free = [p for p in fit.parameters if p.prior is None and p.uncertainty is not None]
    height = 2.2 + 0.32 * (len(shown) + len(free))
    margins = {"left": 0.36, "right": 0.96, "bottom": 0.9 / height, "top": 1 - 0.5 / height}
    figure, axes = plt.subplots(figsize=(8, height), gridspec_kw=margins)
    rows = np.arange(len(shown))[::-1] + len(free)
    for reach, colour in ((2, YELLOW), (1, GREEN)):
        axes.fill_betweenx(
            [len(free) - 0.5, len(shown) + len(free) - 0.5], -reach, reach, color=colour, alpha=0.35
        )
    axes.errorbar(
        [p.pull for p in shown],
        rows,
        xerr=[p.uncertainty / p.prior[1] for p in shown],
        fmt="o",
        color="black",
        markersize=6,
    )
    names = [_parameter_title(p.name, analysis) for p in shown]
    for row, parameter in zip(np.arange(len(free))[::-1], free, strict=True):
        axes.errorbar(
            [parameter.value], [row], xerr=[parameter.uncertainty], fmt="s", color="#3f5fbf", markersize=6
        )
        names.append(f"{_parameter_title(parameter.name, analysis)} (free)")
    axes.set_yticks([*rows, *np.arange(len(free))[::-1]], names)
    axes.minorticks_off()
    axes.axvline(0, color="0.4", linewidth=1)
    axes.set_xlim(-3, 3)
    axes.set_ylim(-0.6, len(shown) + len(free) - 0.4)
    axes.set_xlabel("(fitted − nominal) / prior width; factor, where free")
    axes.set_title(
        f"{analysis.plots.label}: background-only fit, {inputs.luminosity_ifb:g} fb⁻¹",
        loc="left",
        fontsize=13,
    )
    return figure


def _parameter_title(name: str, analysis: Analysis) -> str:
    titles = {source.name: source.title for source in (*analysis.systematics, *analysis.data_driven)}
    titles["lumi"] = next((s.title for s in analysis.systematics if isinstance(s, Luminosity)), "Luminosity")
    for source in sorted(titles, key=len, reverse=True):
        if name.startswith(source):
            return titles[source] + name.removeprefix(source).replace("_", ", ")
    if "_statistics_" in name:
        region, _, number = name.rstrip("]").split("_statistics_")[1].partition("[")
        return f"Statistics, {region} bin {int(number or 0) + 1}"
    return name.replace("_", " ")


def _correlations(fit: Fit, analysis: Analysis, threshold: float = 0.2) -> Figure:
    matrix = fit.correlation()
    known = np.array([p.uncertainty is not None for p in fit.parameters])
    others = np.abs(matrix - np.diag(np.diag(matrix)))
    shown = np.flatnonzero(known & (others.max(axis=0) > threshold))
    if not len(shown):
        shown = np.flatnonzero(known)
    names = [_parameter_title(fit.parameters[n].name, analysis) for n in shown]
    side = max(5.5, 0.34 * len(shown) + 3.2)
    margins = {"left": 2.6 / (side + 0.8), "right": 0.93, "bottom": 2.4 / side, "top": 1 - 0.5 / side}
    figure, axes = plt.subplots(figsize=(side + 0.8, side), gridspec_kw=margins)
    image = axes.imshow(matrix[np.ix_(shown, shown)], vmin=-1, vmax=1, cmap="RdBu_r")
    axes.set_xticks(range(len(shown)), names, rotation=90, fontsize=9)
    axes.set_yticks(range(len(shown)), names, fontsize=9)
    axes.minorticks_off()
    axes.tick_params(length=0, top=False, right=False)
    if len(shown) <= 25:
        for row in range(len(shown)):
            for column in range(len(shown)):
                value = matrix[shown[row], shown[column]]
                if row != column and abs(value) >= threshold:
                    axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7)
    axes.set_title(f"Correlations above {threshold:g}, background-only fit", loc="left", fontsize=13)
    figure.colorbar(image, ax=axes, shrink=0.8, label="Correlation")
    return figure


def _scan(analysis: Analysis, inputs: Inputs, found: Inference) -> Figure:
    level = 1 - found.limits.level
    margins = {"left": 0.12, "right": 0.96, "bottom": 0.11, "top": 0.88}
    figure, axes = plt.subplots(figsize=(7.5, 6), gridspec_kw=margins)
    strength = np.array([t.strength for t in found.scan])
    expected = np.array([t.expected for t in found.scan])
    axes.fill_between(strength, expected[:, 0], expected[:, 4], color=YELLOW, label="Expected ±2σ")
    axes.fill_between(strength, expected[:, 1], expected[:, 3], color=GREEN, label="Expected ±1σ")
    axes.plot(strength, expected[:, 2], "k--", label="Expected")
    axes.plot(strength, [t.observed for t in found.scan], "k-", linewidth=2, label="Observed")
    axes.axhline(level, color="#d62728", linewidth=1.2)
    axes.text(strength[0], level * 0.9, f" CLₛ = {level:.2g}", color="#d62728", va="top", fontsize=12)
    if found.limits.observed is not None:
        axes.axvline(found.limits.observed, color="0.3", linestyle=":", linewidth=1.2)
    axes.set_yscale("log")
    axes.set_ylim(1e-3, 30)
    _decades(axes, 1e-3, 30)
    axes.set_xlim(strength[0], strength[-1])
    axes.set_xlabel("Signal strength μ")
    axes.set_ylabel("CLₛ")
    axes.legend(loc="upper right", frameon=False)
    _label(axes, analysis.plots, inputs.luminosity_ifb, analysis.signal.title, *_limit_lines(inputs, found))
    _cross_section_axis(axes, inputs.cross_section_pb)
    return figure


def _limit_lines(inputs: Inputs, found: Inference) -> Sequence[str]:
    if found.limits.observed is None:
        return ()
    return (
        f"σ × B < {found.limits.observed * inputs.cross_section_pb:.3g} pb at {100 * found.limits.level:g}%",
    )


def _cross_section_axis(axes: Axes, cross_section_pb: float) -> None:
    axes.tick_params(top=False, which="both")
    above = axes.secondary_xaxis(
        "top", functions=(lambda m: m * cross_section_pb, lambda s: s / cross_section_pb)
    )
    above.set_xlabel("σ × B [pb]")
