import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from relance import units
from relance.errors import InputError
from relance.specification import orcid, reading, values, writing
from relance.specification.model import (
    Parameter,
    ParameterType,
    Products,
    Reference,
    Specification,
    Tolerance,
    Visibility,
)

ROOT = Path(__file__).parents[2]
DILEPTON = ROOT / "specs" / "dilepton.yaml"


@pytest.fixture(scope="module")
def dilepton() -> Specification:
    return reading.load(DILEPTON)


def small() -> dict[str, Any]:
    return {
        "format": "analysis-specification",
        "version": 1,
        "identity": {
            "name": "small",
            "title": "A small analysis",
            "version": "1",
            "authors": [{"name": "A. Physicist"}],
            "licence": "MIT",
        },
        "workflow": {"language": "snakemake", "file": "Snakefile"},
        "interface": {
            "inputs": {
                "signal": {
                    "title": "Signal",
                    "forms": [{"level": "hepmc", "formats": ["hepmc3"], "key": "file", "replaces": ["mass"]}],
                }
            },
            "parameters": {
                "mass": {
                    "title": "Mass",
                    "type": "number",
                    "unit": "GeV",
                    "minimum": 100,
                    "default": "1 TeV",
                    "key": "mass",
                }
            },
            "results": {
                "limit": {
                    "title": "Limit",
                    "type": "number",
                    "unit": "pb",
                    "file": "limit.json",
                    "pointer": "/limit",
                    "observed": True,
                }
            },
        },
        "validation": {
            "one": {
                "title": "One",
                "parameters": {"mass": 200},
                "expected": {"limit": {"value": 1.0, "relative": 0.01, "because": "statistics"}},
            }
        },
        "visibility": {"specification": "public", "products": "public", "results": "public"},
    }


def refusal(folder: Path, content: dict[str, Any]) -> str:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(InputError) as caught:
        reading.load(path)
    return str(caught.value).replace(f"{folder}/", "")


def put(content: Any, keys: str, value: object) -> None:
    *above, last = keys.split(".")
    for key in above:
        content = content[int(key) if isinstance(content, list) else key]
    content[last] = value


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("validation.one.parameters", {"mas": 1}, "did you mean 'mass'?"),
        ("validation.one.parameters", {"mass": 5}, "found 5 GeV, expected at least 100 GeV"),
        ("validation.one.inputs", {"signl": "x"}, "did you mean 'signal'?"),
        ("validation.one.expected", {"limt": {"value": 1, "because": "x"}}, "did you mean 'limit'?"),
        ("validation.one.expected.limit.value", "3 GeV", "expected a unit of cross-section"),
        ("interface.parameters.mass.default", "1 GeV", "found 1 GeV, expected at least 100 GeV"),
        ("interface.parameters.mass.maximum", 50, "found 100 to 50, expected its lower end below its upper"),
        ("interface.parameters.mass.unit", "GEV", "unit of parameter 'mass': found 'GEV'"),
        ("interface.parameters.mass.key", "file", "expected one of its own"),
        ("interface.parameters.mass.key", "file.name", "the mapping that holds 'file.name'"),
        ("interface.parameters.mass.type", "text", "expected no unit and no range"),
        ("interface.results.limit.pointer", "limit", "found 'limit', expected '/' before each step"),
        ("interface.results.limit.pointer", "/a~2", "(RFC 6901)"),
        ("interface.results.limit.type", "file", "expected no pointer, since it is a file"),
        ("interface.results.limit.unit", "furlong", "unit of result 'limit'"),
        ("interface.results.limit.file", "results/*/x.json", "expected one file"),
        ("interface.results.limit.file", "../x.json", "without '..'"),
        ("interface.inputs.signal.forms.0.level", "ntuple", "expected it at level hepmc"),
        ("interface.inputs.signal.forms.0.replaces", ["coupling"], "expected one of mass"),
        ("visibility.results", "blinded", "since it is blinded and the specification is public"),
        ("visibility.results", "blinded", "write 'products: blinded'"),
        ("visibility.results", "secret", 'expected one of "public", "collaboration"'.replace('"', "'")),
        ("identity.authors", [{"name": "A", "orcid": "12"}], "such as 0000-0002-1825-0097"),
        (
            "identity.authors",
            [{"name": "B"}, {"name": "A. Physicist", "orcid": "0000-0002-1825-0079"}],
            "ORCID iD of A. Physicist: found 0000-0002-1825-0079, which doesn't",
        ),
        ("nonsense", 1, "unknown key: found 'nonsense'"),
    ],
)
def test_a_specification_that_contradicts_itself_is_refused_with_its_line(
    tmp_path: Path, keys: str, value: object, message: str
) -> None:
    content = small()
    put(content, keys, value)
    told = refusal(tmp_path, content)
    assert message in told
    assert all(re.match(r"small\.yaml:\d+: ", line) for line in told.splitlines()), told


