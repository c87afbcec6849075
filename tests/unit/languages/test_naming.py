"""Folders are called like their stages, as far as a folder can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.languages.support import naming

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(NAMES)
def test_the_name_of_a_folder_says_which_stage_it_is(name: str) -> None:
    called = naming.folder(name)
    assert naming.stage(called) == name
    assert not set(called) & set("/ \n*?[]{}$&;'\"\\<>|:,()")
    assert called[0] not in "-."


@given(st.from_regex(r"\w[\w.-]*", fullmatch=True))
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert naming.folder(name) == name


@given(NAMES, st.integers(0, 99))
def test_numbered_jobs_are_called_like_their_stage(name: str, number: int) -> None:
    assert naming.folder(f"{name}_{number}") == f"{naming.folder(name)}_{number}"


@pytest.mark.parametrize(
    ("name", "called"),
    [("my fit", "my%20fit"), ("fit/signal", "fit%2Fsignal"), ("..", "%2E."), ("50% off", "50%25%20off")],
)
def test_what_no_folder_can_have_is_written_as_in_addresses(name: str, called: str) -> None:
    assert naming.folder(name) == called
