"""Trees, records and tables of any content."""

import copy
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relance.compare import files
from relance.compare.histograms import Histogram
from relance.compare.model import Notes, Rules, Tier
from relance.compare.records import canonical
from relance.compare.tables import Table
from relance.compare.tree import Tree
from relance.specification.model import Tolerance

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)
JAGGED = st.lists(
    st.fixed_dictionaries(
        {
            "pt": st.lists(st.floats(allow_nan=False, width=32), max_size=3),
            "id": st.integers(-5, 5),
            "name": st.sampled_from(["e", "mu", ""]),
            "maybe": st.none() | st.integers(0, 3),
        }
    ),
    min_size=1,
    max_size=12,
)


def of_trees(a: Any, b: Any, *rules: Tolerance) -> tuple[Tier, Notes]:
    notes = Notes()
    return Tree(a).compare(Tree(b), "", Rules(rules), notes), notes


@given(VALUES)
def test_a_value_is_the_same_as_its_copy(value: Any) -> None:
    assert of_trees(value, copy.deepcopy(value)) == (Tier.CONTENT, Notes())


@given(VALUES, VALUES)
def test_values_are_the_same_exactly_if_their_json_is(a: Any, b: Any) -> None:
    tier, notes = of_trees({"x": a}, {"x": b})
    same = json.dumps(plain(a), sort_keys=True) == json.dumps(plain(b), sort_keys=True)
    assert (tier is Tier.CONTENT) == same
    assert bool(notes.differing) == (not same)
    assert all(difference.where.startswith("/x") for difference in notes.differing)


def plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@given(st.lists(VALUES, min_size=1, max_size=6), st.randoms())
@example([None, 1.0, None, True], random.Random(1))
def test_an_array_in_another_order_is_the_same_only_where_that_is_declared(
    items: list[Any], chance: random.Random
) -> None:
    moved = items[:]
    chance.shuffle(moved)
    declared = Tolerance("**", "a test", inside="/x", unordered=True)
    tier, _ = of_trees({"x": items}, {"x": moved}, declared)
    assert tier in {Tier.CONTENT, Tier.UNORDERED}
    bare, _ = of_trees({"x": items}, {"x": moved})
    in_order = json.dumps(plain(items), sort_keys=True) == json.dumps(plain(moved), sort_keys=True)
    assert (bare is Tier.CONTENT) == in_order


def test_the_first_rule_that_fits_a_pointer_counts() -> None:
    rules = (
        Tolerance("**", "a test", inside="/fit/date", ignored=True),
        Tolerance("**", "a test", inside="/fit/mu", absolute=0.1),
        Tolerance("**", "a test", relative=1e-6),
    )
    a = {"fit": {"mu": 1.0, "date": "yesterday"}, "limit": 3.0}
    tier, notes = of_trees(a, {"fit": {"mu": 1.05, "date": "today"}, "limit": 3.000001}, *rules)
    assert tier is Tier.TOLERANCE
    assert notes.remarks == ["not compared, as declared: /fit/date"]
    assert [difference.where for difference in notes.tolerated] == ["/fit/mu", "/limit"]
    tier, notes = of_trees(a, {"fit": {"mu": 1.05, "date": "today"}, "limit": 3.1}, *rules)
    assert tier is Tier.DIFFERENT
    assert [(one.where, one.expected, one.found) for one in notes.differing] == [("/limit", "3.0", "3.1")]


def test_only_the_first_differences_are_told_and_the_others_counted() -> None:
    tier, notes = of_trees(list(range(100)), [value + 1 for value in range(100)])
    assert (tier, len(notes.differing), notes.differing_count) == (Tier.DIFFERENT, 10, 100)


def table(rows: list[dict[str, Any]], step: int) -> Table:
    array = ak.Array(rows)
    types = {"pt": "list", "id": "int", "name": "text", "maybe": "optional"}
    return Table(types, len(rows), step, lambda name, start, stop: array[name][start:stop])


def of_tables(a: list[dict[str, Any]], b: list[dict[str, Any]], step: int = 5) -> tuple[Tier, Notes]:
    notes = Notes()
    return table(a, step).compare(table(b, 3), "events", Rules(), notes), notes


