"""The configuration of a captured run, given again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.capsules import facts

from relance.model import UNKNOWN, FileDigest
from relance.rerun.configuration import Chosen, of_run

WHOLE = {"signal": {"mass": 2500, "width": 0.03}, "samples": ["a"]}
FILES = tuple(FileDigest(path, "file", UNKNOWN, 1, "content") for path in ("config.yaml", "config/tiny.yaml"))
RUN = replace(facts(), configuration=WHOLE, configuration_files=FILES)


@pytest.mark.parametrize(
    ("command", "chosen"),
    [
        (("--cores", "2"), Chosen(None, {})),
        (("--configfile", "/home/a/analysis/config/tiny.yaml", "-k"), Chosen("config/tiny.yaml", {})),
        (("--configfile=config.yaml",), Chosen("config.yaml", {})),
        (
            ("--configfile", "config/tiny.yaml", "{run}/settings.json", "--cores", "2"),
            Chosen("config/tiny.yaml", WHOLE),
        ),
        (("--configfile", "/elsewhere/own.yaml"), Chosen(None, WHOLE)),
        (("--config", "signal=x"), Chosen(None, WHOLE)),
        (("-C", "signal=x", "--cores", "all"), Chosen(None, WHOLE)),
    ],
)
def test_the_configuration_of_a_run_is_given_again(command: tuple[str, ...], chosen: Chosen) -> None:
    assert of_run(replace(RUN, command=command), {}) == chosen


def test_values_replace_those_of_the_same_place_alone() -> None:
    run = replace(RUN, command=("--config", "x=1"))
    assert of_run(run, {"signal": {"mass": 3000}}).values == {
        "signal": {"mass": 3000, "width": 0.03},
        "samples": ["a"],
    }
    assert WHOLE["signal"] == {"mass": 2500, "width": 0.03}


def test_a_configuration_that_nobody_knows_is_left_to_the_workflow() -> None:
    run = replace(RUN, command=UNKNOWN, configuration=UNKNOWN, configuration_files=UNKNOWN)
    assert of_run(run, {"a": 1}) == Chosen(None, {"a": 1})


@given(st.lists(st.text(max_size=20), max_size=8))
def test_no_command_makes_a_file_outside_of_the_analysis_a_configuration(command: list[str]) -> None:
    known = (*FILES, FileDigest("/etc/passwd", "file", UNKNOWN, 1, "content"))
    chosen = of_run(replace(RUN, command=tuple(command), configuration_files=known), {})
    assert chosen.file in {None, "config.yaml", "config/tiny.yaml"}
