"""Histograms: nothing lost, nothing counted twice, however the events are cut into chunks and files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import synthetic
import uproot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dilepton import filling, regions
from dilepton.ntuple import Ntuple, NtupleError, Sample

LUMINOSITY = 20.0
ANALYSIS = regions.read(synthetic.REGIONS)
Filled = dict[tuple[str, str], filling.Yields]


def filled(path: Path, chunk: int = filling.CHUNK, *more: Path) -> Filled:
    sample = Sample([Ntuple(p) for p in (path, *more)])
    read = filling.reading(ANALYSIS, sample)
    return {(y.region, y.variation): y for y in filling.fill(ANALYSIS, sample, read, LUMINOSITY, chunk)}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(synthetic.SCRIPTS / "histogram.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def program(
    path: Path, output: Path, declaration: Path = synthetic.REGIONS
) -> subprocess.CompletedProcess[str]:
    return run("--input", path, "--regions", declaration, "--luminosity-ifb", LUMINOSITY, "--output", output)


def refused(ended: subprocess.CompletedProcess[str], output: Path) -> str:
    """The message of a refusal, which leaves nothing behind."""
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert not output.exists()
    assert not list(output.parent.glob(".unfinished-*"))
    return ended.stderr


def selected_by_hand(data: synthetic.Columns, name: str, suffix: str = "") -> np.ndarray:
    """The selection of a region of regions.yaml, written out once more for two of them."""
    mass = data["mll" + suffix]
    chosen = (data["charge_product"] == -1) & (data["lepton2_pt"] >= 30)
    if name == "SR_ee":
        return chosen & (data["channel"] == synthetic.EE) & (mass >= 600)
    assert name == "CR_emu"
    return chosen & (data["channel"] == synthetic.EMU) & (mass >= 450)


@pytest.mark.parametrize(("sample", "region"), [("dy_600_1000", "SR_ee"), ("ttbar", "CR_emu")])
@pytest.mark.parametrize("negative", [0.0, 0.2])
def test_a_histogram_holds_the_weights_of_its_selection(
    tmp_path: Path, sample: str, region: str, negative: float
) -> None:
    spectrum = synthetic.SPECTRA[sample]
    data = synthetic.columns(spectrum, 3000, 5, negative=negative)
    about = synthetic.metadata(sample, spectrum, data)
    found = filled(synthetic.write(tmp_path / "n.root", data, about))
    per_weight = LUMINOSITY * 1000 * spectrum.cross_section_pb / data["weight"].sum()
    for variation, suffix in (("nominal", ""), ("electron_scale__up", "_electron_scale_up")):
        chosen = selected_by_hand(data, region, suffix)
        weights = (data["weight"] * data["efficiency"])[chosen] * per_weight
        one = found[region, variation]
        assert one.values.sum() == pytest.approx(weights.sum(), rel=1e-12)
        assert one.variances.sum() == pytest.approx((weights**2).sum(), rel=1e-12)


@given(
    mass=st.lists(st.floats(50, 7000), min_size=1, max_size=60),
    seed=st.integers(0, 2**31),
    chunk=st.integers(1, 80),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_pass_gives_what_separate_fillings_give(
    tmp_path: Path, mass: list[float], seed: int, chunk: int
) -> None:
    data = synthetic.columns(synthetic.SPECTRA["signal"], len(mass), seed, negative=0.1)
    generator = np.random.default_rng(seed)
    for branch in [b for b in data if b.startswith("mll")]:
        data[branch] = np.array(mass) * generator.normal(1, 0.05, len(mass))
    data["weight"][0] = 3.0
    about = synthetic.metadata("signal", synthetic.SPECTRA["signal"], data, sum_of_weights=10.0)
    path = synthetic.write(tmp_path / "n.root", data, about)
    found = filled(path, chunk)
    edges = np.array(ANALYSIS.region("SR_mumu").observable.edges)
    scale = LUMINOSITY * 1000 * about.cross_section_pb / about.sum_of_weights
    shift = about.sum_of_weights / about.variation_sums["muF_2"]
    for variation, suffix, weight in (
        ("nominal", "", data["weight"] * data["efficiency"]),
        ("muon_scale__down", "_muon_scale_down", data["weight"] * data["efficiency"]),
        ("muon_efficiency__up", "", data["weight"] * data["efficiency_muon_up"]),
        ("signal_scale__muF_2", "", data["weight_muF_2"] * data["efficiency"] * shift),
    ):
        seen = data["mll" + suffix]
        chosen = (data["channel"] == synthetic.MUMU) & (data["lepton2_pt"] >= 30) & (seen >= 600)
        # The declared overflow goes into the last bin.
        inside = np.clip(seen[chosen], None, edges[-1] - 1)
        expected = np.histogram(inside, edges, weights=weight[chosen] * scale)[0]
        np.testing.assert_allclose(
            found["SR_mumu", variation].values[1:-1], expected, rtol=1e-10, atol=1e-9 * scale
        )


def test_chunks_change_nothing(tmp_path: Path) -> None:
    path = synthetic.sample(tmp_path, "dy_1000_2000", 2000, 3, negative=0.1)
    whole, pieces = filled(path), filled(path, 137)
    assert whole.keys() == pieces.keys()
    for key, one in whole.items():
        np.testing.assert_allclose(one.values, pieces[key].values, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(one.variances, pieces[key].variances, rtol=1e-12, atol=1e-12)


def test_parts_of_a_sample_make_the_histograms_of_the_whole(tmp_path: Path) -> None:
    spectrum = synthetic.SPECTRA["ttbar"]
    data = synthetic.columns(spectrum, 1000, 3)
    whole = synthetic.write(tmp_path / "whole.root", data, synthetic.metadata("ttbar", spectrum, data))
    parts = []
    for number, piece in enumerate((slice(0, 300), slice(300, 1000))):
        some = {name: values[piece] for name, values in data.items()}
        about = synthetic.metadata("ttbar", spectrum, some, seed=number)
        parts.append(synthetic.write(tmp_path / f"part{number}.root", some, about))
    together, expected = filled(parts[0], filling.CHUNK, parts[1]), filled(whole)
    for key, one in expected.items():
        np.testing.assert_allclose(together[key].values, one.values, rtol=1e-10, atol=1e-12)


def test_the_same_part_twice_is_refused(tmp_path: Path) -> None:
    path = synthetic.sample(tmp_path, "ttbar", 100, 3)
    with pytest.raises(NtupleError, match="found seed 3 twice"):
        filled(path, filling.CHUNK, path)


def test_the_prescale_and_the_normalisation_are_in_the_yields(tmp_path: Path) -> None:
    plain = filled(synthetic.sample(tmp_path, "dy_60_120", 2000, 3))
    path = synthetic.sample(tmp_path, "dy_60_120", 2000, 3, k_factor=1.2, filter_efficiency=0.5)
    region = ANALYSIS.region("CR_Z_ee")
    total = plain["CR_Z_ee", "nominal"].values.sum() * region.prescale
    assert total < LUMINOSITY * 1000 * 1900 * 0.7
    assert filled(path)["CR_Z_ee", "nominal"].values.sum() == pytest.approx(
        total / region.prescale * 1.2 * 0.5
    )


def test_a_variation_of_the_acceptance_keeps_the_cross_section(tmp_path: Path) -> None:
    """With no selection to speak of, weights that change only the normalisation change nothing."""
    spectrum = synthetic.SPECTRA["signal"]
    data = synthetic.columns(spectrum, 500, 3)
    data["weight_muF_2"] = 1.3 * data["weight"]
    found = filled(synthetic.write(tmp_path / "n.root", data, synthetic.metadata("signal", spectrum, data)))
    np.testing.assert_allclose(
        found["SR_ee", "signal_scale__muF_2"].values, found["SR_ee", "nominal"].values, rtol=1e-12
    )


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    path = synthetic.sample(tmp_path, "diboson", 500, 3)
    for name in ("one.root", "two.root"):
        ended = program(path, tmp_path / name)
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "one.root").read_bytes() == (tmp_path / "two.root").read_bytes()
    with uproot.open(tmp_path / "one.root") as file:
        assert file["SR_ee/nominal"].classname == "TH1D"
        assert file["SR_ee/nominal"].variances() is not None


def test_a_missing_variation_is_announced_where_it_may_be_missing(tmp_path: Path) -> None:
    spectrum = synthetic.SPECTRA["signal"]
    data = synthetic.columns(spectrum, 100, 3)
    data = {name: values for name, values in data.items() if not name.startswith("weight_pdf")}
    path = synthetic.write(tmp_path / "n.root", data, synthetic.metadata("signal", spectrum, data))
    ended = program(path, tmp_path / "h.root")
    assert ended.returncode == 0
    assert "no branch 'weight_pdf_*' for systematic 'signal_pdf': its nominal yields are used" in ended.stderr


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        ("efficiency_muon_down", "systematic 'muon_efficiency'"),
        ("mll_electron_scale_up", "systematic 'electron_scale'"),
        ("lepton2_pt", "region 'SR_ee' needs the branch 'lepton2_pt'"),
    ],
)
def test_a_missing_branch_is_refused_by_the_name_of_who_needs_it(
    tmp_path: Path, branch: str, message: str
) -> None:
    spectrum = synthetic.SPECTRA["diboson"]
    data = synthetic.columns(spectrum, 100, 3)
    del data[branch]
    path = synthetic.write(tmp_path / "n.root", data, synthetic.metadata("diboson", spectrum, data))
    assert message in refused(program(path, tmp_path / "h.root"), tmp_path / "h.root")


def test_an_unknown_sample_is_refused_with_the_known_patterns(tmp_path: Path) -> None:
    spectrum = synthetic.SPECTRA["diboson"]
    data = synthetic.columns(spectrum, 50, 3)
    path = synthetic.write(tmp_path / "n.root", data, synthetic.metadata("wjets", spectrum, data))
    message = refused(program(path, tmp_path / "h.root"), tmp_path / "h.root")
    assert "sample 'wjets'" in message
    assert "drell_yan: dy_*" in message
