"""Generated events: reproducible, of the right cross-section, with the weights they claim."""

import gzip
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import awkward as ak
import numpy as np
import pyhepmc
import pytest
import pythia8mc
import zstandard
from leshouchesfile import write_leshouches

from conftest import Generate, Program, Refusal
from dilepton import hardprocess, leshouches, massfilter, pdgcodes, slimming, variations
from dilepton.generator import GenerationError, Generator, Plan
from dilepton.hardprocess import ProcessError, Request

REQUEST = Request(
    mass=None, coupling=1.0, channels=("ee", "mumu"), mass_range=None, centre_of_mass_energy=13000.0
)
PROCESS_LEVEL = ("Print:quiet = on", "Beams:eCM = 13000", "Random:setSeed = on", "PartonLevel:all = off")


def events(path: Path) -> list[pyhepmc.GenEvent]:
    with pyhepmc.open(path) as file:
        return list(file)


def pythia(*settings: str, seed: int = 1) -> pythia8mc.Pythia:
    instance = pythia8mc.Pythia("", False)
    for setting in ("Print:quiet = on", "Random:setSeed = on", f"Random:seed = {seed}", *settings):
        assert instance.readString(setting), setting
    assert instance.init()
    return instance


def cross_section(process: str, request: Request, *settings: str, events: int = 3000) -> tuple[float, float]:
    """pb with its uncertainty, by the hard process alone."""
    instance = pythia(*PROCESS_LEVEL, *hardprocess.settings(process, request), *settings)
    instance.nextBatch(events)
    info = instance.infoPython()
    return info.sigmaGen() * 1e9, info.sigmaErr() * 1e9


