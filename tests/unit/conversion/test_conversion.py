"""What `relance convert` writes for each kind of file, and what it refuses."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from relance.cli import forms
from relance.cli.convert import convert
from relance.conversion import writing
from relance.conversion.model import Converted, Unpacked
from relance.drafting.converted import Known
from relance.errors import InputError
from relance.languages.yadage import workflows as yadage
from relance.specification import reading

STEP = (
    "process: {process_type: string-interpolated-cmd, cmd: 'cat {file} > {out}'}\n"
    "environment: {environment_type: docker-encapsulated, image: mine/tool, imagetag: '1'}\n"
    "publisher: {publisher_type: frompar-pub, outputmap: {out: out}}\n"
)
WORKFLOW = """stages:
- name: fit
  dependencies: [init]
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {file: {step: init, output: signal}, out: '{workdir}/limit.json'}
    step: {$ref: step.yml}
"""
ENTRY = """name: Group/counting
metadata: {author: A. Physicist, short_description: A search}
spec: {workflow: workflow.yml, toplevel: specs}
example_inputs:
  default: {initdata: {signal: a.card, n: 3}, dataopts: {initdir: inputs}}
  other one: {initdata: {signal: b.card, n: 4}, dataopts: {initdir: more}}
tests: [{name: alone, spec: 'step.yml', parameters: {file: x}}]
results: [{name: CLs limit, relpath: fit/limit.json, load_yaml: true}]
"""


def said(specification: Path, *options: str) -> Result:
    return CliRunner().invoke(convert, [str(specification), str(specification.parent / "out"), *options])


def well(specification: Path, *options: str) -> Path:
    done = said(specification, *options)
    assert done.exit_code == 0, done.exception
    return specification.parent / "out"


def wrong(specification: Path, *options: str) -> str:
    done = said(specification, *options)
    assert isinstance(done.exception, InputError), done.output
    assert not (specification.parent / "out").exists()
    return str(done.exception)


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/workflow.yml").write_text(WORKFLOW)
    (tmp_path / "specs/step.yml").write_text(STEP)
    for folder, name in (("inputs", "a.card"), ("more", "b.card")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(f"Main:name = {name}\n")
    (tmp_path / "recast.yml").write_text(ENTRY)
    return tmp_path / "recast.yml"


def test_an_entry_gets_a_specification_and_its_other_examples_become_recasts(entry: Path) -> None:
    out = well(entry)
    specification = reading.load(out / "specs/group_counting.yaml")
    assert specification.identity.title == "A search"
    assert specification.identity.authors[0].name == "A. Physicist"
    assert specification.interface.results["cls_limit"].file == "workdir/fit/limit.json"
    assert specification.interface.parameters["n"].key == "parameters.n"
    assert specification.interface.inputs["signal"].forms[0].key == "parameters.signal"
    case = yaml.safe_load((out / "cases/other_one.yaml").read_text())
    assert case == {"format": "recast", "version": 1, "parameters": {"n": 4}, "inputs": {"signal": "b.card"}}
    assert (out / "cases/b.card").is_file()
    said = specification.validation["other_one"]
    assert (dict(said.parameters), dict(said.inputs)) == ({"n": 4}, {"signal": "cases/b.card"})
    assert dict(said.expected) == {}


@pytest.mark.parametrize(
    ("example", "why"),
    [
        ("signal: b.card, n: many", "'n' is 'many', and 3 in the first"),
        ("signal: c.card, n: 4", "the file 'c.card' of 'signal' isn't beside it"),
        ("signal: b.card", "it doesn't say n"),
        ("signal: b.card, n: 4, more: [1]", "'more' isn't a parameter that can be set"),
    ],
)
def test_an_example_that_cannot_be_run_by_changing_the_interface_is_no_case_and_it_is_told(
    entry: Path, example: str, why: str
) -> None:
    entry.write_text(ENTRY.replace("signal: b.card, n: 4", example))
    done = said(entry)
    assert done.exit_code == 0, done.exception
    assert f"the example 'other one' is no validation case: {why}" in done.output
    assert not reading.load(entry.parent / "out/specs/group_counting.yaml").validation


def test_a_test_of_a_step_becomes_an_analysis_of_its_own_and_one_that_cannot_is_told(entry: Path) -> None:
    entry.write_text(ENTRY.replace("tests: [", "tests: [{name: gone, spec: 'other.yml', parameters: {}}, "))
    done = said(entry)
    assert "the test 'gone' can't be run: other.yml isn't in the toplevel" in done.output
    out = entry.parent / "out"
    assert [path.name for path in (out / "tests").iterdir()] == ["alone"]
    assert reading.load(out / "tests/alone/specs/alone.yaml").identity.name == "alone"
    assert "run it with 'relance run tests/alone'" in (out / "specs/group_counting.yaml").read_text()


def test_a_workflow_alone_tells_what_its_last_stages_publish(entry: Path) -> None:
    specs = entry.parent / "specs"
    out = well(specs / "workflow.yml", "-p", "signal=a.card", "--initdir", str(entry.parent / "inputs"))
    interface = reading.load(out / "specs/out.yaml").interface
    assert {one.file for one in interface.results.values()} == {"workdir/fit/limit.json"}
    assert set(interface.inputs) == {"signal"}


def test_what_says_how_reana_runs_a_step_is_told_and_is_nothing_from_outside(entry: Path) -> None:
    step = entry.parent / "specs/step.yml"
    resources = "'1', resources: [{compute_backend: slurmcern}, {kerberos: true}]"
    step.write_text(step.read_text().replace("'1'", resources))
    done = said(entry)
    assert "compute_backend: slurmcern says how REANA runs the step; it has no effect here" in done.output
    outside = reading.load(next((entry.parent / "out/specs").glob("*.yaml"))).outside
    assert [one.name for one in outside] == ["kerberos: True"]


def test_what_tells_which_jobs_there_are_is_kept(entry: Path) -> None:
    step = entry.parent / "specs/step.yml"
    step.write_text(
        STEP.replace(
            "frompar-pub, outputmap: {out: out}", "fromglob-pub, globexpression: '*', outputkey: out"
        )
    )
    specification = well(entry) / "specs/group_counting.yaml"
    assert [one.path for one in reading.load(specification).products.keep] == ["published/**"]
    assert '# - path: "workdir/fit/**"  # made by rule fit' in specification.read_text()


@pytest.mark.parametrize(
    ("match", "inside"), [(None, "top/a.card"), ("top/", "a.card"), ("t*/", "a.card"), ("*p/", "a.card")]
)
def test_an_archive_beside_the_entry_is_unpacked(entry: Path, match: str | None, inside: str) -> None:
    with zipfile.ZipFile(entry.parent / "given.zip", "w") as archive:
        archive.writestr("top/a.card", "Main:name = a\n")
    options = f"inputarchive: given.zip, archivematch: '{match}'" if match else "inputarchive: given.zip"
    entry.write_text(ENTRY.replace("initdir: inputs", options))
    assert (well(entry) / "init" / inside).read_text() == "Main:name = a\n"


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_an_archive_with_paths_that_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, "x")
    made = Converted("w", {}, Known("w", "w"), archives=(Unpacked(tmp_path / "a.zip", "init"),))
    with pytest.raises(InputError, match=r"the archive a\.zip can't be unpacked"):
        writing.write(made, tmp_path / "folder/out")
    assert not list((tmp_path / "folder").iterdir())


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    made = Converted("w", {}, Known("w", "w"), archives=(Unpacked(tmp_path / "a.zip", "init"),))
    with pytest.raises(InputError, match="the entry 'link'"):
        writing.write(made, tmp_path / "out")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("initdir: inputs", "inputarchive: gone.zip", "inputarchive 'gone.zip' can't be used"),
        ("initdir: inputs", "inputarchive: ../x.zip", "inputarchive '../x.zip' can't be used"),
        ("initdir: inputs", "inputarchive: recast.yml", "recast.yml can't be unpacked"),
        ("initdir: inputs", "subinits: {a: b}", "recast.yml:5: dataopts has the key 'subinits'"),
        ("initdir: inputs", "initdir: ..", "initdir '..' can't be used"),
    ],
)
def test_what_an_entry_can_not_have_is_refused(entry: Path, old: str, new: str, message: str) -> None:
    entry.write_text(ENTRY.replace(old, new))
    assert message in wrong(entry)


SERIAL = """inputs:
  files: [code.sh]
  directories: [data]
  parameters: {n: 3, card: data/a.card}