def test_the_line_that_is_told_is_the_one_at_fault(tmp_path: Path) -> None:
    content = small()
    put(content, "interface.parameters.mass.default", "1 GeV")
    told = refusal(tmp_path, content)
    line = int(told.split(":")[1])
    assert "default: 1 GeV" in (tmp_path / "small.yaml").read_text().splitlines()[line - 1]


def test_only_results_that_reveal_data_are_blinded(tmp_path: Path) -> None:
    content = small()
    content["validation"] = {}
    content["interface"]["results"]["expected"] = {
        **content["interface"]["results"]["limit"],
        "observed": False,
    }
    content["visibility"] = {"specification": "public", "products": "blinded", "results": "blinded"}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(content))
    read = reading.load(path)
    assert read.visibility_of("limit") is Visibility.BLINDED
    assert read.visibility_of("expected") is Visibility.COLLABORATION


def test_the_dilepton_specification_reads_back_as_written(tmp_path: Path, dilepton: Specification) -> None:
    path = tmp_path / "again.yaml"
    path.write_text(writing.text(dilepton))
    assert reading.load(path) == dilepton
    assert writing.text(reading.load(path)) == writing.text(dilepton)


def resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = schema
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def test_every_configuration_key_of_the_dilepton_specification_exists(dilepton: Specification) -> None:
    schema = json.loads((ROOT / "workflows/dilepton/schemas/config.schema.json").read_text())
    named = {parameter.key: parameter for parameter in dilepton.interface.parameters.values()}
    keys = [*named, *(form.key for given in dilepton.interface.inputs.values() for form in given.forms)]
    keys += [
        key
        for result in dilepton.interface.results.values()
        for key in re.findall(r"\{([^{}]+)\}", result.file)
    ]
    assert len(keys) > 10
    for key in keys:
        part = schema
        for step in key.split("."):
            part = resolved(schema, resolved(schema, part)["properties"][step])
        if key in named:
            assert part.get("x-unit", "1") == (named[key].unit or "1"), key
            assert part.get("minimum") == named[key].minimum, key
            assert part.get("exclusiveMinimum") == named[key].above, key


def test_the_dilepton_defaults_are_those_of_its_configuration(dilepton: Specification) -> None:
    configuration = yaml.safe_load((ROOT / "workflows/dilepton/config/quick.yaml").read_text())
    for name, parameter in dilepton.interface.parameters.items():
        found: Any = configuration
        for step in parameter.key.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        if found is not None:
            assert values.value(parameter, found, name) == parameter.default


def test_every_result_of_the_dilepton_analysis_is_in_its_schema(dilepton: Specification) -> None:
    schema = json.loads((ROOT / "specs/schemas/fit-result.schema.json").read_text())
    for result in dilepton.interface.results.values():
        part = schema
        for step in (result.pointer or "").split("/")[1:]:
            part = resolved(schema, resolved(schema, part)["properties"][step])


def test_text_and_numbers_mean_the_same_value(dilepton: Specification) -> None:
    for typed in (2500, 2500.0, "2500", "2.5 TeV", "2.5TeV", "2500 GeV"):
        assert values.overrides(dilepton.interface, {"signal.mass": typed}) == {"signal": {"mass": 2500.0}}


