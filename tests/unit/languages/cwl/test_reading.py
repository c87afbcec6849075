"""What is read of the Common Workflow Language, and what is refused by file and line."""

import sys
from pathlib import Path
from typing import Any

import pytest

from relance.errors import InputError, MissingPartError
from relance.languages.cwl import compiling, documents, parameters, workflows
from relance.languages.cwl.given import Given
from relance.languages.cwl.limits import UnsupportedError
from relance.languages.cwl.model import (
    Array,
    Enum,
    Member,
    Plain,
    Record,
    Secondary,
    Staged,
    Tool,
    Union,
)
from relance.languages.cwl.workflows import Reading

TOOL = """cwlVersion: v1.2
class: CommandLineTool
baseCommand: echo
inputs:
  text: string
outputs:
  said: stdout
"""
WORKFLOW = """cwlVersion: v1.2
class: Workflow
inputs:
  text: string
outputs:
  said: {type: File, outputSource: say/said}
steps:
  say:
    run: tool.cwl
    in: {text: text}
    out: [said]
"""


def read(folder: Path, text: str, name: str = "w.cwl") -> Reading:
    (folder / name).write_text(text, "utf-8")
    return workflows.read(documents.root(folder, name), Given())


def tool(folder: Path, text: str) -> Tool:
    runs = read(folder, text).workflow.steps[0].runs
    assert isinstance(runs, Tool)
    return runs


def test_a_tool_alone_is_a_workflow_of_one_step(tmp_path: Path) -> None:
    workflow = read(tmp_path, TOOL).workflow
    assert [step.name for step in workflow.steps] == ["w"]
    assert [result.link.sources for result in workflow.results] == [("w/said",)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("string", Plain("string")),
        ("'File[]?'", Union((Plain("null"), Array(Plain("File"))))),
        ("['null', int]", Union((Plain("null"), Plain("int")))),
        ("{type: enum, symbols: [a, b]}", Enum(("a", "b"))),
        ("{type: array, items: {type: array, items: int}}", Array(Array(Plain("int")))),
    ],
)
def test_types_are_read_however_they_are_written(tmp_path: Path, written: str, expected: Any) -> None:
    found = tool(tmp_path, TOOL.replace("text: string", f"text: {{type: {written}}}"))
    assert found.inputs[0].type == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../types.yml", r"w\.cwl:6: '../types.yml' can't be read: found none, .* with --toplevel"),
        ("http://127.0.0.1:9/t.yml", r"w\.cwl:6: 'http://127.0.0.1:9/t.yml' .* nothing is fetched"),
    ],
)
def test_types_in_a_file_that_may_not_be_read_are_refused_by_its_name(
    tmp_path: Path, name: str, reason: str
) -> None:
    text = f"requirements:\n  SchemaDefRequirement: {{types: [\n    {{$import: '{name}'}}]}}\ninputs:"
    with pytest.raises(InputError, match=reason):
        read(tmp_path, TOOL.replace("inputs:", text))


NAMED = """  SchemaDefRequirement:
    types:
      - {name: mass, type: enum, symbols: [light, heavy]}
      - {name: point, type: record, fields: {mass: mass}}
      - {name: self, type: array, items: self}
"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("'#mass'", Enum(("light", "heavy"))),
        ("'#mass[]?'", Union((Plain("null"), Array(Enum(("light", "heavy")))))),
        ("point", Record((Member("mass", Enum(("light", "heavy"))),))),
    ],
)
def test_types_have_names(tmp_path: Path, written: str, expected: Any) -> None:
    text = TOOL.replace("inputs:", f"requirements:\n{NAMED}inputs:").replace(
        "string", f"{{type: {written}}}", 1
    )
    assert tool(tmp_path, text).inputs[0].type == expected


def test_a_type_of_a_packed_document_is_found_by_its_identifier(tmp_path: Path) -> None:
    packed = """cwlVersion: v1.2
$graph:
- id: other
  class: CommandLineTool
  baseCommand: echo
  requirements: [{class: SchemaDefRequirement, types: [{name: '#t.yml/kind', type: enum, symbols: [a]}]}]
  inputs: []
  outputs: []
- id: main
  class: CommandLineTool
  baseCommand: echo
  requirements: [{class: SchemaDefRequirement, types: [{$import: '#t.yml/kind'}]}]
  inputs: [{id: text, type: '#t.yml/kind'}]
  outputs: []
