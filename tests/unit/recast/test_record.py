from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.unit.recast.test_comparison import BANDS, FILE, LIMIT

from relance import schema
from relance.errors import InputError
from relance.model import Digest
from relance.recast import conditions, record
from relance.recast.changes import CaseFiles, Changes, checked
from relance.recast.model import Audited, Condition, Job, Recast
from relance.results import Bands, ResultFile, Results
from relance.results.validation import judged
from relance.specification import reading
from relance.specification.model import Visibility

ROOT = Path(__file__).parents[3]
SPECIFICATION = reading.load(ROOT / "tests/analyses/recastable/specs/recastable.yaml")
PARENT = Digest(f"sha256:{'0' * 64}")


def done(folder: Path) -> Recast:
    events = folder / "events.hepmc"
    events.write_text("HepMC::Version 3\nHepMC::Asciiv3-START_EVENT_LISTING\nE 0 0 0\n")
    asked = Changes({"luminosity": "3 ab^-1"}, {"signal": events})
    changes = checked(SPECIFICATION, asked, {}, CaseFiles((), folder))
    (folder / "analysis").mkdir()
    file = ResultFile("w.json", PARENT, 1200)
    found = Results(
        {"limit": LIMIT, "expected": BANDS, "workspace": type(FILE)(**{**vars(FILE), "value": file})}
    )
    return Recast(
        folder=folder,
        analysis=folder / "analysis",
        parent=PARENT,
        name="recastable",
        version="1",
        changes=changes,
        conditions={"luminosity": Condition(3000.0, "fb^-1")},
        captured=None,
        results=found,
        jobs=(Job("fit", "run", "parameter luminosity changed", 1.5), Job("generate", "restore", "known")),
        validation=judged(found, SPECIFICATION.validation["heavy"]),
        audit=(Audited("generate", ()),),
        started=1.0,
        seconds=2.0,
    )


def test_what_is_written_follows_its_schema_and_tells_all(tmp_path: Path) -> None:
    recast = done(tmp_path)
    beginning = record.beginning(PARENT, "recastable", "1", recast.changes, SPECIFICATION.interface)
    validator = Draft202012Validator(schema.bundled("recast-result"))
    record.begin(tmp_path, beginning)
    begun = record.read(tmp_path)
    assert list(validator.iter_errors(begun)) == []
    assert begun["status"] == "unfinished"
    record.finish(recast, beginning)
    found = record.read(tmp_path)
    assert list(validator.iter_errors(found)) == []
    assert found["parent"]["digest"] == PARENT
    assert found["changes"]["parameters"] == {"luminosity": {"value": 3000, "unit": "fb^-1"}}
    assert found["changes"]["inputs"]["signal"]["path"] == "recast/inputs/signal.hepmc"
    assert found["results"]["limit"]["recast"] == 2.5
    assert found["results"]["expected"]["recast"]["plus2sigma"] == 40
    assert found["times"]["jobs"] == {"fit": 1.5}
    assert (recast.analysis / "recast.json").read_bytes() == (tmp_path / "recast.json").read_bytes()


def test_a_hidden_result_is_told_to_be_hidden(tmp_path: Path) -> None:
    recast = done(tmp_path)
    hidden = replace(LIMIT, value=None, hidden=True, visibility=Visibility.BLINDED)
    recast = replace(recast, captured=Results({"limit": hidden}), results=Results({"limit": hidden}))
    beginning = record.beginning(PARENT, "recastable", "1", recast.changes, SPECIFICATION.interface)
    record.finish(recast, beginning)
    told = record.read(tmp_path)["results"]["limit"]
    assert (told["hidden"], told["captured"], told["recast"]) == (True, None, None)


def test_a_capture_of_the_recast_learns_its_parent(tmp_path: Path) -> None:
    recast = done(tmp_path)
    assert record.parent_of(recast.analysis) is None
    record.finish(
        recast, record.beginning(PARENT, "recastable", "1", recast.changes, SPECIFICATION.interface)
    )
    parent = record.parent_of(recast.analysis)
    assert parent is not None
    assert (parent.digest, parent.parameters) == (PARENT, {"luminosity": 3000})
    assert parent.inputs == {"signal": recast.changes.inputs["signal"].digest}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": "recast-result", "version": 2}', "null"])
def test_something_else_of_that_name_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "recast.json").write_text(text)
    with pytest.raises(InputError, match="the record of a recast, version 1"):
        record.read(tmp_path)


def test_the_luminosity_is_told_as_the_configuration_has_it() -> None:
    assert conditions.of(SPECIFICATION, {"luminosity": 10}) == {"luminosity": Condition(10.0, "fb^-1")}
    assert conditions.of(SPECIFICATION, {"luminosity": "0.3 ab^-1"})["luminosity"].value == 300.0
    assert conditions.of(SPECIFICATION, {"luminosity": [1]}) == {}
    assert conditions.of(SPECIFICATION, {}) == {}


def test_bands_without_values_are_written_as_null(tmp_path: Path) -> None:
    assert record.plain(Bands(None, 1.0, 2.0, 3.0, None))["minus2sigma"] is None