def test_a_given_file_sets_the_key_of_its_form(tmp_path: Path, dilepton: Specification) -> None:
    events = tmp_path / "events.lhe"
    events.write_text(
        '<LesHouchesEvents version="3.0">\n<init>\n</init>\n<event>\n</event>\n</LesHouchesEvents>'
    )
    found = values.overrides(dilepton.interface, {"luminosity": "0.02 ab^-1"}, {"signal": events})
    assert found == {"luminosity": 20.0, "signal": {"lhe": str(events)}}


def test_all_that_is_wrong_with_given_values_is_told_at_once(tmp_path: Path, dilepton: Specification) -> None:
    events = tmp_path / "events.lhe"
    events.write_text("<LesHouchesEvents>\n<init>\n<event>\n</LesHouchesEvents>")
    with pytest.raises(InputError) as caught:
        values.overrides(
            dilepton.interface,
            {
                "signal.mass": "3 fb",
                "signal.copling": 1,
                "seed": 1.5,
                "luminosity": -1,
                "signal.events": True,
            },
            {"signal": events, "background": events},
        )
    told = str(caught.value).splitlines()
    assert len(told) == 7
    assert "found 'fb' in '3 fb', expected a unit of energy" in told[0]
    assert "did you mean 'signal.coupling'?" in told[1]
    assert "expected a whole number" in told[2]
    assert "found -1 fb^-1, expected more than 0 fb^-1" in told[3]
    assert "found True, expected a whole number" in told[4]
    assert "parameter 'signal.mass': found both" in told[5]
    assert "input 'background'" in told[6]


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.integers()),
    st.sampled_from(["1e999", "1e-999", "٣", "1" * 50, ".", "nan", "true", "3 TeV", 10**5000]),
)


def test_a_whole_number_may_be_given_in_another_unit() -> None:
    mass = Parameter("mass", ParameterType.INTEGER, "mass", unit="GeV")
    assert [values.value(mass, given, "mass") for given in ("2.5 TeV", "2500", 2500)] == [2500, 2500, 2500]
    with pytest.raises(InputError, match="a whole number of GeV"):
        values.value(mass, "1.5 MeV", "mass")


@given(given=ANYTHING, kind=st.sampled_from(ParameterType), unit=st.sampled_from(units.names()))
@settings(max_examples=300, deadline=None)
def test_any_value_is_taken_in_its_type_or_refused(given: object, kind: ParameterType, unit: str) -> None:
    numeric = kind in {ParameterType.NUMBER, ParameterType.INTEGER}
    parameter = Parameter("p", kind, "p", unit=unit if numeric else None)
    types = {"number": float, "integer": int, "boolean": bool, "text": str}
    try:
        found = values.value(parameter, given, "p")
    except InputError as error:
        assert str(error).startswith("p: found ")
    else:
        assert type(found) is types[kind]
        assert values.value(parameter, found, "p") == found


@given(mass=st.floats(min_value=1e-3, max_value=1e3, allow_subnormal=False))
def test_a_converted_unit_moves_the_decimal_point_only(mass: float) -> None:
    assert units.parse(f"{mass!r} TeV", "GeV", "m") == float(
        f"{mass!r}e3" if "e" not in repr(mass) else mass * 1e3
    )


@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(0, 1e6),
    number=st.floats(-3e6, 3e6),
)
def test_a_number_is_taken_exactly_when_it_is_in_range(low: float, width: float, number: float) -> None:
    parameter = Parameter("p", ParameterType.NUMBER, "p", unit="GeV", minimum=low, maximum=low + width)
    if low <= number <= low + width:
        assert values.value(parameter, number, "p") == number
    else:
        with pytest.raises(InputError):
            values.value(parameter, number, "p")


@pytest.mark.parametrize(
    ("bound", "inside", "outside"),
    [
        ("minimum", 2.0, 1.9),
        ("above", 2.1, 2.0),
        ("maximum", 2.0, 2.1),
        ("below", 1.9, 2.0),
    ],
)
def test_the_end_of_a_range_belongs_to_it_or_not(bound: str, inside: float, outside: float) -> None:
    parameter = Parameter("p", ParameterType.NUMBER, "p", unit="GeV", **{bound: 2.0})
    assert values.value(parameter, inside, "p") == inside
    with pytest.raises(InputError, match="2 GeV"):
        values.value(parameter, outside, "p")


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)


