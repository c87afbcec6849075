"""Which rules come before which, and which paths can be the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.checks import rule_order, snakefile
from relance.checks.expressions import UNKNOWN

PIECES = st.lists(st.sampled_from(["a", "b", "/", "ab", "{s}", "{t}", UNKNOWN]), min_size=1, max_size=6)
PATTERNS = PIECES.map("".join)


def expression(pattern: str) -> str:
    return re.sub(r"\{\w\}", ".+", pattern).replace(UNKNOWN, ".*")


@given(PATTERNS, st.text("ab/", max_size=8))
def test_a_path_fits_into_a_pattern_as_into_its_expression(pattern: str, path: str) -> None:
    fits = re.fullmatch(expression(pattern), path) is not None
    assert rule_order.could_be(pattern, path) is rule_order.could_be(path, pattern) is fits


@given(st.lists(st.tuples(st.text("ab/", min_size=1, max_size=3), st.integers(0, 3))))
def test_two_patterns_of_one_path_could_be_the_same(pieces: list[tuple[str, int]]) -> None:
    one = "".join("{s}" if hidden & 1 else piece for piece, hidden in pieces)
    other = "".join(UNKNOWN if hidden & 2 else piece for piece, hidden in pieces)
    assert rule_order.could_be(one, other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a/{s}.txt", "a/{t}.txt", True),
        ("a/{s}.txt", "b/{t}.txt", False),
        ("a/{s}.txt", "a/{t}.root", False),
        ("a/{s}.txt", "a/b/c.txt", True),
        ("a{s}", "a", False),
        (f"a{UNKNOWN}", "a", True),
    ],
)
def test_patterns_that_can_and_cannot_be_the_same(one: str, other: str, same: bool) -> None:
    assert rule_order.could_be(one, other) is rule_order.could_be(other, one) is same


def test_a_pattern_of_many_wildcards_takes_no_time_to_refuse() -> None:
    assert not rule_order.could_be("{s}a" * 300 + "b", "a" * 3000 + "c")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("./a//b/{s}", "a/b/{s}"),
        ("a/{s,[^/]{2,3}}.txt", "a/{s}.txt"),
        ("a/{ s , .* }.txt", "a/{s}.txt"),
        ("", ""),
    ],
)
def test_a_path_without_what_says_nothing(text: str, plain: str) -> None:
    assert rule_order.plain(text) == plain


def before(folder: Path, text: str) -> dict[str, set[str]]:
    (folder / "Snakefile").write_text(text)
    order = rule_order.of(snakefile.read(folder, "Snakefile"))
    names = [rule.name for rule in order.rules]
    return {name: {names[one] for one in order.before(number)} for number, name in enumerate(names)}


def rule(name: str, reads: str, makes: str) -> str:
    return f"rule {name}:\n    input: {reads}\n    output: {makes}\n    shell: 'x'\n"


def test_rules_come_before_what_reads_of_them_at_any_distance(tmp_path: Path) -> None:
    text = (
        rule("c", '"b.txt"', '"c.txt"') + rule("a", "[]", '"a/{x}.txt"') + rule("b", '"a/1.txt"', '"b.txt"')
    )
    assert before(tmp_path, text + rule("d", '"d.in"', '"d.txt"')) == {
        "a": set(),
        "b": {"a"},
        "c": {"a", "b"},
        "d": set(),
    }


def test_a_wildcard_holds_slashes_only_where_nothing_else_fits(tmp_path: Path) -> None:
    makers = rule("plain", '"x"', '"a/{s}/hist.root"') + rule("deep", '"x"', '"a/{r}/fit/{x}.root"')
    assert before(tmp_path, makers + rule("r", '"a/{s}/hist.root"', '"{s}.txt"'))["r"] == {"plain"}
    assert before(tmp_path, makers + rule("r", '"a/{s}/{t}/{u}/1.root"', '"{s}{t}{u}"'))["r"] == {"deep"}


def test_what_lies_in_a_folder_that_a_rule_makes_is_of_that_rule(tmp_path: Path) -> None:
    text = rule("folder", '"x"', 'directory("a/{s}")') + rule("r", '"a/1/deep/x.txt"', '"r.txt"')
    assert before(tmp_path, text)["r"] == {"folder"}


def test_a_rule_that_reads_something_unknown_may_come_after_all_that_is_not_made_of_it(
    tmp_path: Path,
) -> None:
    text = rule("any", "choose", '"any.txt"') + rule("after", '"any.txt"', '"after.txt"')
    assert before(tmp_path, text + rule("apart", '"x"', '"apart.txt"')) == {
        "any": {"apart"},
        "after": {"any", "apart"},
        "apart": set(),
    }


def test_where_rules_are_not_seen_only_one_without_inputs_is_known_to_be_first(tmp_path: Path) -> None:
    text = 'include: f"{name}.smk"\n' + rule("a", '"x"', '"a"') + rule("b", '"y"', '"b"')
    found = before(tmp_path, text + "rule c:\n    output: 'c'\n    shell: 'x'\n")
    assert found == {"a": {"b", "c"}, "b": {"a", "c"}, "c": set()}


def test_a_rule_reads_what_the_one_reads_that_it_takes_over(tmp_path: Path) -> None:
    text = rule("a", '"x"', '"a"') + rule("b", '"a"', '"b"') + "use rule b as c with:\n    output: 'c'\n"
    assert before(tmp_path, text)["c"] == {"a"}
    other = text + "use rule a as d with:\n    input: 'c'\n    output: 'd'\n"
    assert before(tmp_path, other)["d"] == {"a", "c"}
    twice = text + "use rule c as e with:\n    output: 'e'\n"
    assert before(tmp_path, twice)["e"] == {"a"}
    elsewhere = text.replace("use rule b as", "use rule b from m as")
    assert before(tmp_path, elsewhere)["c"] == {"a", "b"}
