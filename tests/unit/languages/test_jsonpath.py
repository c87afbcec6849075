import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.languages.model import PlanError
from relance.languages.support import jsonpath

VALUE = {"a": [{"b": 1}, {"b": 2, "c": [3, 4]}], "d": {"e": 5, "b": 6}, "odd-name": 7}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("$", [VALUE]),
        ("d.e", [5]),
        ("$.d.e", [5]),
        ("a[0].b", [1]),
        ("a[*].b", [1, 2]),
        ("a[0:1]", [{"b": 1}]),
        ("a[-1].c[1]", [4]),
        ("d.*", [5, 6]),
        ("d.e|b", [5, 6]),
        ("(d.e)|(d.b)", [5, 6]),
        ("$..b", [1, 2, 6]),
        ("d.e,b", [5, 6]),
        ("'odd-name'", [7]),
        ("$['odd-name']", [7]),
        ("d[*].e", [5]),
        ("a.b", []),
        ("a[9]", []),
        ("nothing", []),
        ("d[0]", []),
    ],
)
def test_a_query_finds_what_it_finds_in_yadage(query: str, found: list[object]) -> None:
    assert jsonpath.find(query, VALUE) == found


@pytest.mark.parametrize("query", ["", "a[", "a.", "..b", "a where b", "`this`", "a[?(@.b)]", "a]", "a b"])
def test_what_is_not_understood_is_refused_and_named(query: str) -> None:
    with pytest.raises(PlanError, match="isn't understood"):
        jsonpath.find(query, VALUE)


@given(st.text(alphabet="ab$.*[]()|,:0-1'\" ", max_size=12))
def test_any_text_is_understood_or_refused(query: str) -> None:
    try:
        assert isinstance(jsonpath.find(query, VALUE), list)
    except PlanError as error:
        assert "isn't understood" in str(error)


@pytest.mark.parametrize(
    ("query", "names"),
    [("a[*].b", {"a"}), ("$.a", {"a"}), ("a,b", {"a", "b"}), ("(a.x)|(b.y)", {"a", "b"}), ("*", None)],
)
def test_the_first_names_of_a_query_are_known(query: str, names: set[str] | None) -> None:
    assert jsonpath.first_names(query) == names