@given(
    title=TEXT,
    version=st.one_of(TEXT, st.sampled_from(["1.0", "yes", "1e3", "null", "~", "<<", "2024-01-01", "0x1"])),
    default=st.floats(100, 1e6),
    relative=st.floats(0, 1),
)
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, title: str, version: str, default: float, relative: float
) -> None:
    path = tmp_path_factory.mktemp("specs") / "small.yaml"
    path.write_text(yaml.safe_dump(small()))
    read = reading.load(path)
    mass = dataclasses.replace(read.interface.parameters["mass"], default=default)
    case = dataclasses.replace(
        read.validation["one"], expected={"limit": Reference(0.1, title, relative=relative)}
    )
    changed = dataclasses.replace(
        read,
        identity=dataclasses.replace(read.identity, title=title, version=version),
        interface=dataclasses.replace(read.interface, parameters={"mass": mass}),
        validation={"one": case},
    )
    path.write_text(writing.text(changed), encoding="utf-8")
    assert reading.load(path) == changed


@given(
    because=TEXT,
    inside=st.none() | TEXT,
    relative=st.none() | st.floats(0, 1),
    p_value=st.none() | st.floats(0.001, 0.999),
    unordered=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_tolerances_of_products_are_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    because: str,
    inside: str | None,
    relative: float | None,
    p_value: float | None,
    unordered: bool,
) -> None:
    path = tmp_path_factory.mktemp("specs") / "small.yaml"
    path.write_text(yaml.safe_dump(small()))
    declared = Tolerance(
        "{output}/**/*.root", because, inside, relative, p_value=p_value, unordered=unordered
    )
    changed = dataclasses.replace(reading.load(path), products=Products(tolerances=(declared,)))
    path.write_text(writing.text(changed), encoding="utf-8")
    assert reading.load(path) == changed


@pytest.mark.parametrize(
    "tolerance",
    [
        {"path": "fit.json", "relative": 0.1},
        {"path": "fit.json", "relative": -0.1, "because": "x"},
        {"path": "../fit.json", "relative": 0.1, "because": "x"},
        {"path": "fit.json", "p_value": 1, "because": "x"},
        {"path": "fit.json", "ignored": True, "because": "x"},
    ],
)
def test_a_tolerance_that_says_too_little_or_too_much_is_refused(
    tmp_path: Path, tolerance: dict[str, object]
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small() | {"products": {"tolerances": [tolerance]}}))
    with pytest.raises(InputError):
        reading.load(path)


def test_a_reference_agrees_within_the_larger_of_its_tolerances() -> None:
    reference = Reference(100.0, "statistics", relative=0.01, absolute=0.5)
    assert reference.agrees(101.0)
    assert not reference.agrees(101.01)
    assert not reference.agrees(float("nan"))
    assert not Reference(1.0, "exact").agrees(1.0000001)


def test_files_are_allowed_to_look_like_secrets_by_digest_with_a_reason() -> None:
    allowed = {"digest": f"sha256:{'0' * 64}", "reason": "opens nothing"}
    found = reading.parse(yaml.safe_dump({**small(), "allowed_secrets": [allowed]}).encode(), Path("x.yaml"))
    assert [(item.digest, item.reason) for item in found.allowed_secrets] == [tuple(allowed.values())]
    assert writing.plain(found)["allowed_secrets"] == [allowed]
    with pytest.raises(InputError):
        reading.parse(
            yaml.safe_dump({**small(), "allowed_secrets": [{"digest": "x"}]}).encode(), Path("x.yaml")
        )


def test_what_a_check_need_not_say_is_read_and_written_back_with_its_reason() -> None:
    ignored = {"ignore": {"RL202": "our registry keeps its tags"}}
    found = reading.parse(yaml.safe_dump({**small(), "check": ignored}).encode(), Path("x.yaml"))
    assert found.check.ignore == ignored["ignore"]
    assert writing.plain(found)["check"] == ignored
    assert "check" not in writing.plain(reading.parse(yaml.safe_dump(small()).encode(), Path("x.yaml")))
    for wrong in ({"ignore": {"202": "a"}}, {"ignore": {"RL202": ""}}, {"other": {}}):
        with pytest.raises(InputError):
            reading.parse(yaml.safe_dump({**small(), "check": wrong}).encode(), Path("x.yaml"))


