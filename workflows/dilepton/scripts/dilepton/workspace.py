"""The HistFactory workspace: templates, uncertainties and observed events as pyhf reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dilepton.errors import AnalysisError
from dilepton.regions import (
    ABCD,
    Analysis,
    FreeNormalisation,
    Luminosity,
    Normalisation,
    Region,
    TransferFactor,
)
from dilepton.templates import Template, Templates

STRENGTH = "signal_strength"
MEASUREMENT = "dilepton"
SMALLEST_FACTOR = 0.01
Json = dict[str, Any]


class WorkspaceError(AnalysisError):
    """Templates and data that can't be put together."""


@dataclass(frozen=True)
class Workspace:
    """A workspace of the fitted regions; `everywhere` has the others too, for predictions from the fit."""

    fitted: Json
    everywhere: Json
    warnings: tuple[str, ...]
    pruned: tuple[str, ...]


@dataclass
class _Notes:
    warnings: list[str] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)
    parameters: dict[str, Json] = field(default_factory=dict)


def build(analysis: Analysis, templates: Templates, observed: Mapping[str, np.ndarray]) -> Workspace:
    """Make the workspace; `observed` are events by region, shape (bins,).

    Raises:
        WorkspaceError: an ABCD background whose regions have no data to start from.
    """
    notes = _Notes()
    channels = {r.name: _channel(analysis, templates, observed, r, notes) for r in analysis.regions}
    parameters = [*_common_parameters(analysis), *(notes.parameters[n] for n in sorted(notes.parameters))]
    fitted = [r for r in analysis.regions if r.fitted]

    def spec(regions: list[Region]) -> Json:
        return {
            "channels": [channels[r.name] for r in regions],
            "observations": [{"name": r.name, "data": observed[r.name].tolist()} for r in regions],
            "measurements": [{"name": MEASUREMENT, "config": {"poi": STRENGTH, "parameters": parameters}}],
            "version": "1.0.0",
        }

    return Workspace(spec(fitted), spec(list(analysis.regions)), tuple(notes.warnings), tuple(notes.pruned))


def _common_parameters(analysis: Analysis) -> list[Json]:
    low = 0.0 if analysis.fit.test_statistic == "qtilde" else analysis.fit.strength_low
    parameters: list[Json] = [
        {"name": STRENGTH, "inits": [1.0], "bounds": [[low, analysis.fit.strength_high]]}
    ]
    for systematic in analysis.systematics:
        if isinstance(systematic, Luminosity):
            reach = min(5 * systematic.uncertainty, 0.99)
            parameters.append(
                {
                    "name": "lumi",
                    "auxdata": [1.0],
                    "inits": [1.0],
                    "sigmas": [systematic.uncertainty],
                    "bounds": [[1 - reach, 1 + reach]],
                }
            )
        elif isinstance(systematic, FreeNormalisation):
            parameters.append(
                {"name": systematic.name, "inits": [1.0], "bounds": [[systematic.low, systematic.high]]}
            )
    return parameters


def _channel(
    analysis: Analysis,
    templates: Templates,
    observed: Mapping[str, np.ndarray],
    region: Region,
    notes: _Notes,
) -> Json:
    statistics = _statistics(analysis, templates, region, notes)
    samples = []
    for process in analysis.processes:
        method = analysis.from_data(process.name)
        if isinstance(method, ABCD):
            sample = _abcd_sample(analysis, templates, observed, region, method=method, notes=notes)
        else:
            template = templates.get(region.name, process.name)
            sample = template and _simulated_sample(
                analysis, template, method, statistics.get(process.name), notes
            )
        if sample:
            samples.append(sample)
    return {"name": region.name, "samples": samples}


@dataclass(frozen=True)
class _Statistics:
    """A process's yields in one region and their uncertainties, zero where pruned; shape (bins,)."""

    parameter: str
    nominal: np.ndarray
    uncertainty: np.ndarray


