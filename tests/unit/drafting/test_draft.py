from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.drafting import draft
from relance.drafting.graph import Graph, Job
from relance.drafting.history import Facts
from relance.specification import reading
from relance.specification.model import Author, ParameterType

NAMES = st.one_of(
    st.text(min_size=1, max_size=12),
    st.sampled_from(
        ["yes", "a: b", "#", "x.y", "{output}", "a/*", "a\nb: c", "~", "Δm", "- x", "'", '"', "\\", "\x85"]
    ),
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    NAMES,
    st.sampled_from(["2 TeV", "1e999 GeV", "results"]),
)
CONFIGURATIONS = st.recursive(VALUES, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)


def graph(
    configuration: dict[str, Any], outputs: tuple[str, ...], inputs: tuple[str, ...], image: str
) -> Graph:
    made = Job("make", inputs, outputs, frozenset(outputs[1:2]), outputs, (), image, "voms-proxy-init")
    target = Job("all", outputs, (), frozenset(), (), (), None, "")
    return Graph("Snakefile", None, configuration, (made, target), (target,))


@given(
    configuration=st.dictionaries(NAMES, CONFIGURATIONS, max_size=5),
    outputs=st.lists(NAMES, max_size=4).map(tuple),
    inputs=st.lists(NAMES, max_size=3).map(tuple),
    words=st.lists(NAMES, min_size=5, max_size=5),
)
@settings(max_examples=150, deadline=None)
def test_whatever_an_analysis_is_called_its_draft_can_be_read(
    tmp_path_factory: pytest.TempPathFactory,
    configuration: dict[str, Any],
    outputs: tuple[str, ...],
    inputs: tuple[str, ...],
    words: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("analysis")
    title, version, licence, author, image = words
    facts = Facts(title, version, None, licence, (title,), (Author(author),), "CITATION.cff")
    made = graph(configuration, outputs, inputs, image)
    path = folder / "draft.yaml"
    path.write_text(draft.text(folder, made, facts), encoding="utf-8")
    read = reading.load(path)
    assert (read.identity.title, read.identity.version, read.identity.authors[0].name) == (
        title,
        version,
        author,
    )
    assert "voms" in [outside.kind for outside in read.outside]


def test_a_configuration_that_names_the_folder_of_products_is_written_for_it(tmp_path: Path) -> None:
    facts = Facts(None, None, None, None, (), (), "")
    made = graph({"out": "results", "n": 3}, ("results/a.json", "results/plots"), (), "docker://x")
    path = tmp_path / "draft.yaml"
    path.write_text(draft.text(tmp_path, made, facts))
    read = reading.load(path)
    assert read.interface.results["a"].file == "{out}/a.json"
    assert list(read.interface.parameters) == ["n"]
    assert [kept.path for kept in read.products.keep] == ["{out}/plots/**"]


def test_a_unit_in_a_comment_counts_where_the_analysis_left_the_number_as_it_is(tmp_path: Path) -> None:
    facts = Facts(None, None, None, None, (), (), "")
    (tmp_path / "config.yaml").write_text("mass: 2000 # GeV\ncut: 25.0 # [GeV]\nscaled: 1 # TeV\n")
    made = replace(
        graph({"mass": 2000, "cut": 25.0, "scaled": 1000}, ("a.json",), (), "docker://x"),
        configuration_file="config.yaml",
    )
    path = tmp_path / "draft.yaml"
    path.write_text(draft.text(tmp_path, made, facts))
    parameters = reading.load(path).interface.parameters
    assert {name: (one.type, one.unit) for name, one in parameters.items()} == {
        "mass": (ParameterType.INTEGER, "GeV"),
        "cut": (ParameterType.NUMBER, "GeV"),
        "scaled": (ParameterType.INTEGER, None),
    }
