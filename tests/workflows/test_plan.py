"""What a configuration makes of a run: samples, files, options and seeds."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dilepton.configuration import load
from dilepton.plan import LARGEST_SEED, Plan, PlanError

ANALYSIS = Path(__file__).parents[2] / "workflows/dilepton"


def configuration(**changes: Any) -> dict[str, Any]:
    return load(ANALYSIS / "config/tiny.yaml", ANALYSIS / "schemas/config.schema.json") | changes


def signal(**changes: Any) -> dict[str, Any]:
    return configuration()["signal"] | changes


@given(total=st.integers(min_value=1, max_value=10_000), parts=st.integers(min_value=1, max_value=50))
def test_the_parts_of_a_sample_have_all_its_events(total: int, parts: int) -> None:
    plan = Plan(configuration(parts=parts, events={"templates": total, "pseudodata": 1}))
    events = [
        int(plan.generation_options("templates", "ttbar", part).split("--events ")[1].split()[0])
        for part in plan.parts("ttbar")
    ]
    assert sum(events) == total
    assert max(events) - min(events) <= 1


def test_no_two_jobs_of_a_run_share_a_seed() -> None:
    plan = Plan(configuration(parts=20))
    seeds = [
        plan.seed(purpose, stream, sample, part)
        for purpose in ("generation", "reduction")
        for stream in ("templates", "pseudodata")
        for sample in ("signal", *plan.backgrounds)
        for part in plan.parts(sample)
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(1 <= seed <= LARGEST_SEED for seed in seeds)


def test_a_change_of_the_signal_leaves_the_background_jobs_as_they_are() -> None:
    before, after = Plan(configuration()), Plan(configuration(signal=signal(mass=2500.0)))
    for name in before.backgrounds:
        for options in ("generation_options", "reduction_options"):
            assert getattr(before, options)("templates", name, 0) == getattr(after, options)(
                "templates", name, 0
            )
    assert "--mass 2500" in after.generation_options("templates", "signal", 0)


def test_the_order_of_the_samples_changes_no_job() -> None:
    samples = configuration()["samples"]
    turned = Plan(configuration(samples=dict(reversed(samples.items()))))
    assert turned.backgrounds == Plan(configuration()).backgrounds == sorted(samples)


def test_a_given_hepmc_file_stands_in_for_generation() -> None:
    plan = Plan(configuration(parts=4, signal=signal(hepmc="mine.hepmc.gz", cross_section=0.5)))
    assert plan.given("templates", "signal") == "mine.hepmc.gz"
    assert plan.parts("signal") == [0]
    assert "--cross-section-pb 0.5" in plan.reduction_options("templates", "signal", 0)


def test_every_number_of_a_samples_metadata_can_be_given() -> None:
    given = {
        "k_factor": 1.1,
        "filter_efficiency": 0.5,
        "sum_of_weights": 9.0,
        "cross_section": 2.0,
        "luminosity": 3.0,
    }
    options = Plan(configuration(signal=signal(**given))).reduction_options("templates", "signal", 0)
    for option in (
        "k-factor 1.1",
        "filter-efficiency 0.5",
        "sum-of-weights 9",
        "cross-section-pb 2",
        "luminosity-ifb 3",
    ):
        assert f"--{option}" in options


def test_options_are_quoted_for_the_shell() -> None:
    plan = Plan(configuration(signal=signal(lhe="my events; rm.lhe")))
    assert "--lhe 'my events; rm.lhe'" in plan.generation_options("templates", "signal", 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signal": signal(strength=1.0, hepmc="a.hepmc")}, "set signal.strength to 0"),
        ({"signal": signal(lhe="a.lhe", hepmc="a.hepmc")}, "both hepmc and lhe"),
        (
            {"samples": {"dy": {"process": "drell_yan", "mass_range": [200.0, 100.0]}}},
            "put the lower mass first",
        ),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        Plan(configuration(**changes))