def _statistics(
    analysis: Analysis, templates: Templates, region: Region, notes: _Notes
) -> dict[str, _Statistics]:
    """Statistics of all processes in a region; a bin without background gets the declared small one."""
    fit = analysis.fit
    found: dict[str, _Statistics] = {}
    background = templates.background(analysis, region)
    if background:
        nominal = {t.process.name: t.nominal for t in background}
        variance = {t.process.name: t.variance for t in background}
        total = np.sum(list(nominal.values()), axis=0)
        empty = total < fit.empty_bin_events
        if empty.any() and not _is_abcd_region(analysis, region):
            largest = max(background, key=lambda t: t.nominal.sum()).process.name
            raised = nominal[largest] + np.where(empty, fit.empty_bin_events - total, 0.0)
            width = fit.empty_bin_events * fit.empty_bin_uncertainty
            nominal[largest] = raised
            variance[largest] = np.where(empty, width**2, variance[largest])
            for other in set(variance) - {largest}:
                variance[other] = np.where(empty, 0.0, variance[other])
            total = np.sum(list(nominal.values()), axis=0)
            notes.warnings.append(
                f"{region.name}: {int(empty.sum())} bins without expected background have "
                f"{fit.empty_bin_events:g} events each, ± {100 * fit.empty_bin_uncertainty:g}%"
            )
        kept = np.sqrt(np.sum(list(variance.values()), axis=0)) >= fit.statistics_threshold * total
        kept &= total > 0
        for name, values in nominal.items():
            width = np.where(kept, np.sqrt(variance[name]), 0.0)
            found[name] = _Statistics(f"mc_statistics_{region.name}", values, width)
    signal = templates.get(region.name, analysis.signal.name)
    if signal is not None:
        width = np.sqrt(signal.variance)
        kept = (width >= fit.statistics_threshold * signal.nominal) & (signal.nominal > 0)
        # A bin with little of the signal has a large relative uncertainty that changes no result.
        kept &= signal.nominal > 0.01 * signal.nominal.sum()
        width = np.where(kept & fit.signal_statistics, width, 0.0)
        found[analysis.signal.name] = _Statistics(f"signal_statistics_{region.name}", signal.nominal, width)
    return found


def _is_abcd_region(analysis: Analysis, region: Region) -> bool:
    return any(
        isinstance(m, ABCD) and region.name in (m.target, m.side, m.other_side, m.corner)
        for m in analysis.data_driven
    )


def _simulated_sample(
    analysis: Analysis,
    template: Template,
    method: TransferFactor | None,
    statistics: _Statistics | None,
    notes: _Notes,
) -> Json:
    process, region = template.process, template.region
    nominal = statistics.nominal if statistics else template.nominal
    modifiers: list[Json] = []
    if process.is_signal:
        modifiers.append({"name": STRENGTH, "type": "normfactor", "data": None})
    for systematic in analysis.systematics:
        if isinstance(systematic, Luminosity) and method is None:
            modifiers.append({"name": "lumi", "type": "lumi", "data": None})
        elif isinstance(systematic, Normalisation) and process.name in systematic.processes:
            modifiers.append(_normsys(systematic.name, systematic.up, systematic.down))
        elif isinstance(systematic, FreeNormalisation) and process.name in systematic.processes:
            modifiers.append({"name": systematic.name, "type": "normfactor", "data": None})
        elif systematic.name in template.shifts:
            modifiers += _shift_modifiers(analysis, template, systematic.name, nominal, notes)
    if method is not None:
        kind = "shapefactor" if method.binwise else "normfactor"
        modifiers.append({"name": method.name, "type": kind, "data": None})
        if method.uncertainty and region.name != method.control:
            modifiers.append(
                _normsys(f"{method.name}_transfer", 1 + method.uncertainty, 1 - method.uncertainty)
            )
    if statistics is not None and _statistics_needed(statistics):
        modifiers.append(
            {"name": statistics.parameter, "type": "staterror", "data": statistics.uncertainty.tolist()}
        )
    return {"name": process.name, "data": nominal.tolist(), "modifiers": modifiers}


def _statistics_needed(statistics: _Statistics) -> bool:
    return not statistics.parameter.startswith("signal") or bool(statistics.uncertainty.any())


def _normsys(name: str, up: float, down: float) -> Json:
    return {"name": name, "type": "normsys", "data": {"hi": float(up), "lo": float(down)}}