workflow:
  type: serial
  specification:
    steps:
    - {name: fit, environment: 'mine/tool:1', commands: ['bash code.sh ${n} > out.json']}
outputs: {files: [out.json]}
"""


@pytest.fixture
def workspace(entry: Path) -> Path:
    folder = entry.parent
    (folder / "code.sh").write_text("echo $1\n")
    (folder / "data").mkdir()
    (folder / "data/a.card").write_text("Main:name = a\n")
    (folder / "data/b.tmp").write_text("")
    (folder / ".gitignore").write_text("*.tmp\n")
    return folder / "reana.yaml"


def test_serial_steps_find_the_workspace_and_their_outputs_are_the_results(workspace: Path) -> None:
    workspace.write_text(SERIAL.replace("n: 3,", "n: 3, other: recast.yml,"))
    out = well(workspace, "-p", "n=4")
    assert sorted(path.name for path in (out / "init").rglob("*") if path.is_file()) == ["a.card", "code.sh"]
    assert yaml.safe_load((out / "config.yaml").read_text())["parameters"]["n"] == 4
    specification = reading.load(out / "specs/out.yaml")
    assert specification.interface.results["out"].file == "outputs/out.json"
    assert specification.interface.inputs["card"].forms[0].key == "parameters.card"
    assert set(specification.interface.inputs) == {"card"}, "recast.yml lies there, and isn't sent"


def test_what_serial_steps_fetch_is_declared_with_the_rules_that_do(workspace: Path) -> None:
    text = SERIAL.replace("{n: 3,", "{n: 3, far: 'https://example.org/a',")
    step = "    - {name: fetch, environment: 'mine/tool:1', commands: ['get $far', 'voms-proxy-info']}\n"
    workspace.write_text(text.replace("outputs:", f"{step}outputs:"))
    outside = reading.load(well(workspace) / "specs/out.yaml").outside
    assert {(one.kind, one.rules) for one in outside} == {("network", ("fetch",)), ("voms", ("fetch",))}


def test_files_of_the_workflow_and_its_parameters_are_taken_along(workspace: Path) -> None:
    folder = workspace.parent
    (folder / "Snakefile").write_text("rule all:\n    input: []\n")
    (folder / "base.yaml").write_text("a: 1\nb: 2\n")
    workspace.write_text(
        "inputs: {parameters: {b: 3, input: x}}\n"
        "workflow: {type: snakemake, file: Snakefile, files: [code.sh], parameters: {file: base.yaml}}\n"
    )
    out = well(workspace)
    assert (out / "code.sh").is_file()
    assert yaml.safe_load((out / "config/reana.yaml").read_text()) == {"a": 1, "b": 3, "input": "x"}


def test_a_folder_among_the_files_is_taken_for_one(workspace: Path) -> None:
    workspace.write_text(SERIAL.replace("[code.sh]", "[code.sh, data/]").replace("[data]", "[]"))
    assert (well(workspace) / "init/data/a.card").is_file()


def test_a_serial_workflow_in_a_file_of_its_own_is_read(workspace: Path) -> None:
    content = yaml.safe_load(SERIAL)
    (workspace.parent / "steps.yaml").write_text(yaml.safe_dump(content["workflow"].pop("specification")))
    content["workflow"]["file"] = "steps.yaml"
    workspace.write_text(yaml.safe_dump(content))
    assert "# steps.yaml:" in (well(workspace) / "Snakefile").read_text()


def test_yadage_on_reana_finds_the_workspace_where_initdir_says(workspace: Path) -> None:
    (workspace.parent / "more.yml").write_text("n: 1\nm: 2\n")
    workspace.write_text(
        "inputs:\n  directories: [inputs]\n  parameters: {signal: a.card, n: 3}\n"
        "  options: {initdir: inputs, toplevel: specs, initfiles: [more.yml]}\n"
        "workflow: {type: yadage, file: workflow.yml}\noutputs: {directories: [fit]}\n"
    )
    out = well(workspace)
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["inputs"] == "init/inputs"
    assert config["parameters"] == {"n": 3, "m": 2, "signal": "a.card"}
    assert (out / "init/inputs/a.card").is_file()
    specification = reading.load(out / "specs/out.yaml")
    assert specification.products.keep[0].path == "workdir/fit/**"
    assert set(specification.interface.inputs) == {"signal"}


def test_a_toplevel_elsewhere_is_refused(workspace: Path) -> None:
    workspace.write_text(
        "inputs: {options: {toplevel: 'github:a/b@master'}}\nworkflow: {type: yadage, file: workflow.yml}\n"
    )
    assert "found 'github:a/b@master'" in wrong(workspace)


def test_snakemake_on_reana_is_taken_as_it_is_with_reanas_parameters(workspace: Path) -> None:
    folder = workspace.parent
    (folder / "flow").mkdir()
    (folder / "flow/main.smk").write_text("rule all:\n    input: []\n")
    (folder / "base.yaml").write_text("a: {b: 1, c: 2}\nd: 3\n")
    workspace.write_text(
        "inputs:\n  files: [code.sh]\n  parameters: {input: base.yaml, a: {c: 4}}\n"
        "workflow: {type: snakemake, file: flow/main.smk}\noutputs: {files: [out/x.json]}\n"
    )
    done = said(workspace)
    assert done.exit_code == 0, done.exception
    assert "out --config reana'" in done.output
    out = folder / "out"
    assert yaml.safe_load((out / "config/reana.yaml").read_text()) == {"a": {"b": 1, "c": 4}, "d": 3}
    assert "include: 'flow/main.smk'" in (out / "Snakefile").read_text()
    assert (out / "flow/main.smk").read_text() == (folder / "flow/main.smk").read_text()
    interface = reading.load(out / "specs/out.yaml").interface
    assert {one.key for one in interface.parameters.values()} == {"a.b", "a.c", "d"}
    assert interface.results["x"].file == "out/x.json"


def test_a_specification_that_an_analysis_brings_is_kept(workspace: Path) -> None:
    folder = workspace.parent
    (folder / "Snakefile").write_text("rule all:\n    input: []\n")
    (folder / "specs/mine.yaml").write_text("format: analysis-specification\n")
    workspace.write_text(
        "inputs: {files: [Snakefile], directories: [specs]}\nworkflow: {type: snakemake, file: Snakefile}\n"
    )
    out = well(workspace)
    assert sorted(path.name for path in (out / "specs").iterdir()) == [
        "mine.yaml",
        "step.yml",
        "workflow.yml",
    ]


@pytest.mark.parametrize(
    ("old", "new", "options", "message"),
    [
        ("[code.sh]", "[gone.sh]", (), "the input 'gone.sh': found none, expected a file beside it"),
        ("[data]", "[gone]", (), "the input 'gone': found none, expected a folder beside it"),
        ("[code.sh]", "[link]", (), "a link that leads out of it"),
        ("[code.sh]", "[code.sh]", ("--example", "x"), "--example: found it together with a reana.yaml"),
        ("[code.sh]", "[code.sh]", ("--initdir", "."), "--initdir: found it together with a reana.yaml"),
    ],
)
def test_what_a_workspace_can_not_have_is_refused(
    workspace: Path, old: str, new: str, options: tuple[str, ...], message: str
) -> None:
    (workspace.parent / "link").symlink_to("/etc/hostname")
    workspace.write_text(SERIAL.replace(old, new))
    assert message in wrong(workspace, *options)


def test_what_is_called_reana_yaml_is_refused_as_one(tmp_path: Path) -> None:
    (tmp_path / "reana.yaml").write_text("workflow: yadage\nyadage_file: w.yml\n")
    assert wrong(tmp_path / "reana.yaml").startswith("reana.yaml:1: not a mapping: found 'yadage'")


def test_the_workflow_of_an_entry_is_written_expanded(entry: Path) -> None:
    out = entry.parent / "expanded"
    forms.expand(entry, "yadage", None, out)
    read = yadage.read(out, "workflow.yml").workflow
    assert read.stages == tuple(
        replace(stage, origin=read.stages[0].origin, cases=read.stages[0].cases)
        for stage in yadage.read(entry.parent / "specs", "workflow.yml").workflow.stages
    )
