"""The fit's results as a document (specs/schemas/fit-result.schema.json) and as a table for people."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dilepton.histogramfile import ObservedData, SampleHistograms
from dilepton.inference import Fit, Inference, Parameter, Prediction, Predictions, Tested, by_region
from dilepton.regions import Analysis, Luminosity

DIGITS = 9
EXPECTED = ("minus2sigma", "minus1sigma", "median", "plus1sigma", "plus2sigma")
Json = dict[str, Any]


@dataclass(frozen=True)
class Inputs:
    """What was fitted: luminosity in fb⁻¹, histograms and data."""

    luminosity_ifb: float
    signal: tuple[SampleHistograms, ...]
    background: tuple[SampleHistograms, ...]
    data: ObservedData

    @property
    def cross_section_pb(self) -> float:
        """Predicted cross-section times branching fraction of the signal, pb, k-factor included."""
        return sum(s.sample.cross_section_pb * s.sample.k_factor for s in self.signal)

    @property
    def cross_section_uncertainty_pb(self) -> float:
        """Its statistical uncertainty from the generator, pb."""
        widths = (s.sample.cross_section_uncertainty_pb * s.sample.k_factor for s in self.signal)
        return math.sqrt(sum(width**2 for width in widths))


@dataclass(frozen=True)
class Notes:
    """What the reader of a result must know: warnings, and what was left out as negligible."""

    warnings: tuple[str, ...]
    pruned: tuple[str, ...]


def result(
    analysis: Analysis, inputs: Inputs, found: Inference, predictions: Predictions, notes: Notes
) -> Json:
    """Give the result document; every number with its unit, as the schema describes it."""
    widths = [s.uncertainty for s in analysis.systematics if isinstance(s, Luminosity)]
    return {
        "format": "fit-result",
        "version": 1,
        "luminosity": {
            "value": inputs.luminosity_ifb,
            "unit": "fb^-1",
            "relative_uncertainty": widths[0] if widths else None,
        },
        "signal": {
            "process": analysis.signal.name,
            "title": analysis.signal.title,
            "samples": [s.sample.sample for s in inputs.signal],
            "cross_section": {
                "value": inputs.cross_section_pb,
                "uncertainty": inputs.cross_section_uncertainty_pb,
                "unit": "pb",
            },
        },
        "limits": _limits(inputs, found),
        "hypothesis_test": _tested(found.at_prediction),
        "discovery": {
            "p_value": found.discovery.p_value,
            "significance": found.discovery.significance,
            "expected_p_value": found.discovery.expected_p_value,
            "expected_significance": found.discovery.expected_significance,
        },
        "signal_strength": {
            "value": found.free.strength.value,
            "uncertainty": found.free.strength.uncertainty,
        },
        "scan": [_tested(tested) for tested in found.scan],
        "goodness_of_fit": {
            "statistic": found.goodness.statistic,
            "degrees_of_freedom": found.goodness.degrees_of_freedom,
            "p_value": found.goodness.p_value,
        },
        "fits": {
            "background_only": _fit(found.background),
            "signal_and_background": _fit(found.free),
        },
        "regions": _regions(analysis, inputs, predictions),
        "minimisation": {
            "fits": found.record.fits,
            "largest_distance": found.record.largest_distance,
            "starts_that_differed": found.record.starts_that_differed,
            "by_minuit": found.record.by_minuit,
            "minuit_difference": max(
                abs(found.background.minuit_difference), abs(found.free.minuit_difference)
            ),
        },
        "inputs": {
            "signal": [json.loads(s.sample.to_json()) for s in inputs.signal],
            "background": [json.loads(s.sample.to_json()) for s in inputs.background],
            "data": {
                "seed": inputs.data.metadata.seed,
                "luminosity_ifb": inputs.data.metadata.luminosity_ifb,
                "signal_strength": inputs.data.metadata.signal_strength,
                "inputs": list(inputs.data.metadata.inputs),
                "largest_event_weight": dict(inputs.data.metadata.largest_event_weight),
            },
        },
        "warnings": list(notes.warnings),
        "pruned": list(notes.pruned),
    }


def write_json(path: Path, document: Any) -> None:
    """Write a document; numbers are rounded, so that the last bits of a sum change no file.

    Raises:
        OSError: the file can't be written.
    """
    text = json.dumps(_rounded(document), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", "utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{DIGITS}g}")
    return value


def _bands(values: Sequence[float | None]) -> Json:
    return dict(zip(EXPECTED, values, strict=True))


def _limits(inputs: Inputs, found: Inference) -> Json:
    limits, scale = found.limits, inputs.cross_section_pb
    return {
        "confidence_level": limits.level,
        "method": "CLs, asymptotic",
        "signal_strength": {"observed": limits.observed, "expected": _bands(limits.expected), "unit": "1"},
        "cross_section": {
            "observed": None if limits.observed is None else limits.observed * scale,
            "expected": _bands([None if e is None else e * scale for e in limits.expected]),
            "unit": "pb",
        },
    }


def _tested(tested: Tested) -> Json:
    return {
        "signal_strength": tested.strength,
        "cls": {"observed": tested.observed, "expected": _bands(tested.expected)},
    }


def _fit(fit: Fit) -> Json:
    known = [n for n, p in enumerate(fit.parameters) if p.uncertainty is not None]
    correlation = fit.correlation()[np.ix_(known, known)]
    return {
        "parameters": [_parameter(p) for p in fit.parameters],
        "correlations": {
            "parameters": [fit.parameters[n].name for n in known],
            "matrix": np.round(correlation, 5).tolist(),
        },
    }


def _parameter(parameter: Parameter) -> Json:
    prior = parameter.prior
    return {
        "name": parameter.name,
        "value": parameter.value,
        "uncertainty": parameter.uncertainty,
        "prior": None if prior is None else {"centre": prior[0], "width": prior[1]},
        "pull": parameter.pull,
        "held": parameter.held,
    }


def _regions(analysis: Analysis, inputs: Inputs, predictions: Predictions) -> list[Json]:
    before, after = by_region(predictions.before), by_region(predictions.after)
    found = []
    for region in analysis.regions:
        counts = inputs.data.counts[region.name]
        found.append(
            {
                "name": region.name,
                "title": region.title,
                "kind": region.kind,
                "fitted": region.fitted,
                "prescale": region.prescale,
                "observable": {
                    "name": region.observable.branch,
                    "title": region.observable.title,
                    "unit": region.observable.unit or "1",
                    "edges": list(region.observable.edges),
                },
                "observed": {"bins": counts.tolist(), "events": float(counts.sum())},
                "signal": {
                    "bins": predictions.signal[region.name].tolist(),
                    "events": float(predictions.signal[region.name].sum()),
                }
                if region.name in predictions.signal
                else None,
                "before_fit": _prediction(before[region.name]),
                "after_fit": _prediction(after[region.name]),
            }
        )
    return found


def _prediction(prediction: Prediction) -> Json:
    return {
        "processes": [
            {
                "name": name,
                "bins": bins.tolist(),
                "events": float(bins.sum()),
                "uncertainty": prediction.process_events_uncertainty[name],
            }
            for name, bins in prediction.by_process.items()
        ],
        "bins": prediction.total.tolist(),
        "bins_uncertainty": prediction.uncertainty.tolist(),
        "events": prediction.total_events,
        "uncertainty": prediction.total_events_uncertainty,
    }


def table(analysis: Analysis, inputs: Inputs, found: Inference, predictions: Predictions) -> str:
    """Give the main results as text of at most 100 columns."""
    limits = found.limits
    scale = inputs.cross_section_pb
    level = f"{100 * limits.level:g}%"
    lines = [
        f"{analysis.signal.title}: upper limits at {level} confidence level (CLs, asymptotic), "
        f"{inputs.luminosity_ifb:g} fb⁻¹",
        "",
        *_aligned(
            [
                ["", "observed", "−2σ", "−1σ", "expected", "+1σ", "+2σ"],
                ["signal strength", *_limit_cells(limits.observed, limits.expected, 1.0)],
                ["σ × B (pb)", *_limit_cells(limits.observed, limits.expected, scale)],
                [
                    f"CLs at strength {found.at_prediction.strength:g}",
                    *(_number(v) for v in (found.at_prediction.observed, *found.at_prediction.expected)),
                ],
            ]
        ),
        "",
        f"predicted σ × B      {scale:.4g} ± {inputs.cross_section_uncertainty_pb:.2g} pb",
        f"best signal strength {_with_uncertainty(found.free.strength)}",
        f"discovery            p₀ = {found.discovery.p_value:.3g}, {found.discovery.significance:.2f}σ "
        f"(expected with the predicted signal {found.discovery.expected_significance:.2f}σ)",
        f"fit quality          −2 ln λ = {found.goodness.statistic:.1f} "
        f"for {found.goodness.degrees_of_freedom} degrees of freedom, p = {found.goodness.p_value:.3g}",
        "",
        "Events, after the fit of the background alone",
        *_aligned(_yield_rows(analysis, inputs, predictions)),
    ]
    if limits.observed is None or None in limits.expected:
        lines.append(
            f"(none: CLs stays above {1 - limits.level:.2g} up to strength {analysis.fit.strength_high:g})"
        )
    return "\n".join(lines) + "\n"


def _yield_rows(analysis: Analysis, inputs: Inputs, predictions: Predictions) -> list[list[str]]:
    before, after = by_region(predictions.before), by_region(predictions.after)
    rows = [["region", "observed", "background", "before the fit", "signal", "in the fit"]]
    for region in analysis.regions:
        pre, post = before[region.name], after[region.name]
        signal = predictions.signal.get(region.name, np.zeros(1)).sum()
        rows.append(
            [
                region.name,
                f"{inputs.data.counts[region.name].sum():.0f}",
                f"{post.total_events:.2f} ± {post.total_events_uncertainty:.2f}",
                f"{pre.total_events:.2f} ± {pre.total_events_uncertainty:.2f}",
                f"{signal:.3g}",
                "yes" if region.fitted else "no",
            ]
        )
    return rows


def _limit_cells(observed: float | None, expected: Iterable[float | None], scale: float) -> list[str]:
    return ["none" if v is None else _number(v * scale) for v in (observed, *expected)]


def _with_uncertainty(parameter: Parameter) -> str:
    if parameter.uncertainty is None:
        return f"{_number(parameter.value)} (at its bound)"
    return f"{_number(parameter.value)} ± {_number(parameter.uncertainty)}"


def _number(value: float) -> str:
    return f"{value:.3g}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
