"""REANA's serial steps and reana.yaml: read as REANA reads them, refused by line where they can't be."""

from pathlib import Path
from string import Template

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.errors import InputError
from relance.languages import reana, serial
from relance.languages.model import Commands, Container, PlanError, Workflow
from relance.languages.serial import Between
from relance.languages.support import interpolation
from relance.languages.workspaces import Taken

REANA = """version: 0.9.0
inputs:
  files: [code/a.py]
  directories: [./data/]
  parameters: {events: 10, ratio: 2.0, flag: yes}
workflow:
  type: serial
  resources: {cvmfs: [atlas.cern.ch], kerberos: true}
  specification:
    steps:
    - name: generate
      environment: 'docker.io/group/tool:1.0'
      compute_backend: kubernetes
      kubernetes_memory_limit: 4Gi
      commands:
      - python code/a.py ${events}
      - echo $ratio $$HOME $flag
    - environment: group/tool
      voms_proxy: true
      commands: [ls]
    - name: generate
      environment: group/tool@sha256:00
      colour: red
      commands: [ls]
outputs:
  files: [out/a.root, out/plots/b.png]
  directories: [out/plots]
"""


WHOLE = Between()


def read(folder: Path, text: str = REANA, between: Between = WHOLE) -> tuple[Workflow, list[str]]:
    (folder / "reana.yaml").write_text(text)
    found = reana.read(folder / "reana.yaml")
    part = found.workflow.need("specification", "a workflow")
    workflow, notes = serial.read(part, found.parameters, found.needs, between)
    return workflow, [f"{note.where}: {note.text}" for note in notes]


def process(workflow: Workflow, at: int) -> Commands:
    step = workflow.stages[at].cases[0].step
    assert step is not None
    assert isinstance(step.process, Commands)
    return step.process


def image(workflow: Workflow, at: int) -> Container:
    step = workflow.stages[at].cases[0].step
    assert step is not None
    assert isinstance(step.environment, Container)
    return step.environment


def test_each_step_begins_in_what_the_one_before_left(tmp_path: Path) -> None:
    workflow, notes = read(tmp_path)
    assert [stage.name for stage in workflow.stages] == ["generate", "step_2", "generate_2"]
    assert [process(workflow, at).after for at in range(3)] == [None, "generate", "step_2"]
    assert process(workflow, 0).texts == ("python code/a.py ${events}", "echo $ratio $$HOME $flag")
    assert [image(workflow, at).reference for at in range(3)] == [
        "docker.io/group/tool:1.0",
        "group/tool:latest",
        "group/tool@sha256:00",
    ]
    assert image(workflow, 0).resources == ("CVMFS (atlas.cern.ch)", "KRB5Auth")
    assert image(workflow, 1).resources == ("CVMFS (atlas.cern.ch)", "KRB5Auth", "GRIDProxy")
    assert workflow.stages[1].origin.line == 18
    assert notes == [
        "reana.yaml:14: kubernetes_memory_limit says how REANA runs the step; it has no effect here",
        "reana.yaml:23: REANA doesn't know the key 'colour' of a step; it has no effect",
    ]


def test_only_the_steps_that_are_asked_for_are_read(tmp_path: Path) -> None:
    text = REANA.replace(
        "    - environment: group/tool\n", "    - name: middle\n      environment: group/tool\n"
    )
    for between, names in (
        (Between("middle"), ["middle", "generate"]),
        (Between(None, "middle"), ["generate", "middle"]),
    ):
        workflow, _ = read(tmp_path, text, between)
        assert [stage.name for stage in workflow.stages] == names
        assert process(workflow, 0).after is None
    with pytest.raises(InputError, match="no step has the name that is asked for: found 'fit'"):
        read(tmp_path, text, Between("fit"))


def test_a_command_is_filled_in_as_reana_fills_it_in() -> None:
    parameters = {"events": 10, "ratio": 2.0, "flag": True, "list": ["a"]}
    text = "a ${events}b $ratio $flag $list $$HOME"
    assert interpolation.substitute(text, parameters) == "a 10b 2.0 True ['a'] $HOME"
    for wrong in ("$HOME", "$(ls)", "${a b}", "cost $"):
        with pytest.raises(PlanError, match="a dollar itself is written"):
            interpolation.substitute(wrong, parameters)


@given(st.text(st.sampled_from("$a{}_ b"), max_size=12))
def test_what_is_filled_in_is_what_python_fills_in(text: str) -> None:
    try:
        expected = Template(text).substitute({"a": 1, "b": "x"})
    except (KeyError, ValueError):
        with pytest.raises(PlanError):
            interpolation.substitute(text, {"a": 1, "b": "x"})
    else:
        assert interpolation.substitute(text, {"a": 1, "b": "x"}) == expected


REFUSED = {
    "${events}": ("${event}", "reana.yaml:16: a command can't be used: 'python code/a.py ${event}'"),
    "$$HOME": ("$(ls)", "reana.yaml:17: a command can't be used"),
    "group/tool@sha256:00": ("'; rm -rf /'", "reana.yaml:22: an image's name can't be used"),
    "commands: [ls]\n    - name": ("commands: []\n    - name", "reana.yaml:20: a step has no commands"),
    "environment: group/tool\n": ("image: group/tool\n", "reana.yaml:18: a step has no 'environment'"),
    "type: serial": ("type: serious", "reana.yaml:7: the workflow's type: found 'serious'"),
    "code/a.py]": ("../a.py]", "reana.yaml:3: a path can't be used"),
    "[out/plots]": ("[/out]", "reana.yaml:27: a path can't be used"),
    "  specification:": ("  specificatio:", "reana.yaml:6: the workflow isn't there"),
    "  parameters: {": ("  options: {toplevel: a}\n  parameters: {", "reana.yaml:5: options has the key"),
}


@pytest.mark.parametrize("old", REFUSED)
def test_what_can_not_be_used_is_refused_by_line(old: str, tmp_path: Path) -> None:
    new, message = REFUSED[old]
    assert old in REANA
    with pytest.raises(InputError) as error:
        read(tmp_path, REANA.replace(old, new))
    assert message in str(error.value)


def test_files_parameters_and_outputs_are_read_as_reana_has_them(tmp_path: Path) -> None:
    (tmp_path / "reana.yaml").write_text(REANA)
    found = reana.read(tmp_path / "reana.yaml")
    assert found.inputs == Taken(("code/a.py",), ("data",))
    assert found.outputs.apart == Taken(("out/a.root",), ("out/plots",))
    assert found.parameters == {"events": 10, "ratio": 2.0, "flag": True}


@pytest.mark.parametrize("name", ["out/*.root", "${events}"])
def test_what_names_no_file_among_the_outputs_is_noted(tmp_path: Path, name: str) -> None:
    (tmp_path / "reana.yaml").write_text(REANA.replace("out/a.root,", f"'{name}',"))
    found = reana.read(tmp_path / "reana.yaml")
    assert found.outputs.files == ("out/plots/b.png",)
    assert f"reana.yaml:26: {name!r} is no file's name, so no result here" in [
        f"{note.where}: {note.text}" for note in found.notes
    ]