@pytest.mark.parametrize("known", ["0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-1694-233X"])
def test_the_examples_of_orcid_fit_and_no_other_last_character_does(known: str) -> None:
    assert [last for last in "0123456789X" if orcid.fits(known[:-1] + last)] == [known[-1]]


@given(st.text("0123456789", min_size=15, max_size=15), st.integers(0, 14), st.integers(1, 9))
def test_one_wrong_digit_of_an_orcid_id_is_always_noticed(digits: str, place: int, off: int) -> None:
    last = next(one for one in "0123456789X" if orcid.fits(digits + one))
    wrong = f"{digits[:place]}{(int(digits[place]) + off) % 10}{digits[place + 1 :]}"
    assert not orcid.fits(wrong + last)


def test_a_captured_specification_is_read_whatever_its_orcid_ids_are(tmp_path: Path) -> None:
    content = small()
    put(content, "identity.authors", [{"name": "A", "orcid": "0000-0002-1825-0079"}])
    read = reading.parse(json.dumps(content).encode(), tmp_path / "small.yaml")
    assert read.identity.authors[0].orcid == "0000-0002-1825-0079"


@pytest.mark.parametrize(
    ("reference", "agreeing", "others"),
    [
        (Reference(10.0, "why", relative=0.1), (9.0, 10.0, 11.0), (8.9, 11.1)),
        (Reference(-10.0, "why", relative=0.1), (-9.0, -11.0), (-8.9, -11.1, 10.0)),
        (Reference(10.0, "why", absolute=0.5), (9.5, 10.5), (9.4, 10.6)),
        (Reference(10.0, "why", relative=0.01, absolute=0.5), (9.5, 10.5), (9.4, 10.6)),
        (Reference(10.0, "why"), (10.0,), (9.999, 10.001)),
    ],
)
def test_a_value_agrees_within_the_larger_tolerance_on_either_side(
    reference: Reference, agreeing: tuple[float, ...], others: tuple[float, ...]
) -> None:
    assert [reference.agrees(value) for value in agreeing] == [True] * len(agreeing)
    assert [reference.agrees(value) for value in others] == [False] * len(others)


def test_a_value_that_is_none_of_the_choices_is_refused() -> None:
    parameter = Parameter("p", ParameterType.TEXT, "p", choices=("dijet", "dilepton"))
    assert values.value(parameter, "dijet", "p") == "dijet"
    with pytest.raises(InputError, match="did you mean 'dilepton'"):
        values.value(parameter, "dileptons", "p")
    number = Parameter("p", ParameterType.INTEGER, "p", choices=(1, 2))
    with pytest.raises(InputError, match="one of 1, 2"):
        values.value(number, 3, "p")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("1 eV", "GeV", 1e-9),
        ("1 keV", "GeV", 1e-6),
        ("1 MeV", "GeV", 1e-3),
        ("1 TeV", "GeV", 1e3),
        ("1 PeV", "GeV", 1e6),
        ("1 ab", "pb", 1e-6),
        ("1 fb", "pb", 1e-3),
        ("1 nb", "pb", 1e3),
        ("1 ub", "pb", 1e6),
        ("1 mb", "pb", 1e9),
        ("1 b", "pb", 1e12),
        ("1 ab^-1", "pb^-1", 1e6),
        ("1 fb^-1", "pb^-1", 1e3),
        ("1 nb^-1", "pb^-1", 1e-3),
        ("1 ub^-1", "pb^-1", 1e-6),
        ("1 fm", "m", 1e-15),
        ("1 um", "m", 1e-6),
        ("1 mm", "m", 1e-3),
        ("1 cm", "m", 1e-2),
        ("1 ps", "s", 1e-12),
        ("1 ns", "s", 1e-9),
        ("1 us", "s", 1e-6),
        ("1 ms", "s", 1e-3),
        ("1 %", "1", 1e-2),
    ],
)
def test_each_unit_is_as_large_as_physicists_take_it(text: str, unit: str, value: float) -> None:
    assert units.parse(text, unit, "x") == value
