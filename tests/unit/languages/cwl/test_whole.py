"""Which files a workflow that cwltool runs takes along, and which it may not."""

from pathlib import Path

import pytest

from relance.errors import InputError
from relance.languages.cwl.parameters import of_assignments
from relance.languages.cwl.whole import whole

WORKFLOW = """cwlVersion: v1.2
class: Workflow
inputs: {n: int, card: {type: File, default: {class: File, location: data/card.txt}}}
outputs: []
steps:
  one: {run: tools/one.cwl, in: {n: n}, out: []}
  two: {run: '#two', in: {n: n}, out: []}
"""
TOOL = """cwlVersion: v1.2
class: CommandLineTool
requirements:
  InitialWorkDirRequirement: {listing: [{entryname: a, entry: {$include: ../data/a.txt}}]}
baseCommand: 'true'
inputs: {n: int}
outputs: []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tools", "data", "unused"):
        (tmp_path / "top" / name).mkdir(parents=True)
    (tmp_path / "top/w.cwl").write_text(WORKFLOW)
    (tmp_path / "top/tools/one.cwl").write_text(TOOL)
    for name in ("data/card.txt", "data/a.txt", "unused/big.root"):
        (tmp_path / "top" / name).write_text(name)
    (tmp_path / "secret").write_text("mine")
    return tmp_path / "top"


def test_what_a_workflow_refers_to_is_taken_along_and_nothing_else(folder: Path) -> None:
    made = whole(folder, "w.cwl", [of_assignments(["n=1"])])
    assert sorted(made.copies) == ["cwl/data/a.txt", "cwl/data/card.txt", "cwl/tools/one.cwl", "cwl/w.cwl"]
    assert "for program in cwltool;" in made.texts["Snakefile"]


def test_node_is_asked_for_where_there_is_javascript(folder: Path) -> None:
    (folder / "w.cwl").write_text(f"{WORKFLOW}requirements: {{InlineJavascriptRequirement: {{}}}}\n")
    assert "for program in cwltool node;" in whole(folder, "w.cwl", []).texts["Snakefile"]


def test_images_that_the_tools_name_are_known_before_the_run(folder: Path) -> None:
    tool = TOOL.replace("requirements:\n", "requirements:\n  DockerRequirement: {dockerPull: 'a/b:1'}\n")
    (folder / "tools/one.cwl").write_text(tool)
    assert "images=('a/b:1')" in whole(folder, "w.cwl", []).texts["Snakefile"]


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "http://127.0.0.1:9/x.cwl", "missing.cwl", "link"]
)
def test_nothing_is_taken_from_elsewhere(folder: Path, name: str) -> None:
    (folder / "link").symlink_to("../secret")
    for old in ("tools/one.cwl", "data/card.txt"):
        (folder / "w.cwl").write_text(WORKFLOW.replace(old, name))
        with pytest.raises(InputError, match="toplevel"):
            whole(folder, "w.cwl", [])


def test_a_document_in_it_that_is_not_cwl_is_refused(folder: Path) -> None:
    (folder / "tools/one.cwl").write_text(TOOL.replace("baseCommand", "baseComand"))
    with pytest.raises(InputError, match=r"tools/one\.cwl:5: not CWL"):
        whole(folder, "w.cwl", [])
