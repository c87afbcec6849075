from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import digest
from relance.capsule.model import CapsuleFile, Role
from relance.errors import InputError
from relance.model import Stored
from relance.recast import changes
from relance.recast.changes import CaseFiles, Changes, Checked
from relance.specification import reading
from relance.specification.model import Case, Level, Specification

RECASTABLE = Path(__file__).parents[2] / "analyses" / "recastable"
HEPMC = "HepMC::Version 3\nHepMC::Asciiv3-START_EVENT_LISTING\nE 0 0 0\n"


@pytest.fixture(scope="module")
def specification() -> Specification:
    return reading.load(RECASTABLE / "specs" / "recastable.yaml")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.dat"
    path.write_text(HEPMC)
    return path


def checked(specification: Specification, asked: Changes, **configuration: object) -> Checked:
    return changes.checked(specification, asked, configuration, CaseFiles((), Path()))


def test_a_quantity_becomes_a_setting_in_the_unit_of_the_configuration(specification: Specification) -> None:
    found = checked(specification, Changes({"signal.mass": "0.9 TeV", "seed": "3"}))
    assert found.settings == {"signal": {"mass": 900.0}, "seed": 3}
    assert found.parameters == {"signal.mass": 900.0, "seed": 3}


def test_a_file_is_named_by_what_it_is_and_not_by_its_own_name(
    specification: Specification, events: Path
) -> None:
    found = checked(specification, Changes(inputs={"signal": events}))
    assert found.settings == {"signal": {"hepmc": "recast/inputs/signal.hepmc"}}
    given = found.inputs["signal"]
    assert (given.level, given.format, given.digest) == (Level.HEPMC, "hepmc3", digest.of_file(events))
    other = events.rename(events.with_name("ours"))
    assert checked(specification, Changes(inputs={"signal": other})).digest == found.digest
    other.write_text(f"{HEPMC}E 1 0 0\n")
    assert checked(specification, Changes(inputs={"signal": other})).digest != found.digest


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Changes({"signal.mas": 1}), "did you mean 'signal.mass'?"),
        (Changes({"signal.mass": "900 fb"}), "expected a unit of energy"),
        (Changes({"signal.mass": "9 TeV"}), "found 9000 GeV, expected at most 2000 GeV"),
        (Changes({"seed": 1.5}), "expected a whole number"),
        (Changes(inputs={"signal": Path(__file__)}), "expected HepMC3 events in ASCII"),
        (Changes(inputs={"signal": Path("none")}), "No such file"),
        (Changes(case="light"), "case 'light': found 'light', expected one of heavy"),
        (Changes(), "this recast changes nothing"),
    ],
)
def test_what_the_interface_does_not_allow_is_refused(
    specification: Specification, asked: Changes, message: str
) -> None:
    with pytest.raises(InputError) as raised:
        checked(specification, asked)
    assert message in str(raised.value)


def test_a_parameter_beside_a_file_that_decides_it_is_refused(
    specification: Specification, events: Path
) -> None:
    with pytest.raises(InputError, match="found both"):
        checked(specification, Changes({"signal.mass": 900}, {"signal": events}))
    captured = {"signal": {"hepmc": "theirs.hepmc"}}
    with pytest.raises(InputError, match=r"found the file theirs\.hepmc for input 'signal'"):
        checked(specification, Changes({"signal.mass": 900}), **captured)
    assert checked(specification, Changes({"luminosity": 3}), **captured).parameters == {"luminosity": 3.0}


def test_a_case_gives_values_and_what_is_asked_for_goes_before_them(specification: Specification) -> None:
    found = checked(specification, Changes({"luminosity": "3 fb^-1"}, case="heavy"))
    assert found.parameters == {"signal.mass": 900.0, "luminosity": 3.0}
    assert checked(specification, Changes({"signal.mass": 300}, case="heavy")).parameters == {
        "signal.mass": 300.0
    }


def test_a_file_of_a_case_is_looked_at_in_the_capsule_and_stays_where_it_was(
    specification: Specification, tmp_path: Path
) -> None:
    content = digest.of_bytes(HEPMC.encode())
    (tmp_path / content.removeprefix("sha256:")).write_text(HEPMC)
    stored = Stored(content, len(HEPMC))
    files = CaseFiles([CapsuleFile("data/x.hepmc", Role.INPUT, content, len(HEPMC), stored)], tmp_path)
    case = Case("Given", {}, inputs={"signal": "data/x.hepmc"})
    object.__setattr__(specification, "validation", {**specification.validation, "given": case})
    found = changes.checked(specification, Changes(case="given"), {}, files)
    assert found.settings == {"signal": {"hepmc": "data/x.hepmc"}}
    with pytest.raises(InputError, match="a file in the capsule"):
        changes.checked(specification, Changes(case="given"), {}, CaseFiles((), tmp_path))


def test_cases_that_differ_by_their_configuration_alone_are_other_changes(
    specification: Specification,
) -> None:
    cases = {name: Case(name, {}, configuration=f"{name}.yaml") for name in ("one", "other")}
    both = replace(specification, validation=cases)
    found = [checked(both, Changes(case=name)) for name in cases]
    assert [one.settings for one in found] == [{}, {}]
    assert found[0].digest != found[1].digest


def test_changes_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "heavy.yaml"
    path.write_text(
        "format: recast\nversion: 1\nparameters:\n  signal: {mass: 0.9 TeV}\n  seed: 2\n"
        "inputs: {signal: events.hepmc}\n"
    )
    assert changes.load(path) == Changes(
        {"signal.mass": "0.9 TeV", "seed": 2}, {"signal": tmp_path / "events.hepmc"}
    )
    path.write_text("format: recast\nversion: 1\nparameter: {}\n")
    with pytest.raises(InputError, match=r"heavy\.yaml:3"):
        changes.load(path)


names = st.text("abc", min_size=1, max_size=3)


@given(st.recursive(st.integers(), lambda inner: st.dictionaries(names, inner, min_size=1), max_leaves=8))
def test_nested_values_keep_their_place_in_their_names(nested: object) -> None:
    for name, value in changes.flat({"top": nested}).items():
        found = {"top": nested}
        for part in name.split("."):
            found = found[part]
        assert found == value
