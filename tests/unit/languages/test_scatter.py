import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.languages.model import PlanError, Scatter
from relance.languages.support.scatter import grouped, scattered


@given(st.lists(st.integers()), st.integers(1, 8))
def test_batches_hold_every_value_once_and_all_but_the_last_are_full(values: list[int], size: int) -> None:
    batches = grouped(values, Scatter(("x",), batch=size))
    assert [one for batch in batches for one in batch] == values
    assert all(len(batch) == size for batch in batches[:-1])


@given(st.lists(st.integers()), st.integers(1, 8))
def test_parts_hold_every_value_once_and_differ_by_one_at_most(values: list[int], parts: int) -> None:
    found = grouped(values, Scatter(("x",), parts=parts))
    assert [one for part in found for one in part] == values
    assert len(found) == min(parts, len(values))
    assert not found or max(map(len, found)) - min(map(len, found)) <= 1


def test_of_combinations_the_last_parameter_goes_fastest() -> None:
    found = scattered({"a": [1, 2], "b": [3, 4], "c": 5}, Scatter(("b", "a"), cartesian=True))
    assert [(one["b"], one["a"]) for one in found] == [(3, 1), (3, 2), (4, 1), (4, 2)]
    assert all(one["c"] == 5 for one in found)


def test_lists_of_unequal_length_are_refused_with_their_lengths() -> None:
    with pytest.raises(PlanError, match="'a' 2, 'b' 1"):
        scattered({"a": [1, 2], "b": [1]}, Scatter(("a", "b")))


def test_text_is_no_list_to_scatter() -> None:
    with pytest.raises(PlanError, match="'a' is scattered and isn't a list"):
        scattered({"a": "text"}, Scatter(("a",)))
