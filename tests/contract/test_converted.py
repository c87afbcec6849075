"""Workflows of other languages, converted: run, captured, verified and recast like any analysis."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.container

ENTRY = """name: group/counting
metadata: {author: A. Physicist, short_description: A search}
spec: {workflow: workflow.yml, toplevel: specs}
example_inputs:
  default: {initdata: {signal: events.card, factor: 2, cut: 1.5}, dataopts: {initdir: inputs}}
  stronger: {initdata: {signal: more.card, factor: 4, cut: 1.5}, dataopts: {initdir: inputs}}
results: [{name: limit, relpath: fit/limit.json, load_yaml: true}]
tests:
- name: splitting
  description: One part for each line
  spec: 'steps.yml#/split'
  parameters: {file: '{readdir0}/more.card', folder: '{workdir}'}
  data: [inputs]
"""
WORKFLOW = """stages:
- name: split
  dependencies: [init]
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {file: {step: init, output: signal}, folder: '{workdir}'}
    step: {$ref: 'steps.yml#/split'}
- name: each
  dependencies: [split]
  scheduler:
    scheduler_type: multistep-stage
    parameters:
      part: {stages: split, output: parts, flatten: true}
      factor: {step: init, output: factor}
      out: '{workdir}/scaled.txt'
    scatter: {method: zip, parameters: [part]}
    step: {$ref: 'steps.yml#/scale'}
- name: background
  dependencies: [init]
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {cut: {step: init, output: cut}, out: '{workdir}/background.txt'}
    step: {$ref: 'steps.yml#/background'}
- name: fit
  dependencies: [each, background]
  scheduler:
    scheduler_type: singlestep-stage
    parameters:
      signal: {stages: each, output: out}
      background: {step: background, output: out}
      limit: '{workdir}/limit.json'
    step: {$ref: 'steps.yml#/fit'}
"""
STEPS = """split:
  process:
    process_type: string-interpolated-cmd
    cmd: 'while read -r name is n; do echo $n > {folder}/part-${{name#*:}}.txt; done < {file}'
  environment: &tool {environment_type: docker-encapsulated, image: mine/tool, imagetag: '1'}
  publisher: {publisher_type: fromglob-pub, globexpression: 'part-*.txt', outputkey: parts}
scale:
  process:
    process_type: string-interpolated-cmd
    cmd: 'read -r n < {part}; echo $((n * {factor})) > {out}'
  environment: *tool
  publisher: {publisher_type: frompar-pub, outputmap: {out: out}}
background:
  process: {process_type: string-interpolated-cmd, cmd: 'echo {cut} > {out}'}
  environment: *tool
  publisher: {publisher_type: frompar-pub, outputmap: {out: out}}
fit:
  process:
    process_type: interpolated-script-cmd
    interpreter: sh
    script: |
      total=0
      for file in {signal}; do read -r n < $file; total=$((total + n)); done
      read -r cut < {background}
      printf '{{"limit": %s, "cut": %s}}' $total $cut > {limit}
  environment: *tool
  publisher: {publisher_type: interpolated-pub, publish: {limit: '{limit}'}}
"""
SERIAL = """inputs:
  files: [steps/make.sh]
  parameters: {events: 3, scale: 2}
workflow:
  type: serial
  specification:
    steps:
    - name: generate
      environment: mine/tool:1
      commands: ['n=1', 'bash steps/make.sh ${events} > events.txt', 'echo "$${n:-none}" >> events.txt']
    - name: count
      environment: mine/tool:1
      commands:
      - echo 7 > steps/make.sh
      - while read -r x; do echo $$x ${scale}; done < events.txt > counts.txt
outputs: {files: [counts.txt]}
"""

COMMON = """cwlVersion: v1.2
class: Workflow
requirements:
  ScatterFeatureRequirement: {}
  DockerRequirement: {dockerPull: "mine/tool:1"}
inputs: {signal: File, factor: int, cut: float}
outputs:
  limit: {type: File, outputSource: fit/limit}
