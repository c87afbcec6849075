"""Pseudo-data: events an experiment might have seen, and nothing that gives them away."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import synthetic
import uproot

from dilepton import filling, observed, regions
from dilepton.ntuple import Ntuple, Sample

ANALYSIS = regions.read(synthetic.REGIONS)
LUMINOSITY = 20.0


def run(output: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    script = synthetic.SCRIPTS / "pseudodata.py"
    options = ["--regions", synthetic.REGIONS, "--luminosity-ifb", LUMINOSITY, "--output", output, *arguments]
    return subprocess.run(
        [sys.executable, str(script), *map(str, options)], capture_output=True, text=True, check=False
    )


def opened(path: Path) -> Sample:
    return Sample([Ntuple(path)])


def about(path: Path) -> dict[str, object]:
    with uproot.open(path) as file:
        return json.loads(str(file["metadata"]))


def counts(path: Path, region: str) -> np.ndarray:
    with uproot.open(path) as file:
        return np.asarray(file[f"{region}/observed"].values())


@pytest.mark.physics
def test_counts_fluctuate_around_the_expectation_as_taking_or_leaving_events_does(tmp_path: Path) -> None:
    """Some 700 events of p = 0.7 in one region, 300 seeds: mean and variance are binomial.

    The mean of 300 standardised counts has a width of 0.058 and their variance one of 0.082; both must lie
    within 4 of them, which a right program fails in about one set of seeds in 8000.
    """
    path = synthetic.sample(tmp_path, "dy_600_1000", 2000, 1)
    sample = opened(path)
    yields = filling.fill(ANALYSIS, sample, filling.reading(ANALYSIS, sample), LUMINOSITY)
    nominal = next(y for y in yields if y.region == "SR_ee" and y.variation == "nominal")
    expected, squares = nominal.values.sum(), nominal.variances.sum()
    assert 0.1 < squares / expected < 0.9  # the common p of these events
    drawn = [observed.draw(ANALYSIS, sample, LUMINOSITY, seed).counts["SR_ee"].sum() for seed in range(300)]
    standardised = (np.array(drawn) - expected) / math.sqrt(expected - squares)
    assert abs(standardised.mean()) < 4 / math.sqrt(300)
    assert abs(standardised.var(ddof=1) - 1) < 4 * math.sqrt(2 / 299)


def test_chunks_change_nothing(tmp_path: Path) -> None:
    sample = opened(synthetic.sample(tmp_path, "ttbar", 1500, 1))
    whole = observed.draw(ANALYSIS, sample, 1.0, 7)
    pieces = observed.draw(ANALYSIS, sample, 1.0, 7, chunk=101)
    for region in ANALYSIS.regions:
        np.testing.assert_array_equal(whole.counts[region.name], pieces.counts[region.name])


def test_a_seed_repeats_every_byte_and_another_does_not(tmp_path: Path) -> None:
    path = synthetic.sample(tmp_path, "dy_600_1000", 3000, 1)
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        ended = run(tmp_path / f"{name}.root", "--input", path, "--seed", seed)
        assert ended.returncode == 0, ended.stderr
    first, again, other = ((tmp_path / f"{name}.root").read_bytes() for name in "abc")
    assert first == again
    assert (counts(tmp_path / "a.root", "SR_ee") != counts(tmp_path / "c.root", "SR_ee")).any()
    assert first != other


def test_injected_signal_leaves_the_background_as_it_is(tmp_path: Path) -> None:
    background = synthetic.sample(tmp_path, "dy_600_1000", 3000, 1)
    signal = synthetic.sample(tmp_path, "signal", 3000, 2)
    for name, options in (("without", ()), ("with", ("--signal", signal, "--signal-strength", "2"))):
        ended = run(tmp_path / f"{name}.root", "--input", background, "--seed", 5, *options)
        assert ended.returncode == 0, ended.stderr
    before, after = (counts(tmp_path / f"{name}.root", "SR_ee") for name in ("without", "with"))
    assert (after >= before).all()
    low = synthetic.SPECTRA["dy_600_1000"].high
    edges = np.array(ANALYSIS.region("SR_ee").observable.edges)
    np.testing.assert_array_equal(before[edges[1:] <= low], after[edges[1:] <= low])
    # Strength 2 × 0.02 pb × 20 fb⁻¹ × 0.7 × one half in ee: 280 events, nearly all of them selected.
    assert (after - before).sum() == pytest.approx(280, abs=4 * math.sqrt(280))
    assert about(tmp_path / "with.root")["signal_strength"] == 2.0
    assert about(tmp_path / "with.root")["inputs"] == ["dy_600_1000", "signal"]


def test_a_strength_of_zero_needs_no_signal_and_adds_none(tmp_path: Path) -> None:
    background = synthetic.sample(tmp_path, "dy_600_1000", 1000, 1)
    signal = synthetic.sample(tmp_path, "signal", 1000, 2)
    for name, options in (("a", ()), ("b", ("--signal", signal))):
        assert run(tmp_path / f"{name}.root", "--input", background, "--seed", 5, *options).returncode == 0
    assert (tmp_path / "a.root").read_bytes() == (tmp_path / "b.root").read_bytes()


def test_too_few_simulated_events_are_announced_with_region_and_size(tmp_path: Path) -> None:
    path = synthetic.sample(tmp_path, "dy_600_1000", 300, 1)
    ended = run(tmp_path / "d.root", "--input", path, "--seed", 5)
    largest = LUMINOSITY * 1000 * 0.1 / 300 * 0.7
    assert f"region 'SR_ee': the largest expectation of one simulated event is {largest:.3g}" in ended.stderr
    weights = about(tmp_path / "d.root")["largest_event_weight"]
    assert isinstance(weights, dict)
    assert weights["SR_ee"] == pytest.approx(largest)
    assert weights["CR_emu"] == 0.0


def test_a_prescale_thins_the_data(tmp_path: Path) -> None:
    path = synthetic.sample(tmp_path, "dy_60_120", 4000, 1)
    drawn = observed.draw(ANALYSIS, opened(path), LUMINOSITY, 3)
    region = ANALYSIS.region("CR_Z_ee")
    probability = LUMINOSITY * 1000 * 1900 / 4000 * 0.7 / region.prescale
    assert drawn.largest_probability["CR_Z_ee"] == pytest.approx(probability)


def test_negative_weights_cannot_become_data(tmp_path: Path) -> None:
    path = synthetic.sample(tmp_path, "dy_600_1000", 300, 1, negative=0.1)
    ended = run(tmp_path / "d.root", "--input", path, "--seed", 5)
    assert ended.returncode == 2
    assert "negative weight" in ended.stderr
    assert not (tmp_path / "d.root").exists()


@pytest.mark.parametrize("luminosity", ["0", "-1", "nan", "much"])
def test_a_luminosity_that_is_none_is_refused(tmp_path: Path, luminosity: str) -> None:
    path = synthetic.sample(tmp_path, "dy_600_1000", 100, 1)
    ended = run(tmp_path / "d.root", "--input", path, "--seed", 5, "--luminosity-ifb", luminosity)
    assert ended.returncode == 2
    assert "--luminosity-ifb" in ended.stderr
