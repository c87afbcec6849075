from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.drafting import converted, draft
from relance.drafting.converted import GivenValue, Known, KnownCase, KnownTest, Need, Product
from relance.specification import reading
from relance.specification.model import ParameterType

WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["yes", "a: b", "#", "x.y", "{output}", "a/*", "a\nb: c", "~", "Δm", "- x", "'", '"', "../x"]
    ),
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.lists(WORDS, max_size=2), st.just("2 TeV")
)


@given(
    words=st.lists(WORDS, min_size=4, max_size=4),
    parameters=st.dictionaries(WORDS, VALUES, max_size=5),
    products=st.lists(st.builds(Product, WORDS, WORDS, st.booleans()), max_size=4).map(tuple),
    needs=st.lists(st.builds(Need, st.just("cvmfs"), WORDS.filter(str.split)), max_size=2).map(tuple),
    cases=st.lists(WORDS, max_size=2).map(tuple),
    is_file=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_whatever_a_workflow_is_called_its_draft_can_be_read(  # noqa: PLR0917 - hypothesis passes by name
    tmp_path_factory: pytest.TempPathFactory,
    words: list[str],
    parameters: dict[str, object],
    products: tuple[Product, ...],
    needs: tuple[Need, ...],
    cases: tuple[str, ...],
    is_file: bool,
) -> None:
    name, source, title, author = words
    place = tmp_path_factory.mktemp("known")
    (place / "card").write_text("Main:x = 1\n")
    values = tuple(
        GivenValue(key, f"parameters.{key}", value, place / "card" if is_file else None)
        for key, value in parameters.items()
    )
    known = Known(name, source, title=title, author=author, values=values, products=products, needs=needs)
    more = tuple(KnownCase(case) for case in cases)
    tests = tuple(KnownTest(case, title, source) for case in cases)
    known = Known(**{**vars(known), "cases": more, "tests": tests, "images": {title: (author,)}})
    (place / "spec.yaml").write_text(converted.text(known), "utf-8")
    specification = reading.load(place / "spec.yaml")
    assert len(specification.outside) == len(needs)
    assert len(specification.validation) == len(cases)
    asked = {*converted.parameter_names(values).values()} | {*converted.input_names(values).values()}
    assert asked == {*specification.interface.parameters} | {*specification.interface.inputs}


def test_a_draft_has_types_files_results_and_what_is_needed_from_outside(tmp_path: Path) -> None:
    (tmp_path / "new.card").write_text("Main:numberOfEvents = 10\n")
    values = (
        GivenValue("n_events", "parameters.n_events", 10),
        GivenValue("lumi", "parameters.lumi", 139.0),
        GivenValue("signal", "parameters.signal", "new.card", tmp_path / "new.card"),
        GivenValue("far", "parameters.far", "root://eos.example//a.root"),
        GivenValue("bins", "parameters.bins", [1, 2]),
        GivenValue("api_token", "parameters.api_token", "abc"),
    )
    known = Known(
        "Group/My analysis",
        "workflow.yml",
        author="A. Physicist",
        values=values,
        products=(Product("limit", "workdir/fit/limit.json"), Product("plots", "workdir/plots", folder=True)),
        needs=(Need("cvmfs", "CVMFS", ("fit",)),),
        sources=("Snakefile",),
    )
    text = converted.text(known)
    (tmp_path / "spec.yaml").write_text(text)
    read = reading.load(tmp_path / "spec.yaml")
    assert read.identity.name == "group_my_analysis"
    assert read.identity.authors[0].name == "A. Physicist"
    assert {name: one.type for name, one in read.interface.parameters.items()} == {
        "n_events": ParameterType.INTEGER,
        "lumi": ParameterType.NUMBER,
        "far": ParameterType.TEXT,
    }
    assert read.interface.inputs["signal"].forms[0].key == "parameters.signal"
    assert read.interface.inputs["signal"].forms[0].formats == ("card",)
    assert read.interface.results["limit"].file == "workdir/fit/limit.json"
    assert read.products.keep[0].path == "workdir/plots/**"
    assert (read.outside[0].kind, read.outside[0].rules) == ("cvmfs", ("fit",))
    assert read.workflow.sources == ("Snakefile",)
    assert "abc" not in text, "what sounds like a secret isn't written"
    assert '"bins" can\'t be set: it is no single value: [1, 2]' in text
    assert 'who fetches "far"' in {what for _, what in draft.decisions(text)}
    assert {"its unit", "who belongs here? Add 'orcid: …'"} <= {what for _, what in draft.decisions(text)}
