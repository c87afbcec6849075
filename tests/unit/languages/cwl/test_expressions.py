"""Parameter references, as the language has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.languages.cwl.support import expressions
from relance.languages.cwl.support.expressions import Context
from relance.languages.model import PlanError

ABOUT = Context(
    {
        "n": 2,
        "text": "a b",
        "file": {"class": "File", "basename": "x.root"},
        "many": [1, 2],
        "odd key": {"']": 7},
    },
    self={"class": "File", "nameroot": "y"},
    runtime={"outdir": "/out", "cores": 4},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$(inputs.n)", 2),
        (" $(inputs.many) \n", [1, 2]),
        ("$(inputs.file.basename).txt", "x.root.txt"),
        ("$(inputs.many[1])$(inputs.many.length)", "22"),
        ("$(inputs['odd key']['\\']'])", 7),
        ('$(inputs["text"])', "a b"),
        ("$(self.nameroot) on $(runtime.cores)", "y on 4"),
        ("$(inputs.many)!", "[1, 2]!"),
        ("$(null)", None),
        ("cost $5 $(inputs.n)", "cost $5 2"),
    ],
)
def test_a_text_says_what_its_references_name(text: str, expected: object) -> None:
    assert expressions.simple(text, "v1.2")
    assert expressions.evaluate(text, ABOUT, "v1.2") == expected


@pytest.mark.parametrize(
    "text", ["$(inputs.n + 1)", "${ return 1; }", "$(inputs.text.split(' ')[0])", "a $(inputs.n > 1) b"]
)
def test_what_needs_javascript_is_told_from_references(text: str) -> None:
    assert not expressions.simple(text, "v1.2")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$(inputs.missing)", "there is no 'missing'"),
        ("$(inputs.many[2])", "nothing is at [2]"),
        ("$(inputs.n.x)", "there is no 'x'"),
        ("$(others.n)", "begins with neither"),
        ("$(inputs.n", "an expression has no end"),
    ],
)
def test_a_reference_to_nothing_is_refused(text: str, reason: str) -> None:
    with pytest.raises(PlanError, match=reason.replace("[", r"\[").replace("(", r"\(")):
        expressions.evaluate(text, ABOUT, "v1.2")


@pytest.mark.parametrize(
    ("version", "text", "expected"),
    [
        ("v1.2", r"\$(inputs.n) $(inputs.n)", "$(inputs.n) 2"),
        ("v1.2", r"\\ \n $(inputs.n)", r"\ \n 2"),
        ("v1.0", r"\$(inputs.n) \n \"x\" $(inputs.n)", '$(inputs.n) n "x" 2'),
        ("v1.0", r"\n stays", r"\n stays"),
    ],
)
def test_a_backslash_takes_the_meaning_from_what_follows(version: str, text: str, expected: str) -> None:
    assert expressions.evaluate(text, ABOUT, version) == expected


@given(st.text(st.characters(exclude_characters="\\$", exclude_categories=["Cs"])))
def test_text_around_a_reference_stays_as_it_is(text: str) -> None:
    found = expressions.evaluate(f"<{text}$(inputs.n){text}>", ABOUT, "v1.2")
    assert found == f"<{text}2{text}>"


@given(st.text("$(){}[]'\"\\.ab"))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        list(expressions.pieces(text, "v1.2"))
        expressions.evaluate(text, ABOUT, "v1.0")
    except PlanError:
        pass