@given(JAGGED, st.randoms(), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_rows_of_lists_texts_and_gaps_are_the_same_in_any_order(
    rows: list[dict[str, Any]], chance: random.Random, step: int
) -> None:
    # Every kind of value once, so that both tables have columns of the same types.
    rows = [
        *rows,
        {"pt": [1.0], "id": 1, "name": "tau", "maybe": None},
        {"pt": [], "id": 1, "name": "", "maybe": 1},
    ]
    moved = rows[:]
    chance.shuffle(moved)
    assert of_tables(rows, copy.deepcopy(rows), step)[0] is Tier.CONTENT
    tier, notes = of_tables(rows, moved, step)
    assert tier is (Tier.CONTENT if moved == rows else Tier.UNORDERED)
    assert not notes.differing
    changed = copy.deepcopy(moved)
    which = chance.randrange(len(changed))
    changed[which]["id"] += 100
    tier, notes = of_tables(rows, changed, step)
    assert tier is Tier.DIFFERENT
    assert notes.differing


def of_pairs(a: list[dict[str, Any]], b: list[dict[str, Any]], *rules: Tolerance) -> Tier:
    def made(rows: list[dict[str, Any]]) -> Table:
        array = ak.Array(rows)
        types = {"event": "int", "pt": "float"}
        return Table(types, len(rows), 5, lambda name, start, stop: array[name][start:stop])

    return made(a).compare(made(b), "t", Rules(rules), Notes())


NEAR = Tolerance("**", "a test", inside="t/pt", relative=1e-6)


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.floats(1, 1e6)), min_size=1, max_size=12),
    moved=st.randoms(use_true_random=False),
)
def test_rows_in_another_order_are_the_same_within_a_tolerance(
    rows: list[tuple[int, float]], moved: random.Random
) -> None:
    ours = [{"event": event, "pt": pt} for event, pt in rows]
    theirs = [{**row, "pt": row["pt"] * (1 + 1e-9)} for row in ours]
    moved.shuffle(theirs)
    for rule in (NEAR, replace(NEAR, inside=None)):
        assert of_pairs(ours, theirs, rule) is Tier.TOLERANCE
    assert of_pairs(ours, theirs) is Tier.DIFFERENT


def test_a_tolerance_lets_no_row_stand_for_another() -> None:
    ours = [{"event": 1, "pt": 10.0}, {"event": 2, "pt": 20.0}]
    swapped = [{"event": 2, "pt": 10.0}, {"event": 1, "pt": 20.0}]
    for theirs in (swapped, [{"event": 2, "pt": 20.0}, {"event": 1, "pt": 10.1}]):
        assert of_pairs(ours, theirs, NEAR) is Tier.DIFFERENT
    near = 10.0 * (1 + 1e-9)
    assert of_pairs(ours[:1], [{"event": 1, "pt": near}], NEAR) is Tier.TOLERANCE
    assert of_pairs(ours[:1], [{"event": 2, "pt": near}], NEAR) is Tier.DIFFERENT


def test_a_value_that_moved_from_one_list_to_the_next_is_no_reordering() -> None:
    a = [
        {"pt": [1.0, 2.0], "id": 1, "name": "x", "maybe": 1},
        {"pt": [3.0], "id": 1, "name": "x", "maybe": None},
    ]
    b = [
        {"pt": [1.0], "id": 1, "name": "x", "maybe": 1},
        {"pt": [2.0, 3.0], "id": 1, "name": "x", "maybe": None},
    ]
    tier, notes = of_tables(a, b)
    assert tier is Tier.DIFFERENT
    assert (notes.differing[0].where, notes.differing[0].expected) == ("events/pt, entry 0", "[1.0, 2.0]")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_the_same_however_it_is_written(value: float) -> None:
    assert {canonical(form) for form in (repr(value), f"{value:.17e}", f"{value:+.20e}")} == {
        canonical(repr(value))
    }
    assert canonical(repr(value)) != canonical(repr(value * 1.5 + 1e-300))


@pytest.mark.parametrize(("a", "b"), [("1", "1.0"), ("-0.0", "0"), ("007", "7"), ("1e3", "+1000")])
def test_ways_to_write_a_number(a: str, b: str) -> None:
    assert canonical(a) == canonical(b)


@pytest.mark.parametrize(
    ("a", "b"), [("1e400", "2e400"), ("12345678901234567890", "12345678901234567891"), ("x1", "x1.0")]
)
def test_what_only_looks_like_the_same_number(a: str, b: str) -> None:
    assert canonical(a) != canonical(b)