@pytest.mark.parametrize("suffix", [".hepmc.gz", ".hepmc.zst", ".hepmc"])
def test_same_seed_gives_same_bytes_and_another_seed_others(
    generate: Generate, program: Program, tmp_path: Path, suffix: str
) -> None:
    first = generate("zprime", "--mass", 2000, events=25, suffix=suffix).read_bytes()
    files = []
    for seed in (1, 2):
        output = tmp_path / f"other-name-{seed}{suffix}"
        done = program(
            "generate", "--process", "zprime", "--mass", 2000, "--events", 25, "--seed", seed,
            "--no-multiple-interactions", "--output", output,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        files.append(output.read_bytes())
    assert files[0] == first
    assert files[1] != first


def test_gzip_output_holds_neither_time_nor_name(generate: Generate) -> None:
    header = generate("zprime", "--mass", 2000, events=25, suffix=".hepmc.gz").read_bytes()[:10]
    flags, time = header[3], header[4:8]
    assert flags == 0
    assert time == bytes(4)


def test_header_and_events_read_as_one_text_whatever_the_compression(generate: Generate) -> None:
    plain = generate("zprime", "--mass", 2000, events=25, suffix=".hepmc").read_bytes()
    zipped = generate("zprime", "--mass", 2000, events=25, suffix=".hepmc.gz").read_bytes()
    packed = generate("zprime", "--mass", 2000, events=25).read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as stream:
        assert stream.read() == plain
    assert gzip.decompress(zipped) == plain
    assert plain.startswith(b"HepMC::Version")
    assert plain.rstrip().endswith(b"HepMC::Asciiv3-END_EVENT_LISTING")


def test_the_file_says_what_it_holds(generate: Generate) -> None:
    sample = events(generate("ttbar", "--filter-mass", 150, events=60))
    run = sample[0].run_info
    facts = {name: str(value) for name, value in run.attributes.items()}
    assert facts["process"] == "ttbar"
    assert facts["seed"] == "1"
    assert facts["events"] == "60" == str(len(sample))
    assert 0.1 < float(facts["filter_efficiency"]) < 0.4
    assert run.weight_names[0] == "nominal"
    assert {"muR_2", "muR_0.5", "muF_2", "isr_muR_2", "fsr_muR_0.5", "pdf_CTEQ6L1"} <= set(run.weight_names)
    assert run.tools[0].name == "Pythia"
    section = sample[-1].cross_section
    assert 0 < section.xsec_err() < 0.5 * section.xsec()


@pytest.mark.parametrize(("window", "most"), [((150,), math.inf), ((150, "--filter-mass-max", 200), 210)])
def test_events_of_a_filtered_sample_have_the_mass(
    generate: Generate, window: tuple[int | str, ...], most: float
) -> None:
    masses = []
    for event in events(generate("ttbar", "--filter-mass", *window, events=60)):
        bosons = [p for p in event.particles if abs(p.pid) == 24]
        leptons = [p for boson in bosons for p in boson.end_vertex.particles_out if abs(p.pid) in (11, 13)]
        assert len(leptons) == 2
        masses.append((leptons[0].momentum + leptons[1].momentum).m())
    # The filter looks before the shower, whose recoil and photons move a few leptons.
    assert sum(140 < mass < most for mass in masses) >= 0.9 * len(masses)


def test_the_cross_section_does_not_depend_on_the_filter() -> None:
    free = Generator(Plan("ttbar", REQUEST, events=400, seed=5, multiple_interactions=False, vary=False))
    cut = Generator(
        Plan("ttbar", REQUEST, events=400, seed=6, filter_mass=150, multiple_interactions=False, vary=False)
    )
    for source in (free, cut):
        for _ in source.batches():
            pass
    difference = abs(free.cross_section.value - cut.cross_section.value)
    uncertainty = math.hypot(free.cross_section.uncertainty, cut.cross_section.uncertainty)
    assert difference < 4 * uncertainty
    assert free.filter_efficiency == 1
    assert 0.15 < cut.filter_efficiency < 0.35


# Next-to-next-to-leading orders at 13 TeV, times branching fractions to e and μ of the Review of Particle
# Physics (W → ℓν 10.67%, Z → ℓℓ 3.366%, Z → νν 20.0%); lowest order lies below by the K-factor's size, and
# Pythia's densities and αs(mZ) = 0.13 move it by some ten percent.
#   Z/γ* → ℓℓ, 60–120 GeV: 1928 pb a flavour (FEWZ, as in CMS, arXiv:1801.09535 and its references)
#   tt̄: 832 pb (Top++ 2.0, m_t = 172.5 GeV, arXiv:1112.5675)
#   WW 118.7 pb (arXiv:1408.5243), WZ 51.1 pb (arXiv:1604.08576), ZZ 16.9 pb (arXiv:1405.2219)
W, Z, INVISIBLE = 2 * 0.1067, 2 * 0.03366, 0.200
LITERATURE = {
    "drell_yan": (2 * 1928.0, 0.60, 1.00),
    "ttbar": (832 * W**2, 0.50, 0.85),
    "diboson": (118.7 * W**2 + 51.1 * W * Z + 16.9 * (Z**2 + 2 * Z * INVISIBLE), 0.45, 0.85),
}


@pytest.mark.physics
@pytest.mark.parametrize("process", LITERATURE)
def test_cross_sections_lie_below_the_literature_by_a_k_factor(process: str) -> None:
    window = (60.0, 120.0) if process == "drell_yan" else None
    source = Generator(
        Plan(
            process,
            replace(REQUEST, mass_range=window),
            events=600,
            seed=7,
            multiple_interactions=False,
            vary=False,
        )
    )
    for _ in source.batches():
        pass
    expected, low, high = LITERATURE[process]
    # The diboson filter asks for two charged leptons, as the literature's final states have.
    assert low < source.cross_section.value * source.filter_efficiency / expected < high


@pytest.mark.physics
def test_zprime_cross_section_is_that_of_its_production_times_its_branching_fraction() -> None:
    """Against the narrow-width formula, with couplings, width and parton densities put together here.

    σ = 4π²/3 · Γ_qq̄/M · B(ℓℓ) · 1/s ∫ dx/x [q(x) q̄(τ/x) + q̄(x) q(τ/x)], Γ_ff̄ = N α M (v² + a²)/(48 s²c²).
    """
    mass, energy = 2000.0, 13000.0
    request = replace(REQUEST, mass=mass, mass_range=(1600.0, 2400.0))
    found, uncertainty = cross_section("zprime", request, events=4000)
    instance = pythia(*PROCESS_LEVEL, *hardprocess.settings("zprime", request))
    density = instance.getPDFPtr(2212)
    alpha = instance.coupSM.alphaEM(mass**2)
    sine2 = instance.coupSM.sin2thetaW()

    def width(colours: int, v: float, a: float) -> float:
        return colours * alpha * mass * (v**2 + a**2) / (48 * sine2 * (1 - sine2))

    down, up = width(3, -0.693, -1), width(3, 0.387, 1)
    lepton, neutrino = width(1, -0.08, -1), width(1, 1, 1)
    total = 3 * (down + up + lepton + neutrino)
    tau = (mass / energy) ** 2
    y = np.linspace(0.5 * math.log(tau), -0.5 * math.log(tau), 401)[1:-1]
    luminosity = 0.0
    for flavour in range(1, 6):
        pairs = np.array(
            [
                density.xf(flavour, x1, mass**2) * density.xf(-flavour, x2, mass**2)
                + density.xf(-flavour, x1, mass**2) * density.xf(flavour, x2, mass**2)
                for x1, x2 in zip(math.sqrt(tau) * np.exp(y), math.sqrt(tau) * np.exp(-y), strict=True)
            ]
        )
        luminosity += (down if flavour % 2 else up) * float(np.sum(pairs) * (y[1] - y[0]))
    picobarn = 0.3893794e9
    expected = 4 * math.pi**2 / 3 * luminosity / mass * (2 * lepton / total) / mass**2 * picobarn
    assert found == pytest.approx(expected, rel=0.12, abs=4 * uncertainty)


@pytest.mark.physics
def test_a_zprime_has_no_tail_below_half_its_mass() -> None:
    request = replace(REQUEST, mass=5000.0)
    instance = pythia(*PROCESS_LEVEL, *hardprocess.settings("zprime", request))
    masses = ak.to_numpy(instance.nextBatch(500).info.mHat)
    assert masses.min() > 2500
    assert 4500 < np.median(masses) < 5100


@pytest.mark.physics
def test_zprime_channels_add_up_and_couplings_scale_the_cross_section() -> None:
    request = replace(REQUEST, mass=2000.0, mass_range=(1600.0, 2400.0))
    both, error = cross_section("zprime", request)
    one, error_one = cross_section("zprime", replace(request, channels=("ee",)))
    weak, error_weak = cross_section("zprime", replace(request, coupling=0.5))
    assert both / one == pytest.approx(2, abs=4 * math.hypot(error / both, error_one / one) * 2)
    # g² from production; the branching fraction stays. The window cuts the tails of the wider resonance.
    assert both / weak == pytest.approx(4, rel=0.06 + 4 * math.hypot(error / both, error_weak / weak))


def test_reweighting_starts_from_the_densities_and_couplings_that_pythia_used() -> None:
    instance = pythia(*PROCESS_LEVEL, *hardprocess.settings("ttbar", REQUEST))
    info = instance.nextBatch(50).info
    reweighting = variations.HardReweighting(instance, strong_coupling_power=2)
    scatters = variations.hard_scatters(info)
    coupling = reweighting.strong_coupling(scatters.renormalisation_scale_squared)
    assert coupling == pytest.approx(ak.to_numpy(info.alphaS), rel=1e-12)
    density = instance.getPDFPtr(2212)
    used = [
        density.xf(int(code), x, q2)
        for code, x, q2 in zip(scatters.id1, scatters.x1, scatters.factorisation_scale_squared, strict=True)
    ]
    assert used == pytest.approx(ak.to_numpy(info.pdf1), rel=1e-12)


@pytest.mark.physics
@pytest.mark.parametrize(
    ("variation", "settings"),
    [
        ("pdf_CTEQ6L1", ("PDF:pSet = 8",)),
        ("pdf_NNPDF31_nnlo_as_0118_luxqed", ("PDF:pSet = 20",)),
        ("muF_2", ("SigmaProcess:factorMultFac = 4",)),
        ("muR_0.5", ("SigmaProcess:renormMultFac = 0.25",)),
    ],
)
def test_weights_give_the_cross_section_that_a_run_with_those_settings_has(
    variation: str, settings: tuple[str, ...]
) -> None:
    instance = pythia(*PROCESS_LEVEL, *hardprocess.settings("ttbar", REQUEST))
    reweighting = variations.HardReweighting(instance, strong_coupling_power=2)
    ratios = reweighting.ratios(variations.hard_scatters(instance.nextBatch(3000).info))
    ratio = ratios[reweighting.names.index(variation)]
    before = instance.infoPython()
    after, error = cross_section("ttbar", REQUEST, *settings)
    predicted = before.sigmaGen() * 1e9 * ratio.mean()
    uncertainty = math.hypot(
        error,
        predicted * before.sigmaErr() / before.sigmaGen(),
        predicted * ratio.std() / ratio.mean() / 3000**0.5,
    )
    assert predicted == pytest.approx(after, abs=4 * uncertainty)


def test_a_process_without_strong_coupling_has_no_renormalisation_weight(generate: Generate) -> None:
    names = events(generate("zprime", "--mass", 2000, events=25))[0].run_info.weight_names
    assert not [name for name in names if name.startswith("muR")]


@pytest.mark.physics
def test_shower_variations_keep_the_cross_section_and_have_no_wild_weights() -> None:
    source = Generator(Plan("ttbar", REQUEST, events=500, seed=8, multiple_interactions=False))
    weights = np.concatenate([batch.weights for batch in source.batches()])
    assert weights.shape == (500, len(source.weight_names))
    for name in variations.shower_names():
        column = weights[:, source.weight_names.index(name)]
        assert column.mean() == pytest.approx(1, abs=4 * column.std() / math.sqrt(500))
        assert 0.05 < column.std() < 1
        assert column.max() < 15


def test_without_variations_there_is_one_weight(generate: Generate) -> None:
    sample = events(generate("zprime", "--mass", 2000, "--variations", "none", events=10))
    assert list(sample[0].run_info.weight_names) == ["nominal"]
    assert [event.weights for event in sample] == [[1.0]] * 10


def test_slimmed_events_are_whole_graphs(generate: Generate) -> None:
    for event in events(generate("ttbar", "--filter-mass", 150, events=60))[:20]:
        beams = [particle for particle in event.particles if particle.status == 4]
        assert [beam.pid for beam in beams] == [2212, 2212]
        for particle in event.particles:
            if particle.status != 4:
                assert particle.production_vertex.particles_in
            if particle.status == 1:
                assert particle.end_vertex is None
        reached, waiting = set(), list(beams)
        while waiting:
            particle = waiting.pop()
            if particle.id not in reached:
                reached.add(particle.id)
                waiting.extend(particle.end_vertex.particles_out if particle.end_vertex else [])
        assert len(reached) == len(event.particles)


def test_a_zprime_decays_into_its_leptons_with_all_its_momentum(generate: Generate) -> None:
    for event in events(generate("zprime", "--mass", 2000, events=25)):
        decayed = next(p for p in event.particles if p.pid == 32 and p.status == 62)
        leptons = decayed.end_vertex.particles_out
        assert sorted(abs(lepton.pid) for lepton in leptons) in ([11, 11], [13, 13])
        total = leptons[0].momentum + leptons[1].momentum
        assert total.m() == pytest.approx(decayed.momentum.m(), rel=1e-4)
        assert total.e == pytest.approx(decayed.momentum.e, rel=1e-4)


def test_slimming_loses_no_lepton_and_keeps_who_comes_from_a_hadron() -> None:
    instance = pythia("Beams:eCM = 13000", "PartonLevel:MPI = off", *hardprocess.settings("ttbar", REQUEST))
    records = instance.nextBatch(40).prt
    for record, slim in zip(records, slimming.slim(records), strict=True):
        pid, status = ak.to_numpy(record.id), ak.to_numpy(record.status)
        mothers = list(zip(record.mother1.tolist(), record.mother2.tolist(), strict=True))
        hadron = pdgcodes.is_hadron(pid) & (np.abs(status) != 12)
        full = sorted(
            (int(pid[i]), round(float(record.p.e[i]), 6), _comes_from_hadron(int(i), mothers, hadron))
            for i in np.flatnonzero((status > 0) & pdgcodes.is_charged_lepton(pid))
        )
        parents = [tuple(map(int, pair)) for pair in slim.parents]
        slim_hadron = pdgcodes.is_hadron(slim.pid) & (slim.status != 4)
        kept = sorted(
            (
                int(slim.pid[i]),
                round(float(slim.momentum[3, i]), 6),
                _comes_from_hadron(int(i), parents, slim_hadron),
            )
            for i in np.flatnonzero((slim.status == 1) & pdgcodes.is_charged_lepton(slim.pid))
        )
        assert kept == full


def _comes_from_hadron(start: int, mothers: list[tuple[int, int]], hadron: np.ndarray) -> bool:
    """Whether a hadron is among the ancestors, decays followed by their one mother."""
    at = start
    while (mother := mothers[at][0]) > 0 or (at != mother and mother == 0 and hadron[0]):
        if hadron[mother]:
            return True
        at = mother
    return False


def test_showered_les_houches_events_keep_their_weights(program: Program, tmp_path: Path) -> None:
    source, output = tmp_path / "hard process.lhe", tmp_path / "showered.hepmc.gz"
    written = write_leshouches(source, 40)
    done = program(
        "generate", "--process", "drell_yan", "--lhe", source, "--events", 40, "--seed", 3,
        "--no-multiple-interactions", "--output", output,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sample = events(output)
    names = list(sample[0].run_info.weight_names)
    assert names[:3] == ["nominal", "lhe_scale_up", "lhe_1002"]
    for index, event in enumerate(sample):
        nominal = written[index]
        assert event.weights[:3] == pytest.approx([nominal, 1.1 * nominal, 0.9 * nominal])
    assert min(written) < 0
    assert sample[-1].cross_section.xsec() == pytest.approx(sum(written) / 40)


def test_a_les_houches_file_is_refused_when_it_is_none_or_cut_off_or_too_short(
    refused: Callable[..., Refusal], tmp_path: Path
) -> None:
    whole, cut, none = tmp_path / "a.lhe", tmp_path / "b.lhe", tmp_path / "c.lhe"
    write_leshouches(whole, 5)
    cut.write_text(whole.read_text()[:-400])
    none.write_text("event 1\n")
    with pytest.raises(leshouches.LesHouchesError, match="found 5 events begun, 4 ended"):
        leshouches.inspect(cut)
    with pytest.raises(
        leshouches.LesHouchesError, match="expected a Les Houches event file, found b'event 1"
    ):
        leshouches.inspect(none)
    refusal = refused(
        "generate",
        "--process",
        "ttbar",
        "--lhe",
        whole,
        "--events",
        6,
        "--seed",
        1,
        "--output",
        "OUTPUT.hepmc",
    )
    assert "expected at least 6 events, found 5; ask for --events 5 or fewer" in refusal.message
    assert refusal.left_behind == []


def test_les_houches_weights_that_change_from_event_to_event_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.lhe"
    write_leshouches(path, 3)
    head, _, tail = path.read_text().rpartition('<wgt id="1002">')
    path.write_text(head + '<wgt id="1003">' + tail)
    with pytest.raises(leshouches.LesHouchesError, match=r"event 2: .*scale up, 1002, found scale up, 1003"):
        leshouches.inspect(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "expected the mass of the Z′, found none; give --mass, in GeV"),
        ({"mass": 14000.0}, "expected a mass below √s = 13000 GeV"),
        ({"mass": -5.0}, "expected --mass above 0 GeV, found -5.0"),
        ({"mass": math.nan}, "expected --mass above 0 GeV, found nan"),
        ({"mass": 500.0, "coupling": 0.0}, "expected --coupling above 0"),
        ({"mass": 500.0, "mass_range": (800.0, 400.0)}, "0 < LOW < HIGH in GeV, found 800 400"),
        ({"mass": 500.0, "mass_range": (13000.0, 14000.0)}, "to begin below √s = 13000 GeV, found 13000"),
    ],
)
def test_a_request_without_meaning_is_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ProcessError) as caught:
        hardprocess.settings("zprime", replace(REQUEST, **changes))
    assert message in str(caught.value)


