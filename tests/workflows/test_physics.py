"""The analysis on real events: what it finds is what was put in, as well as its own errors say.

Draws of pseudo-data with different seeds share the simulated events that they are taken from, each with
probability p, and the templates. Counts of two draws are therefore correlated, by at most the largest p.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pyhf
import pytest
import realevents
import synthetic
import uproot
from iminuit import Minuit
from realevents import EVENTS, EVENTS_OF, LUMINOSITY, PEAK, STREAMS, RealEvents
from scipy import integrate
from scipy.stats import chi2

from conftest import Program
from dilepton import filling, inference, regions, selection, workspace
from dilepton.inference import Statistical
from dilepton.plan import PSEUDODATA, TEMPLATES
from dilepton.regions import Cut, Observable

ANALYSIS = regions.read(synthetic.REGIONS)
SEEDS = range(1, 21)
LARGEST_PROBABILITY = 0.3
Z_MASS = 91.19
pytestmark = [
    pytest.mark.physics,
    pytest.mark.slow,
    # pyhf validates its specifications by a part of jsonschema that has a successor.
    pytest.mark.filterwarnings("ignore:jsonschema.RefResolver is deprecated:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def events(program: Program, tmp_path_factory: pytest.TempPathFactory) -> RealEvents:
    return realevents.make(tmp_path_factory.mktemp("events"), program)


@pytest.fixture(scope="module")
def model(events: RealEvents) -> Statistical:
    """The analysis's whole model, with the data of the first seed."""
    made = events.templates(ANALYSIS)
    return Statistical.of(workspace.build(ANALYSIS, made, events.data(ANALYSIS, SEEDS[0])).fitted)


@pytest.fixture(autouse=True)
def pyhf_as_it_was() -> Iterator[None]:
    yield
    pyhf.set_backend("numpy")


# --- events, cutflows, histograms --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tiny", "quick", "full"])
def test_no_event_of_a_configuration_stands_for_more_than_one(events: RealEvents, name: str) -> None:
    """The largest p, carried over to the luminosity and the number of events of each configuration."""
    settings = realevents.configured(name)
    drawn = [
        (sample, region, p)
        for sample in set(events.backgrounds) & set(settings["samples"])
        for region, p in events.draw_one(ANALYSIS, sample, 1).largest_probability.items()
    ]
    assert max(p for *_, p in drawn) < LARGEST_PROBABILITY
    for sample, region, p in drawn:
        generated = EVENTS_OF.get(sample, EVENTS[PSEUDODATA])
        there = p * settings["luminosity"] / LUMINOSITY * generated / settings["events"]["pseudodata"]
        assert there < 1, (sample, region)


@pytest.mark.parametrize("stream", [TEMPLATES, PSEUDODATA])
def test_every_cutflow_adds_up_to_the_histogram_of_what_is_left(events: RealEvents, stream: str) -> None:
    """Each step is a part of the one before, the ntuple's rows are the last, and all of them are filled."""
    everything = replace(
        ANALYSIS.regions[0],
        name="everything",
        channel=None,
        charge_product=None,
        cuts=(Cut("mll", 0.0, None),),
        observable=Observable("mll", "Dilepton mass", "GeV", (0.0, 200.0, 14000.0), True),
        prescale=1.0,
    )
    analysis = replace(ANALYSIS, regions=(everything,), systematics=(), data_driven=())
    for name in events.histograms:
        with uproot.open(events.ntuples[stream, name]) as file:
            cutflow = json.loads(str(file["cutflow"]))
            rows = file["events"].arrays(["weight", "efficiency"], library="np")
        sample = events.sample(stream, name)
        counts = [step["events"] for step in cutflow]
        sums = [step["sum_of_weights"] for step in cutflow]
        assert counts[0] == sample.metadata.events == EVENTS_OF.get(name, EVENTS[stream])
        assert all(later <= earlier for earlier, later in pairwise(counts))
        assert counts[-1] == len(rows["weight"])
        assert sums[0] == pytest.approx(sample.metadata.sum_of_weights)
        assert sums[-1] == pytest.approx(rows["weight"].sum())
        (filled,) = filling.fill(analysis, sample, filling.reading(analysis, sample), LUMINOSITY)
        measured = float(np.average(rows["efficiency"], weights=rows["weight"])) * sums[-1]
        assert filled.values.sum() == pytest.approx(measured * sample.expected_per_weight(LUMINOSITY))


