from dataclasses import replace

import pytest

from relance.model import Digest
from relance.recast import comparison, plots
from relance.results import Bands, Result, ResultFile, Results
from relance.specification.model import ResultType, Visibility

LIMIT = Result(
    "limit",
    "Limit $x",
    ResultType.NUMBER,
    "fb^-1",
    2.5,
    observed=True,
    visibility=Visibility.PUBLIC,
    file="fit.json",
    pointer="/limit/observed",
)
BANDS = replace(
    LIMIT,
    name="expected",
    type=ResultType.BANDS,
    value=Bands(1.0, 1.5, 2.0, 3.0, 40.0),
    observed=False,
    pointer="/limit/expected",
)
FILE = replace(
    LIMIT,
    name="workspace",
    type=ResultType.FILE,
    unit=None,
    value=ResultFile("w.json", Digest("sha256:1"), 1200),
    pointer=None,
)


def results(*found: Result) -> Results:
    return Results({result.name: result for result in found})


def test_old_and_new_stand_side_by_side_with_their_ratio() -> None:
    old = results(replace(LIMIT, value=5.0), BANDS, FILE)
    new = results(LIMIT, replace(BANDS, value=Bands(1.0, 1.5, 1.0, None, None)), FILE)
    assert comparison.text(comparison.rows(old, new)).splitlines() == [
        "result     captured       recast        unit  ratio",
        "limit      5.000          2.500         fb⁻¹  0.5000",
        "expected   2.000          1.000         fb⁻¹  0.5000",
        "    ±1σ    1.500 … 3.000  1.500 … none  fb⁻¹",
        "    ±2σ    1.000 … 40.00  1.000 … none  fb⁻¹",
        "workspace  1.2 kB         1.2 kB              the same",
    ]


def test_what_was_not_captured_is_not_known() -> None:
    assert comparison.rows(None, results(LIMIT))[0].cells == ("limit", "not known", "2.500", "fb⁻¹", "")


def test_hidden_values_stay_hidden() -> None:
    hidden = replace(LIMIT, value=None, hidden=True, visibility=Visibility.BLINDED)
    row = comparison.rows(results(hidden), results(hidden))[0]
    assert (row.old, row.new, row.ratio) == ("hidden (blinded)", "hidden (blinded)", "")
    row = comparison.rows(results(hidden), results(LIMIT))[0]
    assert (row.old, row.new, row.ratio) == ("hidden (blinded)", "2.500", "")


def test_a_table_in_a_notebook_holds_no_html_of_the_analysis() -> None:
    shown = comparison.as_html(comparison.rows(None, results(replace(LIMIT, name="<b>"))), "<i>")
    assert ("<b>" in shown, "<i>" in shown, "&lt;b&gt;" in shown) == (False, False, True)


def test_an_observed_limit_is_drawn_with_the_bands_beside_it() -> None:
    elsewhere = replace(LIMIT, name="other", pointer="/p0/observed")
    assert plots.limits(results(LIMIT, elsewhere, BANDS)) == (plots.Limit("expected", "limit"),)
    twice = replace(LIMIT, name="again")
    assert plots.limits(results(LIMIT, twice, BANDS)) == (plots.Limit("expected", None),)


@pytest.mark.parametrize("old", [None, results(LIMIT, BANDS), results(LIMIT)])
def test_the_same_numbers_make_the_same_picture(old: Results | None) -> None:
    new = results(LIMIT, replace(BANDS, value=Bands(None, 1.5, None, 3.0, 4.0)))
    drawn = plots.draw(old, new)
    assert drawn["png"].startswith(b"\x89PNG")
    assert drawn["pdf"].startswith(b"%PDF")
    assert plots.draw(old, new) == drawn
    other = plots.draw(old, results(LIMIT, replace(BANDS, value=Bands(0.5, 1.5, 2.0, 3.0, 4.0))))
    assert other["png"] != drawn["png"]


def test_without_bands_there_is_nothing_to_draw() -> None:
    assert plots.draw(None, results(LIMIT)) == {}