@pytest.mark.parametrize("process", ["ttbar", "diboson"])
def test_a_mass_window_makes_no_sense_without_a_common_parent(process: str) -> None:
    with pytest.raises(ProcessError, match="use --filter-mass"):
        hardprocess.settings(process, replace(REQUEST, mass_range=(100.0, 200.0)))


@pytest.mark.parametrize("process", ["drell_yan", "ttbar", "diboson"])
def test_a_mass_is_the_zprimes_alone(process: str) -> None:
    with pytest.raises(ProcessError, match=f"'{process}': expected no --mass, which .* found 500 GeV; leave"):
        hardprocess.settings(process, replace(REQUEST, mass=500.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 0}, "--seed: expected 1 to 900000000, found 0"),
        ({"events": 0}, "--events: expected at least 1, found 0"),
        ({"filter_mass": -1.0}, "--filter-mass: expected 0 or more GeV, found -1"),
        (
            {"filter_mass_max": 200.0},
            "--filter-mass-max: expected more GeV than --filter-mass, found 200 with 0",
        ),
    ],
)
def test_a_plan_without_meaning_is_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(GenerationError) as caught:
        Generator(replace(Plan("ttbar", REQUEST, events=1, seed=1), **changes))
    assert message in str(caught.value)


def test_a_filter_that_nothing_passes_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(massfilter, "_FRUITLESS", 500)
    source = Generator(Plan("ttbar", REQUEST, events=1, seed=1, filter_mass=12000.0, vary=False))
    with pytest.raises(massfilter.FilterError, match="expected one event in 500 to pass, found 0 in 500"):
        next(source.batches())


def test_an_output_folder_that_is_not_there_is_named(refused: Callable[..., Refusal], tmp_path: Path) -> None:
    missing = tmp_path / "nowhere" / "events.hepmc.gz"
    refusal = refused(
        "generate", "--process", "zprime", "--mass", 500, "--events", 1, "--seed", 1, "--output", missing
    )
    assert refusal.message.startswith(f"error: '{missing.parent}': expected a file or folder, found none")


def test_help_gives_the_units(program: Program) -> None:
    done = program("generate", "--help")
    assert done.returncode == 0
    assert "GeV" in done.stdout