steps:
  split:
    in: {signal: signal}
    out: [parts]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'while read -r name is n; do echo $n > part-${name#*:}.txt; done < "$1"', sh]
      inputs: {signal: {type: File, inputBinding: {}}}
      outputs: {parts: {type: "File[]", outputBinding: {glob: part-*.txt}}}
  each:
    scatter: part
    in: {part: split/parts, factor: factor}
    out: [scaled]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'read -r n; echo $((n * $1))', sh]
      inputs: {part: File, factor: {type: int, inputBinding: {}}}
      stdin: $(inputs.part.path)
      stdout: scaled.txt
      outputs: {scaled: {type: File, outputBinding: {glob: scaled.txt}}}
  fit:
    in: {scaled: each/scaled, cut: cut}
    out: [limit]
    run:
      class: CommandLineTool
      baseCommand: [sh, sum.sh]
      requirements:
        InitialWorkDirRequirement:
          listing:
            - entryname: sum.sh
              entry: |
                total=0
                for file in "$@"; do read -r n < "$file"; total=\\$((total + n)); done
                printf '{"limit": %s, "cut": %s}' $total $(inputs.cut)
      inputs: {scaled: {type: "File[]", inputBinding: {}}, cut: float}
      stdout: limit.json
      outputs: {limit: stdout}
"""


class Machine:
    """`relance` with a store of its own, in a folder."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder = folder
        self.image = folder / "tool.sif"
        shutil.copy(image, self.image)
        self.environment = {**os.environ, "RELANCE_STORE": str(folder / "store")}

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "relance", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def converted(self, source: str, *words: str) -> Path:
        """Convert a file of the folder, and let its image be that of these tests."""
        self("convert", source, "out", "-q", *words)
        for config in (self.folder / "out").rglob("config.yaml"):
            content = yaml.safe_load(config.read_text())
            images = {"docker://mine/tool:1": str(self.image)}
            config.write_text(yaml.safe_dump({**content, "images": images}))
        return self.folder / "out"

    def recast(
        self, name: str, *changes: str, limit: str = "workdir/fit/limit.json"
    ) -> tuple[set[str], dict[str, object]]:
        """Return the rules that ran for a recast, and the new limit."""
        self("recast", "group_counting", *changes, "-o", name, "-q", "--runtime", "apptainer")
        record = json.loads((self.folder / name / "recast.json").read_text())
        found = json.loads((self.folder / name / "work/analysis" / limit).read_text())
        return {job["name"].split()[0] for job in record["jobs"] if job["state"] == "run"}, found