def test_pseudodata_agree_with_the_templates_they_do_not_know(events: RealEvents) -> None:
    """χ² over all bins that expect 4 events or more; each variance is that of the data and the templates."""
    made = events.templates(ANALYSIS)
    data = events.data(ANALYSIS, SEEDS[0])
    terms = []
    for region in ANALYSIS.regions:
        background = made.background(ANALYSIS, region)
        expected = sum(t.nominal for t in background)
        variance = expected + sum(t.variance for t in background)
        kept = expected >= 4
        assert kept.any(), region.name
        terms += list(((data[region.name] - expected) ** 2 / variance)[kept])
    assert 1e-3 < chi2.sf(sum(terms), len(terms)) < 1 - 1e-3


# --- the fit without signal --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """Covariances of the pulls, (parameters, parameters): of an experiment, and between two of the draws."""

    one: np.ndarray
    between: np.ndarray

    def mean_square(self, draws: int) -> float:
        """Variance of the mean, over some draws, of the sum of squared pulls: that of normal numbers."""
        own, shared = (2 * (c**2).sum() for c in (self.one, self.between))
        return float((own + (draws - 1) * shared) / draws)


def expected_pulls(model: Statistical, fit: inference.Fit) -> Spread:
    """How pulls of experiments like these spread.

    Linearly, with data x, their covariance W⁻¹ and slopes J, the fit is θ = V JᵀWx, where V⁻¹ = JᵀWJ + P and
    P are the constraints. Statistical parameters are really away from 1, by their prior width, since the data
    come from other events; the others are where the constraints say. So x has the covariance W⁻¹ + JSJᵀ, with
    S the widths² of the statistical ones. Two draws share all of the second term, and p of the first.
    """
    widths = np.array([p.prior[1] if p.prior else np.inf for p in fit.parameters])
    from_events = np.array(["_statistics_" in p.name for p in fit.parameters])
    free = np.diag(fit.covariance) > 0
    expected, slopes = model.likelihood.jacobian(fit.point)
    slopes = slopes[:, free]
    information = slopes.T @ (slopes / expected[:, None])
    inverse = np.linalg.inv(information + np.diag(1 / widths[free] ** 2))
    templates = information @ np.diag(np.where(from_events, widths, 0.0)[free] ** 2) @ information

    def pulls(of_data: np.ndarray) -> np.ndarray:
        found = np.zeros_like(fit.covariance)
        found[np.ix_(free, free)] = inverse @ of_data @ inverse
        return found / widths / widths[:, None]

    return Spread(pulls(information + templates), pulls(LARGEST_PROBABILITY * information + templates))


def test_pulls_without_signal_are_as_large_as_their_errors_say(
    events: RealEvents, model: Statistical
) -> None:
    """20 draws: the sum of squared pulls is on average what `expected_pulls` says, within 3σ of that mean.

    And of all pulls, some 1500, none is beyond 6 of its own width, where Poisson's tails end.
    """
    ratios, variances, farthest = [], [], 0.0
    for seed in SEEDS:
        fit = inference.background_only(model.observing(events.data(ANALYSIS, seed)))
        spread = expected_pulls(model, fit)
        pulls = np.array([p.pull or 0.0 for p in fit.parameters])
        each = np.diag(spread.one)
        ratios.append((pulls**2).sum() / each.sum())
        variances.append(spread.mean_square(len(SEEDS)) / each.sum() ** 2)
        farthest = max(farthest, float(np.max(np.abs(pulls) / np.sqrt(np.maximum(each, 0.05**2)))))
    assert abs(np.mean(ratios) - 1) < 3 * math.sqrt(np.mean(variances))
    assert farthest < 6


def test_the_goodness_of_fit_is_that_of_a_right_model(events: RealEvents, model: Statistical) -> None:
    """Of 20 p-values at most 4 are below 0.05, which uniform ones fail once in 400; the mean is in 0.3 … 0.8.

    A right model's lie a little above uniform: bins that expect less than one event deviate less than χ²
    says, and no systematic effect is really there.
    """
    p_values = []
    for seed in SEEDS:
        observed = model.observing(events.data(ANALYSIS, seed))
        p_values.append(inference.goodness(observed, inference.background_only(observed)).p_value)
    assert sum(p < 0.05 for p in p_values) <= 4
    assert 0.3 < np.mean(p_values) < 0.8


