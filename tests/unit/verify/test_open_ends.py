from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule.model import Capsule
from relance.capture import openness
from relance.model import UNKNOWN, RunRecord
from relance.specification import reading
from relance.store.layout import Layout
from relance.verify.reproduction import open_ends

OUTSIDE = b"""
outside:
  - {kind: cvmfs, name: /cvmfs/sft.cern.ch, reason: the compiler, rules: [count]}
  - {kind: conditions-database, name: frontier, reason: alignment}
"""
TOLD = (
    "cvmfs: /cvmfs/sft.cern.ch (rules count): the compiler",
    "conditions-database: frontier: alignment",
)


@pytest.fixture
def capsule(tmp_path: Path) -> Capsule:
    small = capsules.small(Layout(tmp_path / "content"))
    text = capsules.SPECIFICATION + OUTSIDE
    specification = reading.parse(text, Path("specification.yaml"))
    files = tuple(
        replace(file, stored=None, locations=("root://eos.example//a.txt",))
        if file.path == "data/a.txt"
        else file
        for file in small.files
    )
    return replace(small, specification=specification, specification_text=text, files=files)


def test_what_lies_outside_is_named_once_with_the_data_that_are_kept_elsewhere(capsule: Capsule) -> None:
    data = "input data/a.txt, 4 bytes: kept at root://eos.example//a.txt"
    told = replace(capsule, not_closed=TOLD)
    assert open_ends(told) == (*TOLD, data)
    # A capsule that says nothing of it has its specification to say so.
    assert open_ends(capsule) == (TOLD[0].replace(" (rules count)", ""), TOLD[1], data)


def test_a_capture_says_what_its_specification_says_lies_outside(capsule: Capsule) -> None:
    record = RunRecord(replace(capsule.run, read_outside=UNKNOWN), (), (), 0.0, 1.0, ())
    assert tuple(openness.not_closed(record, capsule.specification)) == TOLD
