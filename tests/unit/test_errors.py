from hypothesis import given
from hypothesis import strategies as st

from relance.errors import AnalysisError, ExitCode, InputError, MissingPartError, named, quoted


@given(st.lists(st.from_regex(r"[a-z]{1,4}", fullmatch=True), max_size=12), st.integers(1, 9))
def test_of_names_the_first_are_told_and_how_many_more_there_are(names: list[str], most: int) -> None:
    told, _, rest = named(names, most).partition(" and ")
    shown = told.split(", ") if told else []
    assert shown == names[:most]
    assert rest == (f"{len(names) - most} more" if len(names) > most else "")


def test_names_in_quotes_are_told_the_same_way() -> None:
    assert quoted(["a b"]) == "'a b'"
    assert quoted(list("abcdef")) == "'a', 'b', 'c', 'd', 'e' and 1 more"


def test_scripts_may_rely_on_exit_codes() -> None:
    kinds = (AnalysisError, InputError, MissingPartError)
    assert [int(kind.exit_code) for kind in kinds] == [1, 2, 3]
    assert (int(ExitCode.OK), int(ExitCode.INTERRUPTED), int(ExitCode.TERMINATED)) == (0, 130, 143)