@pytest.fixture(scope="module")
def small(busybox: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image that steps name; it has no bash."""
    made = tmp_path_factory.mktemp("small") / "tool.sif"
    subprocess.run(["apptainer", "build", made, busybox], check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def image(root_filesystem: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image that steps name, with what steps that share a folder need besides."""
    folder = tmp_path_factory.mktemp("tool")
    root = folder / "root"
    shutil.copytree(root_filesystem, root, symlinks=True)
    for name in ("mkdir", "cp", "rm"):
        program = str(shutil.which(name))
        shutil.copy(program, root / "usr/bin" / name)
        for library in re.findall(r"/\S+", subprocess.check_output(["ldd", program], text=True)):
            copy = root / library.removeprefix("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, copy)
    subprocess.run(["apptainer", "build", folder / "tool.sif", root], check=True, capture_output=True)
    return folder / "tool.sif"


def test_an_entry_of_recast_atlas_is_captured_verified_and_recast_where_the_change_reaches(
    tmp_path: Path, small: Path
) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "inputs").mkdir()
    (tmp_path / "recast.yml").write_text(ENTRY)
    (tmp_path / "specs/workflow.yml").write_text(WORKFLOW)
    (tmp_path / "specs/steps.yml").write_text(STEPS)
    (tmp_path / "inputs/events.card").write_text("Main:a = 1\nMain:b = 2\nMain:c = 3\n")
    (tmp_path / "inputs/more.card").write_text("Main:a = 5\n")
    (tmp_path / "other.card").write_text("Main:a = 1\nMain:x = 40\n")
    machine = Machine(tmp_path, small)
    out = machine.converted("recast.yml")
    machine("run", "out/tests/splitting", "--runtime", "apptainer", "--no-reuse", "-q")
    assert (out / "tests/splitting/workdir/splitting/part-a.txt").read_text() == "5\n"
    machine("run", "out", "--runtime", "apptainer", "--cores", "2", "-q")
    assert json.loads((out / "workdir/fit/limit.json").read_text()) == {"limit": 12, "cut": 1.5}
    machine("capture", "out", "-q")
    shutil.rmtree(out)
    machine.image.unlink()
    report = machine("verify", "group_counting", "--rerun", "--runtime", "apptainer")
    assert "verdict: reproduced" in report
    assert "not closed" not in report
    report = machine("verify", "group_counting", "--rerun", "--case", "stronger", "--runtime", "apptainer")
    assert "the case expects no values: it ran, and its results are there" in report
    assert machine.recast("one", "--set", "factor=3") == ({"each", "fit"}, {"limit": 18, "cut": 1.5})
    assert machine.recast("two", "--set", "factor=3") == (set(), {"limit": 18, "cut": 1.5})
    swapped = machine.recast("three", "--input", "signal=other.card")
    # `each` runs for `x` alone: what it makes of `a` is known.
    assert swapped == ({"split", "published__split", "each", "fit"}, {"limit": 82, "cut": 1.5})


def test_serial_steps_share_a_folder_and_run_again_from_the_one_that_changed(
    tmp_path: Path, image: Path
) -> None:
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps/make.sh").write_text("seq $1\n")
    (tmp_path / "reana.yaml").write_text(SERIAL)
    machine = Machine(tmp_path, image)
    out = machine.converted("reana.yaml")
    machine("run", "out", "--runtime", "apptainer", "-q")
    assert (out / "outputs/counts.txt").read_text() == "1 2\n2 2\n3 2\nnone 2\n"
    assert (out / "workdir/generate/steps/make.sh").read_text() == "seq $1\n"
    assert (out / "workdir/count/steps/make.sh").read_text() == "7\n"
    plan = machine("run", "out", "--runtime", "apptainer", "--dry-run", "--set", "parameters.scale=5")
    assert "2 steps would run" in plan
    assert "generate" not in plan


def test_a_workflow_of_cwl_is_captured_verified_and_recast_where_the_change_reaches(
    tmp_path: Path, small: Path
) -> None:
    (tmp_path / "search.cwl").write_text(COMMON)
    (tmp_path / "events.card").write_text("Main:a = 1\nMain:b = 2\nMain:c = 3\n")
    (tmp_path / "other.card").write_text("Main:a = 1\nMain:x = 40\n")
    machine = Machine(tmp_path, small)
    given = ["-p", "factor=2", "-p", "cut=1.5", "-p", "signal={class: File, path: events.card}"]
    out = machine.converted("search.cwl", *given)
    machine("run", "out", "--runtime", "apptainer", "--cores", "2", "-q")
    assert json.loads((out / "outputs/limit.json").read_text()) == {"limit": 12, "cut": 1.5}
    machine("capture", "out", "-o", "group_counting", "-q")
    shutil.rmtree(out)
    machine.image.unlink()
    report = machine("verify", "group_counting", "--rerun", "--runtime", "apptainer")
    assert "verdict: reproduced" in report
    changed = machine.recast("one", "--set", "factor=3", limit="outputs/limit.json")
    assert changed == ({"each", "fit", "outputs"}, {"limit": 18, "cut": 1.5})
    swapped = machine.recast("two", "--input", "signal=other.card", limit="outputs/limit.json")
    assert swapped == ({"split", "each", "fit", "outputs"}, {"limit": 82, "cut": 1.5})