"""
    assert tool(tmp_path, packed).inputs[0].type == Enum(("a",))


def test_a_type_within_itself_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    text = TOOL.replace("inputs:", f"requirements:\n{NAMED}inputs:").replace("string", "'#self'", 1)
    with pytest.raises(UnsupportedError, match=r"w\.cwl:9: a type isn't supported: found 'self'"):
        read(tmp_path, text)
    with pytest.raises(UnsupportedError, match=r"w\.cwl:9: two types are called 'mass'"):
        read(tmp_path, text.replace("name: self", "name: 'other#mass'"))


def test_files_beside_files_are_required_of_inputs_only(tmp_path: Path) -> None:
    text = TOOL.replace("text: string", "data: {type: File, secondaryFiles: [.idx, '^.log?']}")
    text = text.replace(
        "said: stdout", "said: {type: File, secondaryFiles: [.idx], outputBinding: {glob: x}}"
    )
    found = tool(tmp_path, text)
    assert found.inputs[0].secondary == (Secondary(".idx", True), Secondary("^.log", False))
    assert found.outputs[0].secondary == (Secondary(".idx", False),)


def test_a_tool_needs_what_the_workflow_around_it_needs_unless_it_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "tool.cwl").write_text(f"{TOOL}hints: {{DockerRequirement: {{dockerPull: 'inner:1'}}}}\n")
    around = (
        "requirements: {DockerRequirement: {dockerPull: 'outer:1'}, ResourceRequirement: {coresMin: 4}}\n"
    )
    runs = read(tmp_path, WORKFLOW + around).workflow.steps[0].runs
    assert isinstance(runs, Tool)
    assert (runs.image, runs.resources.cores) == ("outer:1", 4)  # a requirement goes before a hint


def test_hints_that_are_not_heeded_are_told_with_their_lines(tmp_path: Path) -> None:
    text = f"{TOOL}hints:\n  reana: {{kerberos: true}}\n  SoftwareRequirement: {{packages: {{root: {{}}}}}}\n"
    assert [where for where, _ in read(tmp_path, text).notes] == ["w.cwl:9", "w.cwl:10"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("baseCommand: echo", "arguments: ['$(inputs.text + 1)']", "w.cwl:3: JavaScript can't be compiled"),
        ("baseCommand: echo", "arguments:\n  - {position: '${return 1;}'}", "w.cwl:4: JavaScript"),
        ("said: stdout", "said: {type: File, outputBinding: {glob: '${return 1}'}}", "w.cwl:7: JavaScript"),
        (
            "text: string",
            "text: File\n  other: {type: File, secondaryFiles: ['$(self.x)']}",
            "w.cwl:6: a file beside",
        ),
        (
            "inputs:",
            "requirements: {InplaceUpdateRequirement: {inplaceUpdate: true}}\ninputs:",
            "w.cwl:4: the requir",
        ),
        ("inputs:", "requirements: {DockerRequirement: {dockerFile: FROM x}}\ninputs:", "'dockerFile'"),
        ("baseCommand: echo", "arguments: ['$(inputs.text.size)']", "w.cwl:3: a reference can't be compiled"),
    ],
)
def test_what_cannot_be_compiled_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read(tmp_path, TOOL.replace(old, new))
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("class: CommandLineTool", "class: CommandLineTool\nbaseComand: x", "not CWL: found invalid field"),
        (
            "cwlVersion: v1.2",
            "cwlVersion: draft-3",
            "w.cwl:1: the version of CWL can't be read: found 'draft-3'",
        ),
        ("class: CommandLineTool", "$graph: {}", "not CWL: found Tool file contains graph"),
        ("  text: string", "  text: {type: string", "not YAML"),
        ("  text: string", "  text: &a [*a]", "w.cwl:5"),
        ("  text: string", "  text: !!python/object:os.x {}", "w.cwl"),
    ],
)
def test_what_is_not_cwl_is_refused_with_its_line(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, TOOL.replace(old, new))
    assert not isinstance(caught.value, UnsupportedError)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("say/said", "say/sad", "w.cwl:6: nothing is called 'say/sad'"),
        ("{text: text}", "{text: word}", "w.cwl:10: nothing is called 'word', which the step 'say' takes"),
        ("out: [said]", "out: [sad]", "w.cwl:11: the step 'say' has no output 'sad'"),
        ("run: tool.cwl", "run: ../tool.cwl", "w.cwl:9: a reference leads nowhere"),
        (
            "run: tool.cwl",
            "run: http://127.0.0.1:9/tool.cwl",
            "w.cwl:9: a reference leads out of the toplevel",
        ),
        ("run: tool.cwl", "run: w.cwl", "references go in a circle"),
        ("{text: text}", "{text: say/said}", "w.cwl:8: steps wait for each other: found say → say"),
        ("out: [said]", "out: [said]\n    scatter: word", "the step 'say' has no input 'word'"),
    ],
)
def test_links_that_lead_nowhere_are_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    (tmp_path / "tool.cwl").write_text(TOOL)
    with pytest.raises(InputError) as caught:
        read(tmp_path, WORKFLOW.replace(old, new))
    assert reason in str(caught.value)


def test_a_default_that_is_not_there_is_none(tmp_path: Path) -> None:
    text = TOOL.replace(
        "text: string", "data: {type: File, default: {class: File, location: file:///nobody/x}}"
    )
    assert tool(tmp_path, text).inputs[0].default is None


def test_the_library_that_reads_the_language_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "schema_salad.utils", None)
    with pytest.raises(MissingPartError, match=r"pip install 'relance\[cwl\]'"):
        read(tmp_path, TOOL)


def test_an_input_that_is_the_standard_input_is_read_from_there(tmp_path: Path) -> None:
    found = tool(tmp_path, TOOL.replace("  text: string", "  a b: stdin"))
    assert found.stdin == "$(inputs['a b'].path)"
    assert found.inputs[0].type == Plain("File")


def test_a_text_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "card.txt").write_text("n = $(inputs.text)\n")
    listing = (
        "requirements: {InitialWorkDirRequirement: {listing: [{entryname: a, entry: {$include: FILE}}]}}\n"
    )
    assert tool(tmp_path, TOOL + listing.replace("FILE", "card.txt")).staged == (
        Staged("n = $(inputs.text)\n", "a"),
    )
    with pytest.raises(InputError):
        tool(tmp_path, TOOL + listing.replace("FILE", "../card.txt"))


@pytest.mark.parametrize("path", ["../secret", "/etc/hostname", "link"])
def test_a_default_is_a_file_of_the_specification_only(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("mine")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link").symlink_to("../secret")
    text = TOOL.replace("text: string", f"data: {{type: File, default: {{class: File, location: {path}}}}}")
    with pytest.raises(InputError, match="--toplevel"):
        read(inner, text)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "'text' of the workflow is nothing, not string"),
        ({"text": 5}, "'text' of the workflow is 5, not string"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, values: dict[str, Any], reason: str
) -> None:
    (tmp_path / "w.cwl").write_text(TOOL)
    said = parameters.Parameters(values, (tmp_path,), "here")
    with pytest.raises(InputError) as caught:
        compiling.compiled(tmp_path, "w.cwl", [said])
    assert reason in str(caught.value)


def test_a_value_whose_class_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.cwl").write_text(TOOL)
    given = parameters.of_assignments(["text={class: {}}"])
    with pytest.raises(InputError, match="'text' of the workflow is"):
        compiling.compiled(tmp_path, "w.cwl", [given])


def test_a_parameter_of_no_input_is_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "w.cwl").write_text(TOOL)
    made = compiling.compiled(tmp_path, "w.cwl", [parameters.of_assignments(["text=x", "txet=y"])])
    assert made.notes == (("--parameter", "there is no input 'txet'; left out"),)


def test_a_workflow_without_steps_hands_on_what_it_is_given(tmp_path: Path) -> None:
    lines = ["cwlVersion: v1.2", "class: Workflow", "inputs: {n: int}", "steps: []"]
    (tmp_path / "w.cwl").write_text("\n".join([*lines, "outputs: {n: {type: int, outputSource: n}}", ""]))
    made = compiling.compiled(tmp_path, "w.cwl", [parameters.of_assignments(["n=1"])])
    assert "rule outputs:" in made.texts["Snakefile"]


def test_compiling_twice_gives_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "w.cwl").write_text(TOOL)
    said = [parameters.of_assignments(["text=x"])]
    assert compiling.compiled(tmp_path, "w.cwl", said) == compiling.compiled(tmp_path, "w.cwl", said)


def test_one_of_several_processes_is_taken_by_its_name(tmp_path: Path) -> None:
    inner = TOOL.replace("cwlVersion: v1.2\n", "").replace("\n", "\n  ").rstrip()
    (tmp_path / "p.cwl").write_text(
        f"cwlVersion: v1.2\n$graph:\n- id: one\n  {inner}\n- id: two\n  {inner}\n"
    )
    assert workflows.read(documents.root(tmp_path, "p.cwl", "two"), Given()).workflow.steps[0].name == "two"
    with pytest.raises(InputError, match="there is no process 'main'"):
        documents.root(tmp_path, "p.cwl")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#!/usr/bin/env cwl-runner\n\ncwlVersion: v1.0\n", True),
        ('{"cwlVersion": "v1.2"}', True),
        ("class: CommandLineTool\nbaseCommand: ls\n", True),
        ("stages: []\n", False),
    ],
)
def test_a_file_of_the_language_is_known_by_a_line(tmp_path: Path, text: str, expected: bool) -> None:
    (tmp_path / "x").write_text(text)
    assert documents.is_cwl(tmp_path / "x") == expected
