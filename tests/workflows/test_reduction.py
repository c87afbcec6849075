"""The reduction: what it measures on events whose answers are known, and how it refuses bad input."""

import gzip
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyhepmc
import pytest
import pythia8mc
import uproot
import zstandard
from eventfile import (
    B_MESON,
    ELECTRON,
    MUON,
    NEUTRINO,
    PHOTON,
    PION,
    Z_BOSON,
    Event,
    Particle,
    Sample,
    write_events,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import DETECTOR, Generate, Program, Refusal
from dilepton import detector, hardprocess, hepmcreader, reduction, slimming
from dilepton.detector import Detector
from dilepton.errors import AnalysisError
from dilepton.hardprocess import Request
from dilepton.hepmcreader import EventFile
from dilepton.hepmcwriter import EventExtras, run_file
from dilepton.metadata import MetadataError
from dilepton.reduction import Overrides
from dilepton.weightnames import harmless

PI_ZERO = 111


def perfect() -> Detector:
    """The declared detector without any smearing, and certain of its flavour tags."""
    declared = detector.load(DETECTOR)
    sharp = {"stochastic": 0.0, "constant": 0.0}
    return replace(
        declared,
        electron=replace(declared.electron, **sharp),
        muon=replace(declared.muon, curvature=0.0, **sharp),
        jets=replace(declared.jets, efficiency_b=1.0, efficiency_c=0.0, efficiency_light=0.0),
        missing_momentum_stochastic=0.0,
    )


class Reduced:
    """An ntuple in memory."""

    def __init__(self, path: Path) -> None:
        with uproot.open(path) as file:
            self.rows = file["events"].arrays(library="np")
            self.metadata = json.loads(str(file["metadata"]))
            self.cutflow = json.loads(str(file["cutflow"]))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.rows[name]

    def __len__(self) -> int:
        return len(self.rows["mll"])


def reduced(
    source: Path,
    response: Detector | None = None,
    *,
    seed: int = 1,
    overrides: Overrides | None = None,
    chunk: int = 250,
) -> Reduced:
    output = source.with_suffix(".root")
    reduction.reduce(
        source,
        output,
        response or perfect(),
        sample="sample",
        seed=seed,
        overrides=overrides or Overrides(),
        chunk=chunk,
    )
    return Reduced(output)


def of_events(folder: Path, *events: Sequence[Particle], response: Detector | None = None) -> Reduced:
    return reduced(
        write_events(folder / "events.hepmc", Sample([Event(event) for event in events])), response
    )


def z_decay(lepton: int = ELECTRON, *others: Particle) -> list[Particle]:
    return [
        Particle(
            Z_BOSON, 1, 0, 0, [Particle(lepton, 50, 0.5, 0.0), Particle(-lepton, 40, -0.7, 3.0), *others]
        )
    ]


def mass(first: Particle, second: Particle) -> float:
    return math.sqrt(
        2 * first.pt * second.pt * (math.cosh(first.eta - second.eta) - math.cos(first.phi - second.phi))
    )


# --- leptons -----------------------------------------------------------------------------------------------


def test_a_perfect_detector_measures_the_pair_as_it_is(tmp_path: Path) -> None:
    z = z_decay(MUON)
    rows = of_events(tmp_path, z)
    assert rows["mll"] == pytest.approx([mass(*z[0].children)], rel=1e-5)
    assert rows["mll_dressed"] == pytest.approx(rows["mll"])
    assert rows["lepton1_pt"] == pytest.approx([50])
    assert rows["lepton2_pt"] == pytest.approx([40])
    assert rows["lepton2_eta"] == pytest.approx([-0.7])
    assert rows["lepton2_phi"] == pytest.approx([3.0])
    assert (rows["channel"], rows["charge_product"]) == (169, -1)


@pytest.mark.parametrize(("first", "second", "channel"), [(11, -11, 121), (11, -13, 143), (13, -13, 169)])
def test_the_channel_is_the_product_of_the_codes(
    tmp_path: Path, first: int, second: int, channel: int
) -> None:
    rows = of_events(
        tmp_path, [Particle(first, 50, 0, 0), Particle(second, 40, 0, 2), Particle(NEUTRINO, 9, 0, 1)]
    )
    assert rows["channel"].tolist() == [channel]


def test_same_sign_pairs_are_kept_and_told(tmp_path: Path) -> None:
    rows = of_events(tmp_path, [Particle(11, 50, 0, 0), Particle(13, 40, 0, 2)])
    assert rows["charge_product"].tolist() == [1]


def test_photons_near_a_lepton_belong_to_it_and_others_do_not(tmp_path: Path) -> None:
    near, far = Particle(PHOTON, 7, 0.5, 0.05), Particle(PHOTON, 9, 0.5, 0.15)
    assert of_events(tmp_path, z_decay(ELECTRON, near))["lepton1_pt"] == pytest.approx([57], rel=1e-3)
    assert of_events(tmp_path, z_decay(ELECTRON, far))["lepton1_pt"] == pytest.approx([50])


def test_a_photon_between_two_leptons_belongs_to_the_nearer(tmp_path: Path) -> None:
    rows = of_events(
        tmp_path, [Particle(13, 50, 0, 0.0), Particle(-13, 40, 0, 0.12), Particle(PHOTON, 5, 0, 0.08)]
    )
    assert rows["lepton1_pt"] == pytest.approx([50])
    assert rows["lepton2_pt"] == pytest.approx([45], rel=1e-3)


def test_photons_of_a_pion_dress_no_lepton(tmp_path: Path) -> None:
    pion = Particle(PI_ZERO, 7, 0.5, 0.05, [Particle(PHOTON, 7, 0.5, 0.05)])
    assert of_events(tmp_path, z_decay(ELECTRON, pion))["lepton1_pt"] == pytest.approx([50])


def test_leptons_from_hadrons_are_no_prompt_leptons_however_deep(tmp_path: Path) -> None:
    tau = Particle(15, 45, 0, 1, [Particle(13, 45, 0, 1)])
    from_b = Particle(B_MESON, 45, 0, 1, [Particle(411, 45, 0, 1, [tau])])
    rows = of_events(tmp_path, [Particle(11, 50, 0, 0), from_b])
    assert len(rows) == 0
    assert [step["events"] for step in rows.cutflow] == [1, 0, 0, 0, 0]


def test_leptons_of_a_prompt_tau_are_prompt(tmp_path: Path) -> None:
    rows = of_events(tmp_path, [Particle(11, 50, 0, 0), Particle(-15, 45, 0, 2, [Particle(-13, 45, 0, 2)])])
    assert rows["channel"].tolist() == [143]


@pytest.mark.parametrize(
    ("lepton", "pt", "eta", "seen"),
    [
        (11, 21, 0, 1),
        (11, 19, 0, 0),
        (11, 50, 1.45, 0),
        (11, 50, 2.48, 0),
        (13, 50, 2.48, 1),
        (13, 50, 2.6, 0),
    ],
)
def test_leptons_outside_the_acceptance_are_not_seen(
    tmp_path: Path, lepton: int, pt: float, eta: float, seen: int
) -> None:
    rows = of_events(tmp_path, [Particle(11, 60, 0, 0), Particle(-lepton, pt, eta, 2)])
    assert len(rows) == seen


def test_isolation_is_the_charged_momentum_around_the_lepton_relative_to_its_own(tmp_path: Path) -> None:
    around = [Particle(PION, 5, 0.5, 0.2), Particle(PION, 9, 0.5, 0.4), Particle(PION, 0.9, 0.5, 0.1)]
    neutral = Particle(130, 20, 0.5, 0.1)
    rows = of_events(tmp_path, [*z_decay(MUON), *around, neutral])
    assert rows["lepton1_isolation"] == pytest.approx([5 / 50], rel=1e-4)
    assert rows["lepton2_isolation"] == pytest.approx([0])


def test_leptons_that_are_not_isolated_are_dropped(tmp_path: Path) -> None:
    rows = of_events(tmp_path, [*z_decay(MUON), Particle(PION, 26, 0.5, 0.2)])
    assert [step["events"] for step in rows.cutflow] == [1, 1, 1, 0, 0]


# --- jets and missing momentum -----------------------------------------------------------------------------


def jet(pt: float, eta: float, phi: float, *, bottom: bool = False) -> Particle:
    hadron = Particle(PION, pt, eta, phi)
    return Particle(B_MESON, pt, eta, phi, [hadron]) if bottom else hadron


def test_jets_are_counted_and_tagged_and_leptons_are_none(tmp_path: Path) -> None:
    rows = of_events(
        tmp_path,
        [*z_decay(), jet(60, 0, 1.5, bottom=True), jet(45, 1, -1.5), jet(29, 2, 1.5), jet(80, 2.9, 0)],
    )
    assert rows["n_jets"].tolist() == [2]
    assert rows["n_bjets"].tolist() == [1]
    assert rows["jet1_pt"] == pytest.approx([60], rel=1e-4)


def test_a_lepton_in_a_jet_belongs_to_the_jet(tmp_path: Path) -> None:
    rows = of_events(tmp_path, [*z_decay(MUON), jet(45, 0.5, 0.35)])
    assert [step["events"] for step in rows.cutflow] == [1, 1, 1, 1, 0]


def test_missing_momentum_is_that_of_the_neutrinos(tmp_path: Path) -> None:
    balance = Particle(NEUTRINO, 33, 1, 2.5)
    visible = [Particle(13, 50, 0, 0.0), Particle(-13, 50, 0, math.pi), jet(33, 0, 2.5 - math.pi)]
    rows = of_events(tmp_path, [*visible, balance])
    assert rows["met"] == pytest.approx([33], rel=1e-3)
    assert rows["met_phi"] == pytest.approx([2.5], abs=1e-3)


def test_missing_momentum_is_smeared_by_the_visible_energy(tmp_path: Path) -> None:
    events = [[Particle(13, 50, 0, 0.0), Particle(-13, 50, 0, math.pi)] for _ in range(1500)]
    rows = of_events(tmp_path, *events, response=replace(perfect(), missing_momentum_stochastic=0.5))
    component = rows["met"] * np.cos(rows["met_phi"])
    assert np.std(component) == pytest.approx(0.5 * math.sqrt(100), rel=0.08)


# --- smearing and variations -------------------------------------------------------------------------------


def test_lepton_momenta_are_smeared_by_the_declared_resolution(tmp_path: Path) -> None:
    events = [z_decay(lepton) for lepton in (ELECTRON, MUON) for _ in range(1500)]
    declared = detector.load(DETECTOR)
    rows = of_events(tmp_path, *events, response=declared)
    electron, muon = rows["channel"] == 121, rows["channel"] == 169
    hardest = np.maximum(rows["lepton1_pt"], rows["lepton2_pt"])
    energy = 50 * math.cosh(0.5)
    expected = math.hypot(0.10 / math.sqrt(energy), 0.008)
    assert np.std(hardest[electron] / 50) == pytest.approx(expected, rel=0.08)
    assert np.std(50 / hardest[muon]) == pytest.approx(math.hypot(0.015, 0.0001 * 50), rel=0.08)
    assert np.mean(hardest[electron] / 50) == pytest.approx(1, abs=4 * expected / math.sqrt(1500))


def test_scale_variations_move_only_their_flavour_by_the_declared_amount(tmp_path: Path) -> None:
    rows = of_events(tmp_path, z_decay(ELECTRON), z_decay(MUON), response=detector.load(DETECTOR))
    for flavour, row, other in (("electron", 0, 1), ("muon", 1, 0)):
        relative = {"electron": 0.002, "muon": 0.001}[flavour]
        for direction, sign in (("up", 1), ("down", -1)):
            name = f"_{flavour}_scale_{direction}"
            assert rows["mll" + name][row] == pytest.approx(
                rows["mll"][row] * (1 + sign * relative), rel=1e-9
            )
            assert rows["lepton1_pt" + name][row] == pytest.approx(
                rows["lepton1_pt"][row] * (1 + sign * relative), rel=1e-9
            )
            assert rows["mll" + name][other] == rows["mll"][other]
            assert rows["met" + name][other] == rows["met"][other]
            assert rows["met" + name][row] != rows["met"][row]


def test_resolution_variations_widen_and_narrow_the_same_smearing(tmp_path: Path) -> None:
    rows = of_events(tmp_path, *[z_decay(ELECTRON)] * 400, response=detector.load(DETECTOR))
    deviation = rows["mll"] / rows["mll_dressed"] - 1
    wider = rows["mll_electron_resolution_up"] / rows["mll_dressed"] - 1
    narrower = rows["mll_electron_resolution_down"] / rows["mll_dressed"] - 1
    assert np.std(wider) / np.std(deviation) == pytest.approx(1.15, abs=0.01)
    assert np.std(narrower) / np.std(deviation) == pytest.approx(0.85, abs=0.01)
    assert np.corrcoef(wider, deviation)[0, 1] > 0.999


def test_efficiency_is_the_product_of_the_pair_and_varies_by_flavour(tmp_path: Path) -> None:
    rows = of_events(tmp_path, [Particle(11, 40, 0.2, 0), Particle(-13, 60, 1.5, 2)])
    assert rows["efficiency"] == pytest.approx([0.90 * 0.97])
    assert rows["efficiency_electron_up"] == pytest.approx([0.91 * 0.97])
    assert rows["efficiency_electron_down"] == pytest.approx([0.89 * 0.97])
    assert rows["efficiency_muon_up"] == pytest.approx([0.90 * 0.977])


# --- cutflow, weights, reproducibility ---------------------------------------------------------------------

PARTICLES = st.builds(
    Particle,
    pid=st.sampled_from([11, -11, 13, -13, 22, 211, -211, 12, 130]),
    pt=st.floats(0.5, 200),
    eta=st.floats(-4, 4),
    phi=st.floats(-3.1, 3.1),
)
DECAYING = st.builds(
    Particle,
    pid=st.sampled_from([Z_BOSON, B_MESON, PI_ZERO, 15]),
    pt=st.floats(0.5, 200),
    eta=st.floats(-3, 3),
    phi=st.floats(-3.1, 3.1),
    children=st.lists(PARTICLES, min_size=1, max_size=4),
)
WEIGHTS = st.tuples(*[st.floats(-3, 3).filter(lambda value: abs(value) > 0.01)] * 2)
EVENTS = st.lists(
    st.builds(Event, particles=st.lists(PARTICLES | DECAYING, min_size=1, max_size=8), weights=WEIGHTS),
    min_size=1,
    max_size=12,
).filter(lambda events: abs(sum(event.weights[0] for event in events)) > 0.001)


@given(events=EVENTS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_cutflow_adds_up_whatever_the_events(tmp_path: Path, events: list[Event]) -> None:
    names = ("nominal", "other")
    rows = reduced(write_events(tmp_path / "events.hepmc", Sample(events, names)), detector.load(DETECTOR))
    counts = [step["events"] for step in rows.cutflow]
    assert counts[0] == rows.metadata["events"] == len(events)
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == len(rows)
    nominal = np.array([event.weights[0] for event in events])
    assert rows.cutflow[0]["sum_of_weights"] == pytest.approx(nominal.sum())
    assert rows.cutflow[0]["sum_of_weights_squared"] == pytest.approx((nominal**2).sum())
    assert rows.cutflow[-1]["sum_of_weights"] == pytest.approx(rows["weight"].sum())
    assert rows.cutflow[-1]["sum_of_weights_squared"] == pytest.approx((rows["weight"] ** 2).sum())
    for earlier, later in zip(rows.cutflow, rows.cutflow[1:], strict=False):
        assert later["sum_of_weights_squared"] <= earlier["sum_of_weights_squared"] * (1 + 1e-12)
    assert all(np.isfinite(values).all() for values in rows.rows.values())
    assert (rows["lepton1_pt"] >= rows["lepton2_pt"]).all()


@given(events=EVENTS, chunk=st.integers(1, 13))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_byte_depends_on_the_chunk_size(tmp_path: Path, events: list[Event], chunk: int) -> None:
    source = write_events(tmp_path / "events.hepmc", Sample(events, ("nominal", "other")))
    outputs = []
    for size in (chunk, 250):
        output = tmp_path / f"{size}.root"
        reduction.reduce(
            source, output, detector.load(DETECTOR), sample="s", seed=5, overrides=Overrides(), chunk=size
        )
        outputs.append(output.read_bytes())
    assert outputs[0] == outputs[1]


def test_the_same_input_gives_the_same_bytes_and_another_seed_others(
    program: Program, generate: Generate, tmp_path: Path
) -> None:
    source = generate("drell_yan", "--mass-range", 60, 120, events=40)
    outputs = []
    for name, seed in (("first.root", 1), ("second.root", 1), ("third.root", 2)):
        done = program(
            "reduce",
            "--input",
            source,
            "--sample",
            "z",
            "--detector",
            DETECTOR,
            "--seed",
            seed,
            "--output",
            tmp_path / name,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == done.stderr == ""
        outputs.append((tmp_path / name).read_bytes())
    assert outputs[0] == outputs[1]
    assert outputs[0] != outputs[2]


def test_negative_and_variation_weights_reach_the_ntuple_with_their_sums(tmp_path: Path) -> None:
    weights = [(1.0, 1.1), (-1.0, -0.9), (2.0, 2.5)]
    sample = Sample([Event(z_decay(), weight) for weight in weights], ("nominal", "muR=2/muF=1"))
    rows = reduced(write_events(tmp_path / "events.hepmc", sample))
    assert rows["weight"].tolist() == [1.0, -1.0, 2.0]
    assert rows["weight_muR_2_muF_1"].tolist() == [1.1, -0.9, 2.5]
    assert rows.metadata["sum_of_weights"] == 2.0
    assert rows.metadata["sum_of_weights_squared"] == 6.0
    assert rows.metadata["variation_sums"] == {"muR_2_muF_1": pytest.approx(2.7)}


def test_a_nominal_weight_that_is_not_the_first_is_found_by_its_name(tmp_path: Path) -> None:
    sample = Sample([Event(z_decay(), (5.0, 1.0))], ("muR_2", "nominal"))
    rows = reduced(write_events(tmp_path / "events.hepmc", sample))
    assert rows["weight"].tolist() == [1.0]
    assert rows["weight_muR_2"].tolist() == [5.0]


def test_weight_names_stay_apart_when_made_harmless() -> None:
    assert harmless(["muR=2", "muR/2", "", "µ", "fine_0.5"]) == (
        "muR_2",
        "muR_2_2",
        "unnamed",
        "unnamed_2",
        "fine_0.5",
    )


def test_metadata_come_from_the_file_and_can_be_overridden(tmp_path: Path) -> None:
    attributes = {"process": "zprime", "seed": "7", "filter_efficiency": "0.25"}
    source = write_events(tmp_path / "events.hepmc", Sample([Event(z_decay())], attributes=attributes))
    from_file = reduced(source).metadata
    assert (from_file["process"], from_file["seed"]) == ("zprime", 7)
    assert (from_file["filter_efficiency"], from_file["cross_section_pb"]) == (0.25, 2.5)
    assert from_file["cross_section_uncertainty_pb"] == 0.25
    given = Overrides(
        cross_section_pb=9.0, k_factor=1.3, filter_efficiency=0.5, sum_of_weights=10.0, luminosity_ifb=36.0
    )
    overridden = reduced(source, overrides=given).metadata
    assert overridden["cross_section_pb"] == 9.0
    assert overridden["cross_section_uncertainty_pb"] == 0.0
    assert overridden["k_factor"] == 1.3
    assert overridden["filter_efficiency"] == 0.5
    assert overridden["sum_of_weights"] == 10.0
    assert overridden["luminosity_ifb"] == 36.0


# --- files of others ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gz", ".zst", ""])
def test_compression_is_known_by_content_not_by_name(tmp_path: Path, suffix: str) -> None:
    text = write_events(tmp_path / "plain", Sample([Event(z_decay())] * 3)).read_bytes()
    packed = {".gz": gzip.compress, ".zst": zstandard.compress, "": bytes}[suffix](text)
    source = tmp_path / "events.hepmc"
    source.write_bytes(packed)
    assert len(reduced(source)) == 3


@pytest.mark.parametrize("format_name", ["hepmc2", "hepmc3"])
@pytest.mark.parametrize("unit", ["GEV", "MEV"])
def test_both_versions_and_units_of_hepmc_give_the_same_pairs(
    tmp_path: Path, format_name: str, unit: str
) -> None:
    source = write_events(tmp_path / "source.hepmc", Sample([Event(z_decay())] * 3))
    other = tmp_path / "other.hepmc"
    with pyhepmc.open(source) as events, pyhepmc.open(other, "w", format=format_name) as output:
        for event in events:
            event.set_units(getattr(pyhepmc.Units, unit), pyhepmc.Units.MM)
            output.write(event)
    assert reduced(other)["mll"] == pytest.approx(reduced(source)["mll"], rel=1e-6)
    assert reduced(other).metadata["cross_section_pb"] == 2.5


@pytest.mark.physics
def test_slimmed_events_are_measured_like_whole_ones(tmp_path: Path) -> None:
    request = Request(None, 1.0, ("ee", "mumu"), None, 13000.0)
    generator = pythia8mc.Pythia("", False)
    for setting in ("Print:quiet = on", "Random:setSeed = on", "Random:seed = 4", "PartonLevel:MPI = off"):
        generator.readString(setting)
    for setting in hardprocess.settings("ttbar", request):
        generator.readString(setting)
    assert generator.init()
    records = generator.nextBatch(60).prt
    slim, whole = tmp_path / "slim.hepmc", tmp_path / "whole.hepmc"
    with run_file(slim, ["nominal"], []) as output:
        for number, event in enumerate(slimming.slim(records)):
            output.events.write(event, EventExtras(number, np.ones(1), 1.0, 0.1))
    with pyhepmc.open(whole, "w") as output:
        for number, record in enumerate(records):
            output.write(_whole(number, record))
    first, second = reduced(slim, detector.load(DETECTOR)), reduced(whole, detector.load(DETECTOR))
    assert len(first) == len(second) > 20
    for name in ("mll", "met", "lepton1_isolation", "jet1_pt"):
        assert first[name] == pytest.approx(second[name], rel=1e-4, abs=1e-4)
    for name in ("event_number", "n_jets", "n_bjets", "channel"):
        assert first[name].tolist() == second[name].tolist()


def _whole(number: int, record: ak.Record) -> pyhepmc.GenEvent:
    """Pythia's record as its own HepMC interface would write it: every particle, every mother."""
    event = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
    particles: dict[int, pyhepmc.GenParticle] = {}
    momenta = [record.p[axis].tolist() for axis in ("px", "py", "pz", "e")]
    codes = record.status.tolist()
    for index in range(1, len(codes)):
        status = 1 if codes[index] > 0 else 4 if codes[index] == -12 else 2
        particles[index] = pyhepmc.GenParticle(
            [axis[index] for axis in momenta], int(record.id[index]), status
        )
    vertices: dict[tuple[int, int], pyhepmc.GenVertex] = {}
    ends: dict[int, pyhepmc.GenVertex] = {}
    for index, (first, second) in enumerate(
        zip(record.mother1.tolist(), record.mother2.tolist(), strict=True)
    ):
        if index == 0 or first == 0:
            continue
        mothers = tuple(range(first, second + 1)) if second > first else (first,)
        vertex = next((ends[mother] for mother in mothers if mother in ends), None)
        if vertex is None:
            vertex = vertices.setdefault((first, second), pyhepmc.GenVertex())
        for mother in mothers:
            if mother not in ends:
                ends[mother] = vertex
                vertex.add_particle_in(particles[mother])
        vertex.add_particle_out(particles[index])
    event.add_tree([particles[1], particles[2]])
    event.event_number = number
    event.weights = [1.0]
    section = pyhepmc.GenCrossSection()
    section.set_cross_section(1.0, 0.1)
    event.cross_section = section
    return event


# --- bad input ---------------------------------------------------------------------------------------------


def good(folder: Path, events: int = 5, **changes: Any) -> Path:
    return write_events(folder / "events.hepmc", Sample([Event(z_decay())] * events, **changes))


def damaged(folder: Path, kind: str) -> Path:
    """A file that must be refused."""
    source = good(folder)
    text = source.read_bytes()
    halves = {
        "gzip cut off": lambda: gzip.compress(text)[:-60],
        "gzip damaged": lambda: gzip.compress(text)[:100] + b"\0\0\0" + gzip.compress(text)[103:],
        "zstd cut off": lambda: zstandard.compress(text)[:-40],
        "event cut short": lambda: text[: text.rindex(b"P 5 3")],
        "events missing": lambda: text[: text.rindex(b"E 4 ")],
        "weights cut short": lambda: text[: text.rindex(b"W 1.0")] + b"W",
        "end missing": lambda: text.replace(b"HepMC::Asciiv3-END_EVENT_LISTING", b""),
        "particle garbled": lambda: text.replace(b"P 4 3 11 ", b"P four 3 11 ", 1),
        "no HepMC": lambda: b"<html>not found</html>\n",
        "empty": lambda: b"",
        "no events": lambda: (
            b"HepMC::Version 3.02.05\nHepMC::Asciiv3-START_EVENT_LISTING\n"
            b"HepMC::Asciiv3-END_EVENT_LISTING\n\n"
        ),
        "fewer than promised": lambda: text.replace(b"W nominal\n", b"W nominal\nA events 9\n"),
        "NaN weight": lambda: text.replace(b"W 1.00000000000000000e+00", b"W nan", 3).replace(
            b"W nan", b"W 1", 2
        ),
        "weights missing": lambda: text.replace(b"W nominal\n", b"W nominal\\|other\n"),
        "NaN momentum": lambda: text.replace(b"P 4 3 11 ", b"P 4 3 11 nan ", 1),
    }
    source.write_bytes(halves[kind]())
    return source


BAD_INPUT = {
    "gzip cut off": "is cut off or damaged",
    "gzip damaged": "is cut off or damaged",
    "zstd cut off": "is cut off or damaged",
    "event cut short": "END_EVENT_LISTING' at the end, found none",
    "events missing": "END_EVENT_LISTING' at the end, found none",
    "weights cut short": "END_EVENT_LISTING' at the end, found none after 4 events: it is cut off",
    "end missing": "END_EVENT_LISTING' at the end, found none",
    "particle garbled": "it is cut off or damaged",
    "no HepMC": "expected HepMC3 or HepMC2 ASCII, found b'<html>not found</html>",
    "empty": "expected HepMC3 or HepMC2 ASCII, found an empty file",
    "no events": "expected events, found none",
    "fewer than promised": "expected 9 events, as its header says, found 5",
    "NaN weight": "after 2 events: expected an event that fits the header, each weight a finite number",
    "weights missing": "after 0 events: expected an event that fits the header",
    "NaN momentum": "event 0: expected finite momenta",
}


@pytest.mark.parametrize("kind", BAD_INPUT)
def test_a_bad_file_is_refused_by_name_and_leaves_nothing_behind(tmp_path: Path, kind: str) -> None:
    source = damaged(tmp_path, kind)
    folder = tmp_path / "output"
    folder.mkdir()
    with pytest.raises(AnalysisError) as caught:
        reduction.reduce(
            source, folder / "out.root", perfect(), sample="s", seed=1, overrides=Overrides(), chunk=2
        )
    assert BAD_INPUT[kind] in str(caught.value)
    assert "events.hepmc" in str(caught.value)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("section", "options", "message"),
    [
        (
            "-2.5 0.1",
            {},
            "expected cross_section_pb > 0, found -2.5; give reduce.py the right one by --cross-section-pb",
        ),
        ("nan 0.1", {}, "expected cross_section_pb > 0, found nan"),
        ("2.5 -1", {}, "expected cross_section_uncertainty_pb ≥ 0, found -1.0"),
        (None, {}, "expected a cross-section in its events, found none; give one by --cross-section-pb"),
        ("2.5 0.1", {"filter_efficiency": 1.5}, "expected filter_efficiency ≤ 1, found 1.5"),
        ("2.5 0.1", {"k_factor": -1.0}, "expected k_factor > 0, found -1.0"),
        ("2.5 0.1", {"luminosity_ifb": -1.0}, "expected luminosity_ifb > 0, found -1.0"),
        ("2.5 0.1", {"sum_of_weights": 0.0}, "expected a finite sum_of_weights other than 0, found 0.0"),
    ],
)
def test_a_sample_that_cannot_be_normalised_is_refused(
    tmp_path: Path, section: str | None, options: dict[str, float], message: str
) -> None:
    source = good(tmp_path, cross_section=section)
    with pytest.raises(MetadataError) as caught:
        reduced(source, overrides=Overrides(**options))
    assert message in str(caught.value)
    assert not source.with_suffix(".root").exists()


def test_a_seed_that_is_none_is_refused(refused: Callable[..., Refusal], tmp_path: Path) -> None:
    refusal = refused(
        "reduce", "--input", good(tmp_path), "--sample", "s", "--detector", DETECTOR, "--seed", -1,
        "--output", "OUTPUT.root",
    )  # fmt: skip
    assert "--seed" in refusal.message
    assert refusal.left_behind == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("minimum_pt: 20 GeV", "minimum_pT: 20 GeV", "did you mean 'minimum_pt'?"),
        ("minimum_pt: 20 GeV", "minimum_pt: 20 GeX", "GeX"),
        ("- [0.85, 0.80]", "- [0.85]", "expected 5 rows (bins of pT) of 2 numbers (of |η|)"),
        ("pt_edges: [20, 30, 50, 100, 300]", "pt_edges: [20, 50, 30, 100, 300]", "expected rising edges"),
    ],
)
def test_a_wrong_detector_is_refused(
    refused: Callable[..., Refusal], tmp_path: Path, old: str, new: str, message: str
) -> None:
    wrong = tmp_path / "detector.yaml"
    text = DETECTOR.read_text("utf-8")
    assert old in text
    wrong.write_text(text.replace(old, new, 1), "utf-8")
    refusal = refused(
        "reduce",
        "--input",
        good(tmp_path),
        "--sample",
        "s",
        "--detector",
        wrong,
        "--seed",
        1,
        "--output",
        "OUTPUT.root",
    )
    assert "detector.yaml" in refusal.message
    assert message in refusal.message
    assert refusal.left_behind == []


def test_chunks_hold_no_more_events_than_asked(tmp_path: Path) -> None:
    events = EventFile(good(tmp_path, events=7))
    assert [chunk.events for chunk in events.chunks(3)] == [3, 3, 1]
    assert hepmcreader.RunFacts is type(events.facts())
    events.close()
