"""The fit: right numbers on models whose truth is known, and pyhf's own on the same model."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import jsonschema
import numpy as np
import pyhf
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

from dilepton import filling, histogramfile, inference, observed, regions, templates, workspace
from dilepton.inference import Statistical
from dilepton.likelihood import INTERPOLATION, Likelihood, auxiliary
from dilepton.ntuple import Ntuple, Sample
from dilepton.regions import ABCD, Analysis, Observable, Process, Region, TransferFactor
from dilepton.templates import Template, Templates

ANALYSIS = regions.read(synthetic.REGIONS)
SCHEMA = Path(__file__).parents[2] / "specs/schemas/fit-result.schema.json"
LUMINOSITY = 20.0
Counts = Mapping[str, np.ndarray]
# pyhf validates its specifications by a part of jsonschema that has a successor.
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver is deprecated:DeprecationWarning")


@dataclass(frozen=True)
class Files:
    """Histograms by sample, and ntuples of the same samples that are independent of them."""

    histograms: Mapping[str, Path]
    ntuples: Mapping[str, Path]

    def templates(self, analysis: Analysis) -> Templates:
        read = {
            name: histogramfile.read_sample(path, analysis, LUMINOSITY)
            for name, path in self.histograms.items()
        }
        return templates.build(analysis, [read.pop("signal")], list(read.values()))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("samples")
    ntuples = synthetic.all_samples(folder / "templates", 6000, 100)
    histograms = {name: filled(path, folder / f"{name}.root") for name, path in ntuples.items()}
    return Files(histograms, synthetic.all_samples(folder / "data", 6000, 200))


def filled(ntuple: Path, output: Path) -> Path:
    """The histograms of a sample."""
    sample = Sample([Ntuple(ntuple)])
    read = filling.reading(ANALYSIS, sample)
    yields = filling.fill(ANALYSIS, sample, read, LUMINOSITY)
    histogramfile.write_sample(
        output, ANALYSIS, yields, sample=sample.metadata, luminosity=LUMINOSITY, warnings=read.warnings
    )
    return output


@pytest.fixture(autouse=True)
def pyhf_as_it_was() -> Iterator[None]:
    yield
    pyhf.set_backend("numpy")


def expectation(analysis: Analysis, made: Templates, strength: float = 0.0) -> dict[str, np.ndarray]:
    """Total events by region, shape (bins,), with the signal at some strength."""
    found = {}
    for region in analysis.regions:
        signal = made.get(region.name, analysis.signal.name)
        background = sum(t.nominal for t in made.background(analysis, region))
        found[region.name] = background + strength * (signal.nominal if signal else 0.0)
    return found


def toys(expected: Counts, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {name: generator.poisson(values).astype(float) for name, values in expected.items()}


def statistical(analysis: Analysis, made: Templates, data: Counts) -> Statistical:
    return Statistical.of(workspace.build(analysis, made, data).fitted)


def signal_only(analysis: Analysis, *names: str) -> Analysis:
    """The analysis with these regions alone fitted and its ttbar from simulation: a small model."""
    kept = tuple(replace(r, fitted=r.name in names) for r in analysis.regions)
    few = tuple(
        s for s in analysis.systematics if s.name in {"luminosity", "drell_yan_k_factor", "electron_scale"}
    )
    return replace(analysis, regions=kept, data_driven=(), systematics=few)


@given(seed=st.integers(0, 2**32), size=st.floats(0.0, 2.5))
@settings(max_examples=15, deadline=None)
def test_expected_events_are_pyhfs_and_their_derivatives_are_right(
    full: Statistical, seed: int, size: float
) -> None:
    likelihood, model = full.likelihood, full.model
    start = np.array(model.config.suggested_init())
    step = np.random.default_rng(seed).normal(size=len(start))
    point = start + size * step * np.minimum(likelihood.constraints.widths, 0.2)
    point = np.maximum(point, np.where(start > 0, 1e-3, -np.inf))
    expected, slopes = likelihood.jacobian(point)
    np.testing.assert_allclose(expected, model.expected_actualdata(list(point)), rtol=1e-9, atol=1e-9)
    counts, centres = auxiliary(model, full.data)
    exact = likelihood.derivatives(point, counts, centres)
    offset = [
        float(model.logpdf(list(p), full.data)[0]) + likelihood.value(p, counts, centres)
        for p in (start, point)
    ]
    assert offset[0] == pytest.approx(offset[1], rel=1e-9)
    for number in range(0, len(point), 7):
        h = 1e-5 * max(1.0, abs(point[number]))
        up, down = point.copy(), point.copy()
        up[number] += h
        down[number] -= h
        along = (likelihood.expected(up) - likelihood.expected(down)) / (2 * h)
        np.testing.assert_allclose(slopes[:, number], along, rtol=1e-4, atol=1e-4)
        bent = (
            likelihood.derivatives(up, counts, centres).gradient
            - likelihood.derivatives(down, counts, centres).gradient
        ) / (2 * h)
        np.testing.assert_allclose(
            exact.hessian[number], bent, rtol=1e-3, atol=1e-4 * np.abs(exact.hessian).max()
        )


@pytest.fixture(scope="module")
def full(files: Files) -> Statistical:
    made = files.templates(ANALYSIS)
    return statistical(ANALYSIS, made, toys(expectation(ANALYSIS, made), 1))


def test_limits_and_cls_are_those_of_plain_pyhf(files: Files) -> None:
    """pyhf with MINUIT and finite differences finds CLs = 5% at our limits, within 1e-3, and the same p₀."""
    analysis = signal_only(ANALYSIS, "SR_ee")
    made = files.templates(analysis)
    data = toys(expectation(analysis, made, 0.08), 4)
    ours = inference.infer(statistical(analysis, made, data), analysis.fit)
    opened = pyhf.Workspace(workspace.build(analysis, made, data).fitted)
    model = opened.model(modifier_settings=INTERPOLATION)
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer())
    assert ours.limits.observed is not None
    cls, _ = pyhf.infer.hypotest(
        ours.limits.observed, opened.data(model), model, test_stat="qtilde", return_expected_set=True
    )
    assert float(cls) == pytest.approx(0.05, abs=1e-3)
    median = ours.limits.expected[2]
    assert median is not None
    _, expected = pyhf.infer.hypotest(
        median, opened.data(model), model, test_stat="qtilde", return_expected_set=True
    )
    assert float(expected[2]) == pytest.approx(0.05, abs=1e-3)
    p_value = pyhf.infer.hypotest(0.0, opened.data(model), model, test_stat="q0")
    assert float(p_value) == pytest.approx(ours.discovery.p_value, abs=1e-3)


@pytest.mark.physics
def test_pulls_of_background_only_toys_are_compatible_with_zero(files: Files, full: Statistical) -> None:
    """40 toys: the mean of each pull lies within 4.5 of its uncertainty, over some 70 parameters.

    By chance one of 70 means is outside 4.5σ once in 2000 sets of seeds. A bias of one standard deviation of
    the pulls, as a wrong sign or a forgotten factor gives, shifts a mean by 6σ and is found.
    """
    expected = expectation(ANALYSIS, files.templates(ANALYSIS))
    pulls = []
    for seed in range(40):
        fit = inference.background_only(full.observing(toys(expected, 1000 + seed)))
        pulls.append([p.pull for p in fit.parameters if p.pull is not None])
    found = np.array(pulls)
    width = np.maximum(found.std(axis=0, ddof=1), 0.02)
    assert np.abs(found.mean(axis=0) / (width / math.sqrt(len(found)))).max() < 4.5
    assert (width < 1.5).all()


@pytest.mark.physics
def test_pulls_on_independent_events_are_small_and_the_fit_is_good(files: Files) -> None:
    made = files.templates(ANALYSIS)
    fitted = statistical(ANALYSIS, made, drawn(files, 1))
    found = inference.infer(fitted, ANALYSIS.fit)
    pulls = [abs(p.pull) for p in found.background.parameters if p.pull is not None]
    assert max(pulls) < 3.5
    assert found.goodness.p_value > 1e-3


def drawn(files: Files, seed: int, strength: float = 0.0) -> dict[str, np.ndarray]:
    """Pseudo-data from events that the templates do not know, shape (bins,) by region."""
    counts = []
    for name, path in files.ntuples.items():
        if name != "signal" or strength:
            factor = strength if name == "signal" else 1.0
            counts.append(observed.draw(ANALYSIS, Sample([Ntuple(path)]), LUMINOSITY, seed, factor))
    total = observed.total(ANALYSIS, counts).counts
    return {name: values[1:-1].astype(float) for name, values in total.items()}


@pytest.mark.physics
def test_an_injected_signal_is_found_at_its_strength(files: Files, full: Statistical) -> None:
    """Ten pseudo-datasets of strength 0.5: each is within 4 errors, their mean within 4/√10 of one."""
    deviations = []
    for seed in range(10):
        fit = inference.with_signal(full.observing(drawn(files, seed, 0.5)))
        assert fit.strength.uncertainty is not None
        deviations.append((fit.strength.value - 0.5) / fit.strength.uncertainty)
    assert max(map(abs, deviations)) < 4
    assert abs(np.mean(deviations)) < 4 / math.sqrt(10)


@pytest.mark.physics
def test_the_observed_limit_of_most_toys_lies_within_two_sigma(files: Files) -> None:
    """Of 20 toys at least 17: a right program fails at that in 1 of 80 sets of seeds; these are fixed."""
    analysis = signal_only(ANALYSIS, "SR_ee")
    made = files.templates(analysis)
    expected = expectation(analysis, made)
    model = statistical(analysis, made, expected)
    inside = 0
    for seed in range(20):
        limits = inference.upper_limits(model.observing(toys(expected, 2000 + seed)), analysis.fit)
        low, high = limits.expected[0], limits.expected[4]
        assert limits.observed is not None
        assert low is not None
        assert high is not None
        inside += low <= limits.observed <= high
    assert inside >= 17


def test_expected_limits_rise_with_their_band_and_cls_is_the_level_there(files: Files) -> None:
    analysis = signal_only(ANALYSIS, "SR_ee", "SR_mumu")
    made = files.templates(analysis)
    model = statistical(analysis, made, toys(expectation(analysis, made), 3))
    found = inference.infer(model, analysis.fit)
    expected = [e for e in found.limits.expected if e is not None]
    assert expected == sorted(expected)
    assert len(expected) == 5
    assert [t.strength for t in found.scan] == sorted(t.strength for t in found.scan)
    for band, limit in enumerate(expected):
        here = next(t for t in found.scan if t.strength == limit)
        assert here.expected[band] == pytest.approx(0.05, abs=1e-3)


def test_the_transfer_factor_carries_the_control_regions_data_to_the_signal_region(files: Files) -> None:
    """eμ data hold 1.3 times the simulated tt̄: so does the prediction in all other regions."""
    made = files.templates(ANALYSIS)
    data = expectation(ANALYSIS, made)
    for region in ANALYSIS.regions:
        ttbar = made.get(region.name, "ttbar")
        assert ttbar is not None
        data[region.name] = data[region.name] + 0.3 * ttbar.nominal
    built = workspace.build(ANALYSIS, made, data)
    model = Statistical.of(built.fitted)
    fit = inference.background_only(model)
    after = inference.by_region(inference.predict(built.everywhere, fit, model, "signal").after)
    for name in ("CR_emu", "SR_ee", "VR_mumu"):
        simulated = made.get(name, "ttbar")
        assert simulated is not None
        events = after[name].by_process["ttbar"].sum()
        assert events == pytest.approx(1.3 * simulated.nominal.sum(), rel=2e-3)
    # The transfer factor's own uncertainty, 5%, is on the signal region and not on the control region.
    assert (
        after["SR_ee"].process_events_uncertainty["ttbar"] / after["SR_ee"].by_process["ttbar"].sum() > 0.045
    )


def test_a_transfer_factor_bin_by_bin_carries_each_bin_of_the_control_region(files: Files) -> None:
    """eμ data hold as many times the simulated tt̄ as the bin says: so does each bin of the prediction."""
    bins = np.array([600.0, 800.0, 1200.0, 6000.0])
    names = ("SR_ee", "SR_mumu", "CR_emu")
    kept = tuple(
        replace(r, observable=replace(r.observable, edges=tuple(bins), overflow_in_last_bin=True))
        for r in ANALYSIS.regions
        if r.name in names
    )
    (declared,) = ANALYSIS.data_driven
    assert isinstance(declared, TransferFactor)
    analysis = replace(ANALYSIS, regions=kept, data_driven=(replace(declared, binwise=True),))
    places = {}
    for region in kept:
        for process, size in (("signal", 5.0), ("drell_yan", 40.0), ("ttbar", 100.0), ("diboson", 4.0)):
            nominal = size * np.array([4.0, 2.0, 1.0]) * (region.name != "CR_emu" or process == "ttbar")
            made = Template(analysis.process(process), region, nominal, nominal * 0.01, {})
            places[region.name, process] = made
    made = Templates(places, ())
    truth = np.array([1.5, 0.8, 1.2])
    data = expectation(analysis, made)
    for region in kept:
        data[region.name] = data[region.name] + (truth - 1) * places[region.name, "ttbar"].nominal
    built = workspace.build(analysis, made, data)
    model = Statistical.of(built.fitted)
    fit = inference.background_only(model)
    after = inference.by_region(inference.predict(built.everywhere, fit, model, "signal").after)
    for name in names:
        expected = truth * places[name, "ttbar"].nominal
        np.testing.assert_allclose(after[name].by_process["ttbar"], expected, rtol=2e-3)
    # A signal on top of it is not taken for top pairs, which the control region knows.
    for name in ("SR_ee", "SR_mumu"):
        data[name] = data[name] + 3 * places[name, "signal"].nominal
    found = inference.with_signal(model.observing(data)).strength
    assert found.value == pytest.approx(3.0, abs=0.05)


def abcd_model(excess: float) -> tuple[Analysis, Templates, dict[str, np.ndarray], np.ndarray]:
    """Four regions with a known multijet background that factorises, a small simulated one, and an excess."""
    shape = np.array([80.0, 50.0, 20.0])
    truth = {"B": 4 * shape, "A": shape, "C": np.array([90.0]), "D": np.array([360.0])}
    edges = {name: tuple(float(n) for n in range(len(v) + 1)) for name, v in truth.items()}
    made_regions = tuple(
        Region(
            name,
            name,
            "control",
            None,
            None,
            (),
            Observable("mll", "m", "GeV", edges[name], False),
            1.0,
            True,
        )
        for name in truth
    )
    processes = (
        Process("signal", "signal", ("signal",), True, "#000000"),
        Process("drell_yan", "Drell–Yan", ("dy",), False, "#111111"),
        Process("multijet", "Multijet", (), False, "#222222"),
    )
    method = ABCD("multijet", "Multijet", "multijet", "A", "B", "C", "D", 0.05)
    analysis = Analysis(
        processes, made_regions, (), (method,), replace(ANALYSIS.fit, strength_high=50.0), ANALYSIS.plots
    )
    signal = np.array([2.0, 5.0, 20.0])
    places = {}
    data = {}
    for region in made_regions:
        size = region.observable.bins
        drell_yan = np.full(size, 5.0)
        here = signal if region.name == "A" else np.zeros(size)
        for process, nominal in ((processes[0], here), (processes[1], drell_yan)):
            places[region.name, process.name] = Template(process, region, nominal, nominal * 0.0, {})
        data[region.name] = truth[region.name] + drell_yan + excess * here
    return analysis, Templates(places, ()), data, shape


def test_an_abcd_background_closes() -> None:
    analysis, made, data, shape = abcd_model(excess=0.0)
    built = workspace.build(analysis, made, data)
    model = Statistical.of(built.fitted)
    fit = inference.background_only(model)
    after = inference.by_region(inference.predict(built.everywhere, fit, model, "signal").after)
    np.testing.assert_allclose(after["A"].by_process["multijet"], shape, rtol=1e-3)
    # C and D hold 90 and 360 events, so their ratio is known within 12%; the closure adds 5%.
    relative = after["A"].uncertainty.sum() / after["A"].total.sum()
    assert 0.03 < relative < 0.2


def test_a_signal_over_an_abcd_background_is_found() -> None:
    analysis, made, data, _ = abcd_model(excess=2.0)
    fit = inference.with_signal(statistical(analysis, made, data))
    assert fit.strength.value == pytest.approx(2.0, rel=1e-2)


def test_an_abcd_background_without_data_to_start_from_is_refused() -> None:
    analysis, made, data, _ = abcd_model(excess=0.0)
    data["D"] = np.array([3.0])
    with pytest.raises(workspace.WorkspaceError, match="more data than simulation in region 'D'"):
        workspace.build(analysis, made, data)


@pytest.fixture(scope="module")
def data_file(files: Files) -> Path:
    path = next(iter(files.histograms.values())).parent / "data.root"
    script = synthetic.SCRIPTS / "pseudodata.py"
    inputs = [str(p) for name, p in files.ntuples.items() if name != "signal"]
    command = [sys.executable, str(script), "--input", *inputs, "--regions", str(synthetic.REGIONS)]
    command += ["--luminosity-ifb", str(LUMINOSITY), "--seed", "1", "--output", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def run(
    files: Files,
    data: Path,
    folder: Path,
    *,
    declaration: Path = synthetic.REGIONS,
    luminosity: float = LUMINOSITY,
) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    backgrounds = [str(p) for name, p in files.histograms.items() if name != "signal"]
    command = [sys.executable, str(synthetic.SCRIPTS / "fit.py"), "--signal", str(files.histograms["signal"])]
    command += ["--background", *backgrounds, "--data", str(data), "--regions", str(declaration)]
    command += ["--luminosity-ifb", str(luminosity), "--workspace", str(folder / "workspace.json")]
    command += ["--result", str(folder / "result.json"), "--plots", str(folder / "plots")]
    command += ["--table", str(folder / "limits.txt")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def refused(ended: subprocess.CompletedProcess[str], folder: Path) -> str:
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(folder.iterdir())
    return ended.stderr


@pytest.mark.slow
def test_the_program_writes_the_same_complete_results_twice(
    files: Files, data_file: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        ended = run(files, data_file, tmp_path / name)
        assert ended.returncode == 0, ended.stderr
    first = sorted(p for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(first) == 2 * (2 * len(ANALYSIS.regions) + 3) + 3
    for path in first:
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes(), path.name
    result = json.loads((tmp_path / "one/result.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(result)
    limits = result["limits"]
    predicted = result["signal"]["cross_section"]["value"]
    assert limits["cross_section"]["observed"] == pytest.approx(
        limits["signal_strength"]["observed"] * predicted, rel=1e-6
    )
    table = (tmp_path / "one/limits.txt").read_text("utf-8")
    assert f"{limits['cross_section']['observed']:.3g}" in table
    workspace_text = (tmp_path / "one/workspace.json").read_text("utf-8")
    pyhf.Workspace(json.loads(workspace_text)).model()
    assert str(tmp_path) not in workspace_text + json.dumps(result) + table


def test_data_of_another_luminosity_are_refused(files: Files, data_file: Path, tmp_path: Path) -> None:
    ended = run(files, data_file, tmp_path / "out", luminosity=36.0)
    assert "expected histograms at 36 fb⁻¹, found 20 fb⁻¹" in refused(ended, tmp_path / "out")


def test_other_binning_than_the_declared_is_refused(files: Files, data_file: Path, tmp_path: Path) -> None:
    text = synthetic.REGIONS.read_text("utf-8").replace("edges: [600, 700,", "edges: [600, 720,")
    declaration = tmp_path / "regions.yaml"
    declaration.write_text(text, "utf-8")
    ended = run(files, data_file, tmp_path / "out", declaration=declaration)
    assert "expected the bin edges" in refused(ended, tmp_path / "out")


def test_a_background_given_as_signal_is_refused(files: Files, data_file: Path, tmp_path: Path) -> None:
    names = {**files.histograms, "signal": files.histograms["ttbar"], "ttbar": files.histograms["signal"]}
    message = refused(run(replace(files, histograms=names), data_file, tmp_path / "out"), tmp_path / "out")
    assert "sample 'ttbar' belongs to the process 'ttbar', which is background" in message


def test_negative_and_varied_weights_reach_the_likelihood(files: Files, tmp_path: Path) -> None:
    spectrum, region = synthetic.SPECTRA["signal"], ANALYSIS.region("SR_ee")
    data = synthetic.columns(spectrum, 4000, 7, negative=0.2)
    edges = np.array(region.observable.edges)
    # One bin whose weights are negative on the whole.
    data["weight"][data["mll"] >= edges[7]] = -1.0
    about = synthetic.metadata("signal", spectrum, data)
    path = synthetic.write(tmp_path / "signal.root", data, about)
    with_these = replace(files, histograms={**files.histograms, "signal": filled(path, tmp_path / "h.root")})
    made = with_these.templates(ANALYSIS)

    selected = (data["channel"] == synthetic.EE) & (data["lepton2_pt"] >= 30) & (data["mll"] >= edges[0])
    scale = Sample([Ntuple(path)]).expected_per_weight(LUMINOSITY) * 0.7
    masses = np.minimum(data["mll"][selected], edges[-1])

    def summed(branch: str, power: int = 1) -> np.ndarray:
        weights = (data[branch][selected] * scale) ** power
        return np.histogram(masses, edges, weights=weights)[0]

    plain = summed("weight")
    assert plain[6] > 0 > plain[7]
    found = made.get("SR_ee", "signal")
    assert found.nominal == pytest.approx(np.maximum(plain, 0.0))
    assert found.variance == pytest.approx(summed("weight", 2))
    total = about.sum_of_weights
    varied = [
        summed(f"weight_{name}") * total / about.variation_sums[name]
        for name in ("muR_2", "muR_0.5", "muF_2", "muF_0.5")
    ]
    up = np.max([plain, *varied], axis=0)
    assert found.shifts["signal_scale"].up == pytest.approx(np.where(plain < 0, 0.0, up))
    assert any("1 bins with a negative sum of weights" in warning for warning in made.warnings)

    fitted = workspace.build(ANALYSIS, made, expectation(ANALYSIS, made)).fitted
    (channel,) = (one for one in fitted["channels"] if one["name"] == "SR_ee")
    (signal,) = (one for one in channel["samples"] if one["name"] == "signal")
    assert signal["data"] == pytest.approx(found.nominal.tolist())
    assert any(one["name"] == "signal_scale" for one in signal["modifiers"])


def test_bins_without_background_are_filled_as_declared_and_announced(files: Files) -> None:
    analysis = signal_only(ANALYSIS, "SR_ee")
    made = files.templates(analysis)
    thin = {
        place: replace(t, nominal=np.where(np.arange(len(t.nominal)) == 8, 0.0, t.nominal))
        if place[1] != "signal"
        else t
        for place, t in made.by_place.items()
    }
    built = workspace.build(analysis, Templates(thin, ()), expectation(analysis, made))
    assert any(w.startswith("SR_ee: 1 bins without expected background") for w in built.warnings)
    channel = built.fitted["channels"][0]
    background = sum(s["data"][8] for s in channel["samples"] if s["name"] != "signal")
    assert background == pytest.approx(analysis.fit.empty_bin_events)


def test_a_likelihood_refuses_modifiers_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="not known here"):
        Likelihood(pyhf.simplemodels.uncorrelated_background([1.0], [5.0], [1.0]))