# --- with signal -------------------------------------------------------------------------------------------


def test_an_injected_signal_is_found_at_its_strength(events: RealEvents, model: Statistical) -> None:
    """A signal of three standard deviations, 20 draws: each within 4 errors, their mean within 3 of its own.

    The error of the mean is that of the draws' scatter; p of the signal's events is 0.01, so they share few.
    """
    injected = 0.2
    fits = [
        inference.with_signal(model.observing(events.data(ANALYSIS, seed, injected))).strength
        for seed in SEEDS
    ]
    values = np.array([fit.value for fit in fits])
    errors = np.array([fit.uncertainty for fit in fits], dtype=float)
    assert 2 < injected / errors.mean() < 5
    assert (np.abs(values - injected) < 4 * errors).all()
    assert abs(values.mean() - injected) < 3 * values.std(ddof=1) / math.sqrt(len(values))
    assert values.std(ddof=1) == pytest.approx(errors.mean(), rel=0.5)


def test_the_observed_limit_of_most_seeds_lies_within_two_sigma(
    events: RealEvents, model: Statistical
) -> None:
    """At least 17 of 20 lie within ±2σ (a right program fails once in 70), and not all of them within ±1σ."""
    limits = [
        inference.upper_limits(model.observing(events.data(ANALYSIS, seed)), ANALYSIS.fit) for seed in SEEDS
    ]
    observed = np.array([limit.observed for limit in limits], dtype=float)
    expected = np.array([limit.expected for limit in limits], dtype=float)
    assert ((expected[:, 0] <= observed) & (observed <= expected[:, 4])).sum() >= 17
    assert not ((expected[:, 1] <= observed) & (observed <= expected[:, 3])).all()


# --- the Z peak --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("CR_Z_ee",), ("CR_Z_mumu",), ("CR_Z_ee", "CR_Z_mumu")])
def test_the_fitted_z_peak_of_dressed_leptons_lies_at_the_z_mass(
    events: RealEvents, names: tuple[str, ...]
) -> None:
    """Within 3σ of its statistics, and both control regions together within 0.2 GeV, of 91.19 GeV.

    The density is the lowest order's: a Breit–Wigner with Γ = 2.495 GeV, running with the mass as in the
    generator, times a power of the mass for the parton luminosities, plus a γ* continuum falling as the same
    power; interference changes sign at the pole and is small for the small vector couplings of leptons.
    The window of ±6 GeV leaves out most of the tail of pairs that lost a photon at a large angle. Mass, power
    and continuum are free.
    """
    masses = np.concatenate([dressed(events, stream, name) for stream in STREAMS for name in names])
    fit = fit_peak(masses[np.abs(masses - Z_MASS) < 6])
    assert fit.valid
    together = len(names) == 2
    assert fit.errors["peak"] < (0.2 / 3 if together else 0.15)
    assert abs(fit.values["peak"] - Z_MASS) < 3 * fit.errors["peak"]


def dressed(events: RealEvents, stream: str, region_name: str) -> np.ndarray:
    """Masses of the dressed leptons of the pairs that a region selects, GeV."""
    region = ANALYSIS.region(region_name)
    sample = events.sample(stream, PEAK)
    chunks = sample.chunks([*selection.branches(region), "mll_dressed"], 100_000)
    return np.concatenate([rows["mll_dressed"][selection.passing(region, rows)] for rows in chunks])


def fit_peak(masses: np.ndarray) -> Minuit:
    """The likelihood fit of masses within 6 GeV of the Z's."""
    grid = np.linspace(Z_MASS - 6, Z_MASS + 6, 1201)
    width = 2.495

    def shape(m: np.ndarray, peak: float, power: float, continuum: float) -> np.ndarray:
        line = m**2 * width**2 / ((m**2 - peak**2) ** 2 + (m**2 * width / peak) ** 2)
        return (line + continuum) * (m / Z_MASS) ** -power

    def cost(peak: float, power: float, continuum: float) -> float:
        total = integrate.simpson(shape(grid, peak, power, continuum), x=grid)
        return float(-2 * np.sum(np.log(shape(masses, peak, power, continuum) / total)))

    fit = Minuit(cost, peak=91.0, power=3.0, continuum=0.02)
    fit.errordef = Minuit.LEAST_SQUARES
    fit.limits["continuum"] = (0, 0.5)
    fit.limits["power"] = (-30, 40)
    return fit.migrad()
