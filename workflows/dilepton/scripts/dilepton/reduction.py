"""From generated events to the flat ntuple: one row for each event with a measured pair of leptons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dilepton import jets as jet_finding
from dilepton import metadata, pdgcodes, response, rootfile, truth
from dilepton.cutflow import Cutflow
from dilepton.detector import Detector
from dilepton.hepmcreader import EventChunk, EventFile, RunFacts
from dilepton.jets import JetList
from dilepton.metadata import MetadataError, SampleMetadata
from dilepton.response import NOMINAL, VARIATIONS, Chances, Measured
from dilepton.truth import Leptons
from dilepton.weightnames import harmless

CHUNK = 250
_BASKET = 20_000
_PAIR = 2
STEPS = ("all", "two prompt leptons", "acceptance", "isolation", "overlap removal")

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Overrides:
    """What a user knows better than the file; None leaves it as it is."""

    cross_section_pb: float | None = None
    cross_section_uncertainty_pb: float | None = None
    k_factor: float | None = None
    filter_efficiency: float | None = None
    sum_of_weights: float | None = None
    luminosity_ifb: float | None = None


def reduce(
    source: Path,
    output: Path,
    detector: Detector,
    *,
    sample: str,
    seed: int,
    overrides: Overrides,
    chunk: int = CHUNK,
) -> None:
    """Read a file of events and write its ntuple.

    Args:
        seed: of the detector's chance.
        chunk: events held in memory at a time; the result does not depend on it.

    Raises:
        HepMCError, CompressionError: the input is not whole, or not a file of events.
        MetadataError: it cannot be normalised.
        OSError: the output cannot be written.
    """
    events = EventFile(source)
    try:
        names = weight_columns(events.weight_names)
        dice = response.Dice(seed)
        cutflow = Cutflow(STEPS)
        variations = {name: Cutflow(("all",)) for name in names}
        with rootfile.create(output) as file:
            tree = file.mktree("events", _branches(names))
            rows = _Rows(_BASKET)
            for part in events.chunks(chunk):
                selected = select(part, dice.roll(part.events), detector)
                cutflow.add(part.weights[:, 0], *selected.passed)
                everyone = np.ones(part.events, dtype=np.bool_)
                for number, name in enumerate(names):
                    variations[name].add(part.weights[:, number], everyone)
                for basket in rows.add(_columns(part, selected, names)):
                    tree.extend(basket)
            for basket in rows.rest():
                tree.extend(basket)
            sums = {
                name.removeprefix("weight_"): flow.steps()[0].sum_of_weights
                for name, flow in variations.items()
                if name != "weight"
            }
            described = _metadata(
                source,
                sample,
                facts=events.facts(),
                cutflow=cutflow,
                variation_sums=sums,
                overrides=overrides,
            )
            file["metadata"] = described.to_json()
            file["cutflow"] = cutflow.to_json()
    finally:
        events.close()


def weight_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Branches of the weights: `weight` for the first, `weight_<name>` for the others, made harmless."""
    return ("weight", *(f"weight_{name}" for name in harmless(names[1:])))


