"""The configuration of the dilepton analysis: what is accepted, what is refused and with which words."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dilepton import regions
from dilepton.configuration import ConfigurationError, check, load
from dilepton.units import UnitError, parse

ANALYSIS = Path(__file__).parents[2] / "workflows/dilepton"
SCHEMA = ANALYSIS / "schemas/config.schema.json"


def refusal(text: str, folder: Path) -> str:
    file = folder / "config.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(file, SCHEMA)
    return str(caught.value)


def edited(old: str, new: str) -> str:
    text = (ANALYSIS / "config/tiny.yaml").read_text("utf-8")
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize("name", ["tiny", "quick", "full"])
def test_the_three_configurations_follow_the_schema(name: str) -> None:
    configuration = load(ANALYSIS / f"config/{name}.yaml", SCHEMA)
    assert configuration["sqrt_s"] == 13_000
    assert configuration["samples"]["dy_60_120"]["mass_range"] == [60, 120]


def test_quick_has_the_same_number_of_events_for_every_sample() -> None:
    configuration = load(ANALYSIS / "config/quick.yaml", SCHEMA)
    assert configuration["events"]["templates"] == configuration["events"]["pseudodata"]
    assert not any(
        "events" in sample for sample in [configuration["signal"], *configuration["samples"].values()]
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("luminosity: 0.06 fb^-1", "luminosity: 1 pb", 5, "expected a unit of luminosity"),
        ("luminosity: 0.06 fb^-1", "luminosity: -1", 5, "expected more than 0 fb^-1, found -1"),
        (
            "luminosity: 0.06 fb^-1",
            "luminosity: {}",
            5,
            "expected a number in fb^-1, such as '1 fb^-1', found {}",
        ),
        ("luminosity: 0.06 fb^-1", "lumi: 0.06 fb^-1", 5, "unknown key 'lumi' in the configuration; "),
        ("  mass: 2 TeV", "  mas: 2 TeV", 14, "unknown key 'mas' in 'signal'; did you mean 'mass'?"),
        ("  process: zprime", "  process: wprime", 13, "expected one of 'zprime', found \"wprime\""),
        ("  templates: 100", "  templates: many", 10, 'expected a whole number, found "many"'),
        ("multiple_interactions: false", "multiple_interactions: off course", 6, "expected true or false"),
        ("  ttbar: {", "  TTbar: {", 21, "'samples.TTbar': expected a sample's name: lower-case"),
        ("output: results/tiny", "output: ../elsewhere", 2, "expected the folder of all products"),
        ("seed: 1", "seed: 1\nseed: 2", 4, "stands here a second time"),
        ("seed: 1", "seed: !!python/name:os.system", 3, "expected plain values"),
        ("seed: 1", "seed: [1", 4, "expected YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, line: int, words: str, tmp_path: Path) -> None:
    message = refusal(edited(old, new), tmp_path)
    assert f"config.yaml:{line}: " in message
    assert words in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("role: signal", "role: background", "one process with 'role: signal', found none; change"),
        ("control: CR_emu", "control: CR_mue", "no region 'CR_mue'; name one of SR_ee, "),
        ("control: CR_emu", "control: VR_ee", "expected 'fitted: true' of region 'VR_ee', "),
        ("process: ttbar", "process: top", "no process 'top'; name one of diboson, "),
        ("processes: [diboson]", "processes: [wz]", "no process 'wz'; declare it under 'processes', or name"),
        (
            '{type: normalisation, title: "Diboson',
            '{type: luminosity, uncertainty: 0.1, title: "Diboson',
            "at most one systematic of type 'luminosity', found luminosity, diboson_cross_section; keep one",
        ),
        ("edges: [600, 700,", "edges: [700, 600,", "expected rising edges, found [700.0, 600.0, "),
        ("strength_range: [0, 100]", "strength_range: [0, -1]", "found 0 and -1; write [0, 100]"),
        ("test_statistic: qtilde", "test_statistic: q", "for the test statistic 'q', found 0; lower it"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    text = (ANALYSIS / "regions.yaml").read_text("utf-8")
    assert old in text
    file = tmp_path / "regions.yaml"
    file.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(regions.DeclarationError) as caught:
        regions.read(file)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    text = edited("  mass: 2 TeV", "  mas: 2 TeV").replace("parts: 1", "parts: 0")
    message = refusal(text, tmp_path)
    assert "'mas'" in message
    assert "'signal' lacks 'mass'" in message
    assert "'parts': expected at least 1, found 0" in message


def test_what_lacks_many_things_says_so_once(tmp_path: Path) -> None:
    message = refusal("samples: {}\n", tmp_path)
    assert message.count("the configuration lacks 'output', 'seed'") == 1


def test_a_file_that_is_named_must_be_there() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    source = ANALYSIS / "config/tiny.yaml"
    document = yaml.safe_load(source.read_text("utf-8"))
    document["signal"]["hepmc"] = "nowhere.hepmc"
    document["samples"]["ttbar"]["hepmc"] = {"templates": "here.hepmc", "pseudodata": "away.hepmc"}
    with pytest.raises(ConfigurationError) as caught:
        check(document, schema, [source], is_file=lambda name: name == "here.hepmc")
    first, second = str(caught.value).splitlines()
    assert first.startswith("command line: 'signal.hepmc': expected a file, found none at 'nowhere.hepmc'; ")
    assert second.startswith("command line: 'samples.ttbar.hepmc.pseudodata': expected a file")
    document["signal"]["hepmc"] = document["samples"]["ttbar"]["hepmc"]["pseudodata"] = "here.hepmc"
    check(document, schema, [source], is_file=lambda name: name == "here.hepmc")


def test_text_where_a_number_is_wanted_is_taken_as_the_number() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    document = yaml.safe_load((ANALYSIS / "config/tiny.yaml").read_text("utf-8"))
    document["signal"]["coupling"] = "0.5"
    document["multiple_interactions"] = "true"
    configuration = check(document, schema, [])
    assert configuration["signal"]["coupling"] == 0.5
    assert configuration["multiple_interactions"] is True


def test_a_mistake_on_the_command_line_is_not_blamed_on_the_file() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    source = ANALYSIS / "config/tiny.yaml"
    document = yaml.safe_load(source.read_text("utf-8"))
    document["signal"]["mass"] = "3 pb"
    with pytest.raises(ConfigurationError, match=r"^command line: 'signal\.mass'"):
        check(document, schema, [source])


@given(
    value=st.floats(min_value=1e-6, max_value=1e6),
    pair=st.sampled_from(
        [("MeV", "GeV", 1e-3), ("TeV", "GeV", 1e3), ("fb", "pb", 1e-3), ("ab^-1", "fb^-1", 1e3)]
    ),
)
def test_a_quantity_is_converted_to_the_wanted_unit(value: float, pair: tuple[str, str, float]) -> None:
    given_unit, wanted, factor = pair
    assert parse(f"{value!r} {given_unit}", wanted) == pytest.approx(value * factor, rel=1e-12)


@pytest.mark.parametrize("text", ["", "TeV", "1..2 GeV", "1 GeV 2", "0x10 GeV", "nan GeV"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="expected a quantity in GeV"):
        parse(text, "GeV")