def test_a_log_keeps_its_order_and_a_table_needs_none(tmp_path: Path) -> None:
    def tier(a: str, b: str) -> Tier:
        (tmp_path / "a.txt").write_text(a)
        (tmp_path / "b.txt").write_text(b)
        return files.product("x.txt", tmp_path / "a.txt", tmp_path / "b.txt").tier

    assert tier("first done\nthen failed\n", "then failed\nfirst done\n") is Tier.DIFFERENT
    assert tier("x y\n1 2\n3 4\n", "x y\n3 4\n1 2\n") is Tier.UNORDERED
    assert tier("a  b\n", "a b \r\n") is Tier.CONTENT


def of_histograms(rule: Tolerance | None = None, **changes: Any) -> Tier:
    """Compare a histogram with one that differs in something."""
    ours = Histogram((4.0, 9.0), (4.0, 9.0), ((0.0, 1.0, 2.0),), Tree({"entries": 13}))
    rules = Rules([rule] if rule else [])
    return ours.compare(replace(ours, **changes), "mll", rules, Notes())


def test_a_histogram_is_the_same_in_contents_uncertainties_edges_and_entries() -> None:
    assert of_histograms() is Tier.CONTENT
    for changes in (
        {"contents": (4.0, 9.5)},
        {"variances": (4.0, 9.5)},
        {"axes": ((0.0, 1.0, 2.5),)},
        {"contents": (4.0, 9.0, 0.0), "variances": (4.0, 9.0, 0.0)},
        {"statistics": Tree({"entries": 14})},
    ):
        assert of_histograms(**changes) is Tier.DIFFERENT


def test_a_p_value_judges_contents_and_never_edges() -> None:
    rule = Tolerance("**", "statistics", p_value=0.1)
    assert of_histograms(rule, contents=(4.0, 9.5)) is Tier.TOLERANCE
    assert of_histograms(rule, contents=(4.0, 90.0)) is Tier.DIFFERENT
    assert of_histograms(rule, axes=((0.0, 1.0, 2.5),)) is Tier.DIFFERENT


@pytest.mark.parametrize("more", ["expected", "found"])
def test_a_part_that_only_one_of_two_files_has_is_a_difference(tmp_path: Path, more: str) -> None:
    pt, eta = np.array([1.0, 2.0]), np.array([0.5, -0.5])
    for name in ("expected", "found"):
        np.savez(tmp_path / f"{name}.npz", pt=pt, **({"eta": eta} if name == more else {}))
    found = files.product("events.npz", tmp_path / "expected.npz", tmp_path / "found.npz")
    assert found.tier is Tier.DIFFERENT
    assert [difference.where for difference in found.differences] == ["eta"]


def test_what_nobody_could_compare_does_not_agree() -> None:
    agreeing = [Tier.BYTES, Tier.CONTENT, Tier.UNORDERED, Tier.TOLERANCE, Tier.RESULT]
    assert [tier for tier in Tier if tier.agrees] == agreeing


@pytest.mark.parametrize(
    "types",
    [{"event": "int"}, {"event": "int", "pt": "double"}, {"event": "int", "pt": "float", "eta": "float"}],
)
def test_a_column_that_is_missing_or_of_another_type_is_a_difference(types: dict[str, str]) -> None:
    array = ak.Array([{"event": 1, "pt": 10.0, "eta": 0.5}])

    def made(columns: dict[str, str]) -> Table:
        return Table(columns, 1, 5, lambda name, start, stop: array[name][start:stop])

    usual, other = made({"event": "int", "pt": "float"}), made(types)
    assert usual.compare(usual, "t", Rules(), Notes()) is Tier.CONTENT
    for ours, theirs in ((usual, other), (other, usual)):
        assert ours.compare(theirs, "t", Rules(), Notes()) is Tier.DIFFERENT


def test_an_array_of_another_type_is_a_difference(tmp_path: Path) -> None:
    for name, kind in (("expected", "float64"), ("found", "float32")):
        np.save(tmp_path / f"{name}.npy", np.array([1.0, 2.0], kind))
    found = files.product("pt.npy", tmp_path / "expected.npy", tmp_path / "found.npy")
    assert found.tier is Tier.DIFFERENT