@dataclass(frozen=True)
class Selected:
    """What a chunk's events were found to be.

    Attributes:
        passed: (events,) for each of STEPS.
        first, second: (rows,) index of the pair's leptons.
        isolation: (leptons,) relative.
        missing: (2, events) measured missing transverse momentum in GeV, leptons as at truth.
    """

    leptons: Leptons
    measured: Measured
    isolation: Floats
    jets: JetList
    passed: tuple[Mask, ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    missing: Floats


def select(chunk: EventChunk, chances: Chances, detector: Detector) -> Selected:
    """Measure and select the events of one chunk."""
    leptons, dressing = truth.dressed_leptons(chunk, truth.from_hadrons(chunk), detector.dressing_radius)
    measured = response.measure(leptons, chances, detector)
    isolation = _isolation(chunk, leptons, dressing, detector)
    isolation = isolation / (leptons.pt * measured.factor[NOMINAL])
    isolated = measured.accepted & (isolation < detector.isolation.maximum)
    steps = [np.ones(chunk.events, dtype=np.bool_)]
    for kept in (np.ones(len(leptons.pid), dtype=np.bool_), measured.accepted, isolated):
        steps.append(_has_pair(leptons, kept, chunk.events))
    jets = jet_finding.find(chunk, chances, detector, wanted=steps[-1])
    jets, final = jet_finding.remove_overlap(jets, leptons, isolated, detector, chunk.events)
    steps.append(_has_pair(leptons, final, chunk.events))
    first, second = _leading_pair(leptons, measured, final & steps[-1][leptons.event])
    return Selected(
        leptons, measured, isolation, jets, tuple(steps), first, second, _missing(chunk, chances, detector)
    )


def _has_pair(leptons: Leptons, kept: Mask, events: int) -> Mask:
    return np.bincount(leptons.event[kept], minlength=events) >= _PAIR


def _leading_pair(
    leptons: Leptons, measured: Measured, kept: Mask
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    index = np.flatnonzero(kept)
    pt = (leptons.pt * measured.factor[NOMINAL])[index]
    order = index[np.lexsort((-pt, leptons.event[index]))]
    _, starts = np.unique(leptons.event[order], return_index=True)
    return order[starts], order[starts + 1]


def _isolation(chunk: EventChunk, leptons: Leptons, dressing: Mask, detector: Detector) -> Floats:
    """(leptons,) sum of pT in GeV of charged particles around each lepton."""
    transverse = np.hypot(chunk.momentum[0], chunk.momentum[1])
    track = jet_finding.visible(chunk) & pdgcodes.is_electrically_charged(chunk.pid) & ~dressing
    index = np.flatnonzero(track & (transverse > detector.isolation.minimum_pt))
    ours, theirs = truth.same_event(leptons.event, chunk.event[index], chunk.events)
    distance = truth.delta_r(leptons.momentum[:, ours], chunk.momentum[:, index[theirs]])
    close = distance < detector.isolation.radius
    return np.bincount(ours[close], weights=transverse[index[theirs[close]]], minlength=len(leptons.pid))


def _missing(chunk: EventChunk, chances: Chances, detector: Detector) -> Floats:
    index = np.flatnonzero(jet_finding.visible(chunk))
    event, momentum = chunk.event[index], chunk.momentum[:, index]
    total = np.bincount(event, np.hypot(momentum[0], momentum[1]), minlength=chunk.events)
    width = detector.missing_momentum_stochastic * np.sqrt(total)
    return np.stack(
        [
            width * chances.missing_momentum[:, axis]
            - np.bincount(event, momentum[axis], minlength=chunk.events)
            for axis in (0, 1)
        ]
    )


def _branches(weights: Sequence[str]) -> Mapping[str, str]:
    integers = ("channel", "charge_product", "lepton1_id", "lepton2_id", "n_jets", "n_bjets")
    kinematics = ("lepton1_pt", "lepton2_pt", "mll", "met")
    reals = (
        *kinematics,
        *(f"lepton{number}_{name}" for number in (1, 2) for name in ("eta", "phi", "isolation")),
        "pt_ll",
        "met_phi",
        "jet1_pt",
        "mll_dressed",
        *(name + variation for variation in VARIATIONS for name in kinematics),
        *weights,
        "efficiency",
        *(f"efficiency_{flavour}_{way}" for flavour in response.FLAVOURS for way in ("up", "down")),
    )
    return {"event_number": "int64"} | dict.fromkeys(integers, "int32") | dict.fromkeys(reals, "float64")


def _columns(chunk: EventChunk, selected: Selected, weights: Sequence[str]) -> Columns:
    leptons, pair = selected.leptons, (selected.first, selected.second)
    event = leptons.event[selected.first]
    identity = [leptons.pid[index] for index in pair]
    columns: Columns = {
        "event_number": chunk.number[event],
        "channel": np.abs(identity[0] * identity[1]),
        "charge_product": np.sign(identity[0] * identity[1]),
        "mll_dressed": _pair_mass(leptons, pair, (np.ones(len(event)), np.ones(len(event)))),
    }
    for number, index in enumerate(pair, start=1):
        columns[f"lepton{number}_id"] = leptons.pid[index]
        columns[f"lepton{number}_eta"] = leptons.eta[index]
        columns[f"lepton{number}_phi"] = leptons.phi[index]
        columns[f"lepton{number}_isolation"] = selected.isolation[index]
    for name in (NOMINAL, *VARIATIONS):
        columns |= _kinematics(selected, event, name)
    columns |= _jet_columns(selected.jets, event, chunk.events)
    columns |= _efficiencies(selected)
    columns |= {name: chunk.weights[event, number] for number, name in enumerate(weights)}
    return columns


def _kinematics(selected: Selected, event: NDArray[np.int64], variation: str) -> Columns:
    leptons, pair = selected.leptons, (selected.first, selected.second)
    factors = tuple(selected.measured.factor[variation][index] for index in pair)
    total = np.zeros((2, len(event)))
    missing = selected.missing[:, event].copy()
    for index, factor in zip(pair, factors, strict=True):
        true = leptons.momentum[:2, index]
        total += factor * true
        missing -= (factor - 1) * true
    columns = {
        "mll" + variation: _pair_mass(leptons, pair, factors),
        "met" + variation: np.hypot(*missing),
        "lepton1_pt" + variation: leptons.pt[pair[0]] * factors[0],
        "lepton2_pt" + variation: leptons.pt[pair[1]] * factors[1],
    }
    if variation == NOMINAL:
        columns |= {"pt_ll": np.hypot(*total), "met_phi": np.arctan2(missing[1], missing[0])}
    return columns


def _pair_mass(
    leptons: Leptons, pair: tuple[NDArray[np.int64], NDArray[np.int64]], factors: tuple[Floats, ...]
) -> Floats:
    """Mass in GeV of pairs whose four-momenta are scaled by factors."""
    total = sum(leptons.momentum[:, index] * factor for index, factor in zip(pair, factors, strict=True))
    squared = total[3] ** 2 - total[0] ** 2 - total[1] ** 2 - total[2] ** 2
    return np.sqrt(np.maximum(squared, 0.0))


def _jet_columns(jets: JetList, event: NDArray[np.int64], events: int) -> Columns:
    counts = np.bincount(jets.event, minlength=events)
    hardest = np.zeros(events)
    np.maximum.at(hardest, jets.event, np.hypot(jets.momentum[0], jets.momentum[1]))
    return {
        "n_jets": counts[event],
        "n_bjets": np.bincount(jets.event[jets.tagged], minlength=events)[event],
        "jet1_pt": hardest[event],
    }


def _efficiencies(selected: Selected) -> Columns:
    pair = (selected.first, selected.second)
    values = [selected.measured.efficiency[index] for index in pair]
    columns = {"efficiency": values[0] * values[1]}
    for flavour, code in response.FLAVOURS.items():
        for way, sign in (("up", 1), ("down", -1)):
            product = np.ones(len(values[0]))
            for index, value in zip(pair, values, strict=True):
                mine = np.abs(selected.leptons.pid[index]) == code
                shift = np.where(mine, sign * selected.measured.uncertainty[index], 0.0)
                product *= np.clip(value + shift, 0.0, 1.0)
            columns[f"efficiency_{flavour}_{way}"] = product
    return columns


class _Rows:
    """Collects rows into baskets of one size, so that the file does not depend on the chunks."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: list[Columns] = []
        self._count = 0

    def add(self, columns: Columns) -> Iterator[Columns]:
        self._waiting.append(columns)
        self._count += len(columns["event_number"])
        while self._count >= self._size:
            joined = self._joined()
            yield {name: values[: self._size] for name, values in joined.items()}
            self._waiting = [{name: values[self._size :] for name, values in joined.items()}]
            self._count -= self._size

    def rest(self) -> Iterator[Columns]:
        if self._count:
            yield self._joined()

    def _joined(self) -> Columns:
        return {name: np.concatenate([part[name] for part in self._waiting]) for name in self._waiting[0]}


def _metadata(
    source: Path,
    sample: str,
    *,
    facts: RunFacts,
    cutflow: Cutflow,
    variation_sums: Mapping[str, float],
    overrides: Overrides,
) -> SampleMetadata:
    everything = cutflow.steps()[0]
    section = facts.cross_section_pb if overrides.cross_section_pb is None else overrides.cross_section_pb
    if section is None:
        raise MetadataError(
            f"'{source}': expected a cross-section in its events, found none; give one by --cross-section-pb"
        )
    found = SampleMetadata(
        sample=sample,
        process=facts.process or sample,
        generator=facts.generator or "unknown",
        seed=facts.seed or 0,
        cross_section_pb=section,
        # The file's uncertainty says nothing of a cross-section from elsewhere.
        cross_section_uncertainty_pb=(facts.cross_section_uncertainty_pb or 0.0)
        if overrides.cross_section_pb is None
        else 0.0,
        k_factor=1.0,
        filter_efficiency=1.0 if facts.filter_efficiency is None else facts.filter_efficiency,
        sum_of_weights=everything.sum_of_weights,
        sum_of_weights_squared=everything.sum_of_weights_squared,
        variation_sums=dict(variation_sums),
        events=everything.events,
    )
    given = {name: value for name, value in vars(overrides).items() if value is not None}
    return metadata.checked(replace(found, **given), f"'{source}'")
