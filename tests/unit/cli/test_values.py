from pathlib import Path

import pytest

from relance.cli import values
from relance.errors import InputError


def test_nested_keys_make_nested_values_of_their_types() -> None:
    assignments = [
        "signal.mass=2500",
        "signal.width=3e-2",
        "channels=[ee, mumu]",
        "mass=2 TeV",
        "pileup=true",
    ]
    assert values.settings(assignments) == {
        "signal": {"mass": 2500, "width": 0.03},
        "channels": ["ee", "mumu"],
        "mass": "2 TeV",
        "pileup": True,
    }


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["mass"], "found no '=', expected KEY=VALUE"),
        (["=3"], "the key ''"),
        (["a..b=3"], "the key 'a..b'"),
        (["a =3"], "the key 'a '"),
        (["a=1", "a=2"], "'a' set twice"),
        (["a=1", "a.b=2"], "'a' set twice"),
        (["a.b=1", "a=2"], "'a' set twice"),
        (["a=[1,"], "not YAML"),
    ],
)
def test_a_wrong_assignment_is_refused(assignments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=r"^--set") as caught:
        values.settings(assignments)
    assert message in str(caught.value)


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    for name in ("tiny", "quick"):
        path = tmp_path / "workflows" / "dilepton" / "config" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("seed: 1\n", "utf-8")
    return tmp_path


def test_a_configuration_is_found_by_name_or_by_path(analysis: Path) -> None:
    file = analysis / "workflows" / "dilepton" / "config" / "tiny.yaml"
    assert values.configuration("tiny", analysis, Path("/")) == file
    assert values.configuration(str(file), Path("/nowhere"), Path("/")) == file
    assert values.configuration("workflows/dilepton/config/tiny.yaml", analysis, Path("/")) == file
    assert values.configuration("tiny.yaml", Path("/nowhere"), file.parent) == file


def test_an_unknown_configuration_is_refused_with_the_nearest(analysis: Path) -> None:
    with pytest.raises(InputError) as caught:
        values.configuration("tinny", analysis, Path("/"))
    assert str(caught.value) == (
        "configuration 'tinny': found neither, expected a file, or one of quick, tiny; write '--config tiny'"
    )


def test_a_name_that_two_analyses_have_is_refused(analysis: Path) -> None:
    other = analysis / "workflows" / "other" / "config" / "tiny.yaml"
    other.parent.mkdir(parents=True)
    other.touch()
    with pytest.raises(InputError, match=r"dilepton/config/tiny\.yaml and .*other/config/tiny\.yaml"):
        values.configuration("tiny", analysis, Path("/"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"seed: 1\nsamples: [dy,\n", r"own.yaml:3: not YAML: found .+, expected correct YAML"),
        (b"seed: \xff\n", r"own.yaml:1: not YAML: found "),
        (b"", r"own.yaml:1: a configuration: found nothing, expected keys with values"),
        (b"# nothing\n- seed\n", r"own.yaml:2: a configuration: found a list, expected keys with values"),
    ],
)
def test_a_configuration_that_is_none_is_refused_with_its_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "own.yaml").write_bytes(content)
    with pytest.raises(InputError, match=message):
        values.configuration("own.yaml", tmp_path, tmp_path)
