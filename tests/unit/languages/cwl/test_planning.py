"""Which jobs there are and what each is given, before anything has run."""

from pathlib import Path
from typing import Any

import pytest

from relance.languages.cwl import documents, workflows
from relance.languages.cwl.given import Given
from relance.languages.cwl.support.places import Places
from relance.languages.cwl.support.planning import NotYetError, Planner, name
from relance.languages.model import PlanError

WORKFLOW = """cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}}
inputs: {left: "string[]", right: "string[]", data: File?, wanted: {type: boolean, default: true}}
outputs: {said: {type: Any, outputSource: pair/said}}
steps:
  pair:
    run:
      class: CommandLineTool
      baseCommand: echo
      inputs: {left: string, right: string, data: File?}
      outputs: {said: {type: File, outputBinding: {glob: $(inputs.left).txt}}}
      stdout: $(inputs.left).txt
    scatter: [left, right]
    scatterMethod: dotproduct
    when: $(inputs.wanted)
    in: {left: left, right: right, data: data, wanted: wanted}
    out: [said]
"""


def planner(folder: Path, text: str = WORKFLOW, **values: Any) -> Planner:
    (folder / "w.cwl").write_text(text, "utf-8")
    return Planner(workflows.read(documents.root(folder, "w.cwl"), Given()).workflow, values, Places(folder))


def names(plan: Planner) -> list[str]:
    return [name(path) for path in plan.every(("pair",))]


@pytest.mark.parametrize(
    ("method", "expected"), [("dotproduct", 2), ("flat_crossproduct", 4), ("nested_crossproduct", 4)]
)
def test_a_scatter_has_its_jobs_numbered(tmp_path: Path, method: str, expected: int) -> None:
    plan = planner(tmp_path, WORKFLOW.replace("dotproduct", method), left=["a", "b"], right=["c", "d"])
    assert names(plan) == [f"pair/{number}" for number in range(expected)]
    last = plan.job((("pair", expected - 1),)).call.given
    assert (last["left"], last["right"]) == ("b", "d")


def test_a_nested_crossproduct_gives_lists_of_lists_even_of_nothing(tmp_path: Path) -> None:
    text = WORKFLOW.replace("dotproduct", "nested_crossproduct")
    found = planner(tmp_path, text, left=["a", "b"], right=["c"]).results()["said"]
    assert [[one["basename"] for one in row] for row in found] == [["a.txt"], ["b.txt"]]
    assert planner(tmp_path, text, left=["a", "b"], right=[]).results() == {"said": [[], []]}
    assert planner(tmp_path, text, left=[], right=["c"]).results() == {"said": []}


def test_lists_of_unequal_length_are_refused_with_their_lengths(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="unequal length: 2 of left, 1 of right"):
        planner(tmp_path, left=["a", "b"], right=["c"]).results()


def test_a_tool_without_a_command_is_refused(tmp_path: Path) -> None:
    plan = planner(tmp_path, WORKFLOW.replace("      baseCommand: echo\n", ""), left=["a"], right=["b"])
    with pytest.raises(PlanError, match="a tool has no command"):
        plan.job((("pair", 0),)).call.text()


def test_what_is_skipped_has_no_job_and_leaves_nothing(tmp_path: Path) -> None:
    plan = planner(tmp_path, left=["a"], right=["b"], wanted=False)
    assert names(plan) == []
    assert plan.results() == {"said": [None]}


def test_what_a_job_needs_is_named_by_the_paths_of_given_files_and_of_jobs(tmp_path: Path) -> None:
    for data, expected in (("init/data/x.root", "init/data/x.root"), ("/far/x.root", "/far/x.root")):
        plan = planner(tmp_path, left=["a"], right=["b"], data={"class": "File", "path": data})
        assert plan.needs(plan.job((("pair", 0),))) == ([], [expected])


@pytest.mark.parametrize("written", ["'*.txt'", "[a.txt, b.txt]"])
def test_what_is_known_only_afterwards_waits_for_the_job(tmp_path: Path, written: str) -> None:
    text = WORKFLOW.replace("glob: $(inputs.left).txt", f"glob: {written}")
    plan = planner(tmp_path, text, left=["a"], right=["b"])
    with pytest.raises(NotYetError) as caught:
        plan.results()
    plan.ran.add(caught.value.path)
    with pytest.raises(PlanError, match="is nothing, not File"):
        plan.results()
    (tmp_path / "workdir/pair/0").mkdir(parents=True)
    (tmp_path / "workdir/pair/0/a.txt").write_text("")
    assert [one["basename"] for one in plan.results()["said"]] == ["a.txt"]


def test_a_pattern_in_a_value_is_refused_for_it_is_unknown_which_jobs_must_have_run(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="a pattern must stand in the tool"):
        planner(tmp_path, left=["*"], right=["b"]).results()


@pytest.mark.parametrize("place", ["../x", "/x", "a/../../x"])
def test_nothing_is_looked_for_or_written_outside_of_a_job(tmp_path: Path, place: str) -> None:
    with pytest.raises(PlanError, match="outside of its job"):
        planner(
            tmp_path, WORKFLOW.replace("$(inputs.left).txt}", f"{place}}}"), left=["a"], right=["b"]
        ).results()
    plan = planner(
        tmp_path, WORKFLOW.replace("stdout: $(inputs.left).txt", f"stdout: {place}"), left=["a"], right=["b"]
    )
    with pytest.raises(PlanError, match="only into the job's folder"):
        plan.job((("pair", 0),)).call.text()
