"""Patterns of paths in a specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.specification import patterns

NAMES = st.text("abc.-_ *?", min_size=1, max_size=5).filter(lambda name: name not in {".", ".."})
PATHS = st.lists(NAMES.map(lambda name: name.replace("*", "x").replace("?", "y")), min_size=1).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("out/*.root", "out/a.root", True),
        ("out/*.root", "out/deep/a.root", False),
        ("out/**/*.root", "out/a.root", True),
        ("out/**/*.root", "out/very/deep/a.root", True),
        ("out/**", "out/very/deep/a.root", True),
        ("out/**", "outside", False),
        ("out", "out/a/b", True),
        ("out/", "out/a", True),
        ("out", "outer", False),
        ("a?.txt", "ab.txt", True),
        ("a?.txt", "a/.txt", False),
        ("a.txt", "aXtxt", False),
    ],
)
def test_a_pattern_means_what_a_shell_would_mean(pattern: str, path: str, fits: bool) -> None:
    assert bool(patterns.matcher([pattern]).fullmatch(path)) is fits


@given(PATHS)
def test_a_path_without_wildcards_means_itself_and_what_is_below(path: str) -> None:
    found = patterns.matcher([path])
    assert found.fullmatch(path)
    assert found.fullmatch(f"{path}/inside")
    assert not found.fullmatch(f"{path}x")


def test_no_pattern_means_nothing() -> None:
    assert not patterns.matcher([]).fullmatch("")
