import pytest

from relance.languages.model import PlanError
from relance.languages.support import interpolation


def test_lists_are_joined_by_spaces_and_doubled_braces_are_one() -> None:
    assert interpolation.fill("run {a} {{x}} {n:>3}", {"a": [1, "b"], "n": 5}) == "run 1 b {x}   5"


def test_a_placeholder_without_a_value_is_named() -> None:
    with pytest.raises(PlanError, match="placeholder 'b', which is none of a"):
        interpolation.fill("{b}", {"a": 1})


@pytest.mark.parametrize("text", ["{a.__class__}", "{a[0].x}", "{a!r.__class__}", "{a:99999}", "{a:{b}}"])
def test_nothing_reaches_into_objects_or_fills_the_memory(text: str) -> None:
    with pytest.raises(PlanError):
        interpolation.fill(text, {"a": "text", "b": "99999999999"})


def test_folders_are_filled_in_wherever_text_stands_and_other_braces_are_refused() -> None:
    folders = {"workdir": "/w"}
    assert interpolation.fill_folders({"a": ["{workdir}/x", 1, "{}"]}, folders) == {"a": ["/w/x", 1, "{}"]}
    with pytest.raises(PlanError, match="other"):
        interpolation.fill_folders("{other}", folders)


def test_a_parameter_called_workdir_is_refused_where_the_folder_would_be_meant() -> None:
    with pytest.raises(PlanError, match="called 'workdir'"):
        interpolation.fill_published("{workdir}", {"workdir": "x"}, "/w")
