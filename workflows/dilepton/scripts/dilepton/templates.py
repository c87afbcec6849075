"""Samples summed into processes: one template a process and region, with its variations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dilepton.errors import AnalysisError
from dilepton.filling import NOMINAL, name_of
from dilepton.histogramfile import SampleHistograms
from dilepton.regions import (
    Analysis,
    GeneratorSystematic,
    Process,
    Region,
    ShapeSystematic,
    Systematic,
    WeightSystematic,
)


class TemplateError(AnalysisError):
    """Templates that no fit can use."""


@dataclass(frozen=True)
class Shift:
    """Expected events one standard deviation up and down, shape (bins,)."""

    up: np.ndarray
    down: np.ndarray


@dataclass(frozen=True)
class Template:
    """One process in one region: expected events and variances, shape (bins,), and shifts by systematic."""

    process: Process
    region: Region
    nominal: np.ndarray
    variance: np.ndarray
    shifts: Mapping[str, Shift]


@dataclass(frozen=True)
class Templates:
    """All templates, by (region, process), and what should be known about them."""

    by_place: Mapping[tuple[str, str], Template]
    warnings: tuple[str, ...]

    def get(self, region: str, process: str) -> Template | None:
        """Return a template, or None if no sample of the process was given."""
        return self.by_place.get((region, process))

    def background(self, analysis: Analysis, region: Region) -> list[Template]:
        """Templates of all simulated backgrounds in a region, in the order of regions.yaml."""
        found = (self.get(region.name, p.name) for p in analysis.processes if not p.is_signal)
        return [template for template in found if template is not None]


def build(
    analysis: Analysis, signal: Sequence[SampleHistograms], background: Sequence[SampleHistograms]
) -> Templates:
    """Sum samples into processes and combine their variations.

    Raises:
        TemplateError: a sample in the wrong role or twice, a signal without events, an empty fitted region.
    """
    samples: dict[str, list[SampleHistograms]] = {}
    for role, given in ((True, signal), (False, background)):
        for one in given:
            process = analysis.process_of(one.sample.sample)
            if process.is_signal is not role:
                raise TemplateError(
                    f"'{one.path}': sample '{one.sample.sample}' belongs to the process '{process.name}', "
                    f"which is {'signal' if process.is_signal else 'background'}; give it as such"
                )
            samples.setdefault(process.name, []).append(one)
    names = [one.sample.sample for given in samples.values() for one in given]
    for name in sorted({n for n in names if names.count(n) > 1}):
        raise TemplateError(f"sample '{name}' was given {names.count(name)} times; give each sample once")
    warnings = [w for given in samples.values() for one in given for w in one.warnings]
    by_place = {}
    for process_name, given in samples.items():
        for region in analysis.regions:
            made, notes = _template(analysis, analysis.process(process_name), region, given)
            by_place[region.name, process_name] = made
            warnings += notes
    templates = Templates(by_place, tuple(dict.fromkeys(warnings)))
    _refuse_empty(analysis, templates)
    return templates


def _template(
    analysis: Analysis, process: Process, region: Region, samples: Sequence[SampleHistograms]
) -> tuple[Template, list[str]]:
    place = (region.name, NOMINAL)
    nominal = np.sum([s.yields[place] for s in samples], axis=0)
    variance = np.sum([s.variances[place] for s in samples], axis=0)
    shifts = {}
    for systematic in analysis.systematics:
        if process.name in getattr(systematic, "processes", frozenset()):
            shift = _shift(systematic, region, samples, nominal)
            if shift is not None:
                shifts[systematic.name] = shift
    notes = []
    negative = nominal < 0
    if negative.any():
        notes.append(
            f"{process.title} in {region.name}: {int(negative.sum())} bins with a negative sum of weights "
            f"({nominal[negative].sum():.3g} events) are taken as 0"
        )
        nominal = np.where(negative, 0.0, nominal)
    shifts = {
        name: Shift(*(np.where(negative, 0.0, np.maximum(side, 0.0)) for side in (s.up, s.down)))
        for name, s in shifts.items()
    }
    return Template(process, region, nominal, variance, shifts), notes


def _shift(
    systematic: Systematic, region: Region, samples: Sequence[SampleHistograms], nominal: np.ndarray
) -> Shift | None:
    if isinstance(systematic, ShapeSystematic | WeightSystematic):
        sides = [_varied(region, samples, name_of(systematic.name, side)) for side in ("up", "down")]
        if all(side is None for side in sides):
            return None
        up, down = (nominal if side is None else side for side in sides)
        return Shift(up, down)
    if isinstance(systematic, GeneratorSystematic):
        prefix = name_of(systematic.name, "")
        names = sorted({v for s in samples for (_, v) in s.yields if v.startswith(prefix)})
        varied = [v for name in names if (v := _varied(region, samples, name)) is not None]
        return _combined(systematic.combine, nominal, varied) if varied else None
    return None


def _varied(region: Region, samples: Iterable[SampleHistograms], variation: str) -> np.ndarray | None:
    """Sum of a variation over samples, the nominal yields where a sample lacks it; None if all lack it."""
    given = list(samples)
    if not any((region.name, variation) in s.yields for s in given):
        return None
    nominal = (region.name, NOMINAL)
    return np.sum([s.yields.get((region.name, variation), s.yields[nominal]) for s in given], axis=0)


def _combined(how: str, nominal: np.ndarray, varied: Sequence[np.ndarray]) -> Shift:
    if how == "envelope":
        every = np.array([nominal, *varied])
        return Shift(every.max(axis=0), every.min(axis=0))
    away = np.array(varied) - nominal
    width = np.sqrt((away**2).sum(axis=0) / (len(varied) if how == "standard_deviation" else 1))
    return Shift(nominal + width, nominal - width)


def _refuse_empty(analysis: Analysis, templates: Templates) -> None:
    for region in analysis.regions:
        if not region.fitted:
            continue
        found = templates.background(analysis, region)
        from_data = any(analysis.from_data(p.name) and not p.samples for p in analysis.processes)
        if not from_data and sum(t.nominal.sum() for t in found) <= 0:
            raise TemplateError(
                f"region '{region.name}' is empty: expected background events to fit, found none in "
                f"{len(found)} processes; widen its selection, or declare 'fitted: false'"
            )
    signal = [templates.get(r.name, analysis.signal.name) for r in analysis.regions if r.fitted]
    if not sum(t.nominal.sum() for t in signal if t is not None) > 0:
        raise TemplateError(
            f"signal '{analysis.signal.name}': expected events in a fitted region, found none; "
            "check its sample and the selections of regions.yaml"
        )
