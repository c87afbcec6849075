"""What products and results together say."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule.model import Capsule
from relance.compare.model import Tier
from relance.model import FileDigest
from relance.results import Bands, Result, Results
from relance.specification import reading
from relance.specification.model import ResultType, Visibility
from relance.store.layout import Layout
from relance.verify import agreement
from relance.verify.model import ReportedProduct, ReportedResult, Verdict

CASE = b"""
validation:
  usual:
    title: As it is run
    expected: {total: {value: 5, relative: 0.1, because: statistics}}
"""
SAME = ReportedResult("total", "1", True, (5.0,), (5.0,), equal=True)
NEAR = replace(SAME, found=(5.1,), tolerance=0.5, equal=False)
FAR = replace(SAME, agrees=False, found=(9.0,), equal=False)


@pytest.fixture
def capsule(tmp_path: Path) -> Capsule:
    made = capsules.small(Layout(tmp_path))
    text = capsules.SPECIFICATION + CASE
    return replace(
        made,
        specification=reading.parse(text, Path("specification.yaml")),
        specification_text=text,
        run=replace(made.run, configuration_files=(FileDigest("config.yaml", "file", "unknown", 1, "none"),)),
    )


def results(value: float | Bands | None, visibility: Visibility = Visibility.PUBLIC) -> Results:
    kind = ResultType.BANDS if isinstance(value, Bands) else ResultType.NUMBER
    total = Result("total", "t", kind, "1", value, False, visibility, "results/total.json", "/total")
    return Results({"total": total})


def product(path: str, tier: Tier) -> ReportedProduct:
    return ReportedProduct(path, tier)


@pytest.mark.parametrize(
    ("tiers", "found", "verdict"),
    [
        ((Tier.BYTES, Tier.CONTENT, Tier.UNORDERED), SAME, Verdict.REPRODUCED),
        ((Tier.BYTES, Tier.TOLERANCE), SAME, Verdict.WITHIN),
        ((Tier.BYTES, Tier.RESULT), SAME, Verdict.WITHIN),
        ((Tier.BYTES,), NEAR, Verdict.WITHIN),
        ((Tier.BYTES,), FAR, Verdict.DIFFERS),
        ((Tier.BYTES, Tier.UNDECIDED), SAME, Verdict.UNDECIDED),
        ((Tier.DIFFERENT, Tier.UNDECIDED), SAME, Verdict.DIFFERS),
        ((Tier.MISSING,), SAME, Verdict.DIFFERS),
        ((Tier.EXTRA,), SAME, Verdict.DIFFERS),
        ((Tier.UNREADABLE,), SAME, Verdict.DIFFERS),
    ],
)
def test_the_verdict_is_that_of_the_worst(
    tiers: tuple[Tier, ...], found: ReportedResult, verdict: Verdict
) -> None:
    products = [product(str(number), tier) for number, tier in enumerate(tiers)]
    assert agreement.verdict(products, [found]) is verdict


def test_a_difference_on_the_way_passes_only_where_all_results_agree(capsule: Capsule) -> None:
    products = [product("results/a.count", Tier.DIFFERENT), product("results/b.count", Tier.MISSING)]
    passed = agreement.by_results(capsule, products, [SAME])
    assert [one.tier for one in passed] == [Tier.RESULT, Tier.MISSING]
    for found in ([FAR], []):
        assert [one.tier for one in agreement.by_results(capsule, products, found)] == [
            Tier.DIFFERENT,
            Tier.MISSING,
        ]


def test_what_the_run_was_asked_for_must_agree_by_itself(capsule: Capsule) -> None:
    asked = replace(capsule, run=replace(capsule.run, targets=("results/total.json", "results/plots")))
    products = [
        product("results/plots/mll.png", Tier.DIFFERENT),
        product("results/total.json", Tier.DIFFERENT),
    ]
    passed = agreement.by_results(asked, products, [SAME])
    # The file of numbers is judged by its numbers.
    assert [one.tier for one in passed] == [Tier.DIFFERENT, Tier.RESULT]


def test_the_tolerance_is_that_of_the_case_with_the_captured_configuration(capsule: Capsule) -> None:
    (found,) = agreement.of_both(capsule, results(5.0), results(5.4))
    assert (found.agrees, found.tolerance, found.because) == (True, 0.5, "statistics")
    for value in (5.6, 4.4):
        (found,) = agreement.of_both(capsule, results(5.0), results(value))
        assert not found.agrees
    (found,) = agreement.of_both(capsule, results(-5.0), results(-5.4))
    assert (found.agrees, found.tolerance) == (True, 0.5)
    unknown = replace(capsule, run=replace(capsule.run, configuration_files="unknown"))
    (found,) = agreement.of_both(unknown, results(5.0), results(5.4))
    assert (found.agrees, found.tolerance) == (False, 0.0)


def test_no_value_agrees_with_no_value_alone(capsule: Capsule) -> None:
    assert agreement.of_both(capsule, results(None), results(None))[0].agrees
    assert not agreement.of_both(capsule, results(None), results(0.0))[0].agrees


def test_bands_agree_in_each_of_their_values(capsule: Capsule) -> None:
    bands = Bands(1.0, 2.0, 3.0, 4.0, None)
    assert agreement.of_both(capsule, results(bands), results(bands))[0].agrees
    assert agreement.of_both(capsule, results(bands), results(replace(bands, median=3.2)))[0].agrees
    assert not agreement.of_both(capsule, results(bands), results(replace(bands, plus2sigma=5.0)))[0].agrees


def test_blinded_results_are_compared_and_not_told(capsule: Capsule) -> None:
    (found,) = agreement.of_both(capsule, results(5.0, Visibility.BLINDED), results(9.0, Visibility.BLINDED))
    assert (found.agrees, found.expected, found.found) == (False, (), ())
    assert agreement.verdict([], [found]) is Verdict.DIFFERS