def _shift_modifiers(
    analysis: Analysis, template: Template, name: str, nominal: np.ndarray, notes: _Notes
) -> list[Json]:
    """Split a shift into its change of the total and of the shape, and drop what is negligible."""
    total = template.nominal.sum()
    if total <= 0:
        return []
    shift = template.shifts[name]
    up, down = (max(side.sum() / total, SMALLEST_FACTOR) for side in (shift.up, shift.down))
    modifiers = []
    if max(abs(up - 1), abs(down - 1)) >= analysis.fit.prune_normalisation:
        modifiers.append(_normsys(name, up, down))
    else:
        up = down = 1.0
        notes.pruned.append(f"{name} normalisation of {template.process.name} in {template.region.name}")
    filled = template.nominal > 0
    known = filled & (np.sqrt(template.variance) < analysis.fit.shape_statistics * template.nominal)
    high = np.where(known, shift.up / up, nominal)
    low = np.where(known, shift.down / down, nominal)
    safe = np.where(filled, template.nominal, 1.0)
    moved = np.where(filled, np.maximum(abs(high / safe - 1), abs(low / safe - 1)), 0.0)
    if known.sum() > 1 and moved.max() >= analysis.fit.prune_shape:
        data = {"hi_data": high.tolist(), "lo_data": low.tolist()}
        modifiers.append({"name": name, "type": "histosys", "data": data})
    else:
        notes.pruned.append(f"{name} shape of {template.process.name} in {template.region.name}")
    return modifiers


def _abcd_sample(
    analysis: Analysis,
    templates: Templates,
    observed: Mapping[str, np.ndarray],
    region: Region,
    *,
    method: ABCD,
    notes: _Notes,
) -> Json | None:
    """Sample of an ABCD background: target = side × ratio, other side = corner × the same ratio.

    Its numbers are where the fit starts, from data less simulation; free factors on them carry the fit.
    """
    if region.name not in (method.target, method.side, method.other_side, method.corner):
        return None
    start = {
        name: _unexplained(analysis, templates, observed, analysis.region(name))
        for name in (method.side, method.other_side, method.corner)
    }
    for name in (method.other_side, method.corner):
        if start[name].sum() <= 0:
            raise WorkspaceError(
                f"data-driven background '{method.name}': expected more data than simulation in region "
                f"'{name}', found a difference of {start[name].sum():.3g} events; its selection holds none "
                "of this background"
            )
    prescales = {name: analysis.region(name).prescale for name in (method.target, *start)}
    side = np.maximum(start[method.side], 1.0)
    corner = start[method.corner]
    ratio = (start[method.other_side].sum() * prescales[method.other_side]) / (
        corner.sum() * prescales[method.corner]
    )
    shape = {"name": f"{method.name}_shape", "type": "shapefactor", "data": None}
    level = {"name": f"{method.name}_corner", "type": "normfactor", "data": None}
    transfer = {"name": f"{method.name}_ratio", "type": "normfactor", "data": None}
    notes.parameters[level["name"]] = {"name": level["name"], "inits": [1.0], "bounds": [[0.0, 10.0]]}
    notes.parameters[transfer["name"]] = {"name": transfer["name"], "inits": [1.0], "bounds": [[0.0, 10.0]]}
    closure = _normsys(f"{method.name}_closure", 1 + method.uncertainty, 1 - method.uncertainty)
    yields, modifiers = {
        method.side: (side, [shape]),
        method.corner: (corner, [level]),
        method.other_side: (
            corner * ratio * prescales[method.corner] / prescales[method.other_side],
            [level, transfer],
        ),
        method.target: (
            side * ratio * prescales[method.side] / prescales[method.target],
            [shape, transfer, *([closure] if method.uncertainty else [])],
        ),
    }[region.name]
    return {"name": method.process, "data": yields.tolist(), "modifiers": modifiers}


def _unexplained(
    analysis: Analysis, templates: Templates, observed: Mapping[str, np.ndarray], region: Region
) -> np.ndarray:
    simulated = sum(
        (t.nominal for t in templates.background(analysis, region)), np.zeros(region.observable.bins)
    )
    return np.asarray(observed[region.name]) - simulated
