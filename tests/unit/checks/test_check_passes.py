"""What looks wrong and isn't: nothing is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from relance.checks import checking, subject
from relance.checks.finding import Target

RULE = """\
rule make:
    output:
        "results/a.txt",
    container:
        "docker://some/image@sha256:0"
    shell:
        "mkdir -p results; make > {output}"
"""


def codes(folder: Path) -> set[str]:
    return {one.code for one in checking.check(subject.find(folder), Target.REANA, None).findings}


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ('"docker://some/image@sha256:0"', '"/cvmfs/unpacked.cern.ch/some/image:1"', "RL204"),
        ('"docker://some/image@sha256:0"', "f\"docker://{config['image']}\"", "RL201"),
        ("    shell", "    resources:\n        unpacked_img=True,\n    shell", "RL201"),
        ("mkdir -p results; make > {output}", "cd src; python fill.py", "RL304"),
        ('"results/a.txt"', 'touch("results/a.txt")', "RL303"),
        ("mkdir -p results; ", "", "RL303"),
        ("rule make", "from helpers import *\nx = exists('y')\nrule make", "RL312"),
        ("rule make", "from os.path import exists\nx = exists('y')\nrule make", "RL312"),
        ('"results/a.txt"', 'multiext("results/a", t=".txt")', "RL103"),
        ("rule make", "EVENTS = 10\nrule make", "RL103"),
        (
            "make >",
            "make {config[x]} {resources.mem_mb} {threads} {rule} {wildcards} {output[0]:q} >",
            "RL103",
        ),
        ("make >", "awk '{{print $1}}' {{a,b}} >", "RL103"),
        ('"results/a.txt"', '"results/a.txt", u=more', "RL103"),
        ("rule make", "from x import *\nrule make", "RL103"),
        ("rule make", 'include: f"{name}.smk"\nrule make', "RL103"),
        ("rule make", "globals().update(EVENTS=1)\nrule make", "RL103"),
        ("    shell", "    localrule: False\n    shell", "RL309"),
        ("    shell", "    shadow: None\n    shell", "RL310"),
        ("{output}", "{output.t}", "RL103"),
        ("make >", "make ${{input.x}} {threads} {{input.y}} >", "RL103"),
        (
            '    output:\n        "results/a.txt",',
            '    output:\n        "results/{w,[a-z]{2}}.txt",',
            "RL103",
        ),
        (
            '    output:\n        "results/a.txt",',
            '    input:\n        f(1),\n    output:\n        "results/a.txt",',
            "RL501",
        ),
        ("rule make", 'include: "../common.smk"\nrule make', "RL501"),
    ],
)
def test_a_snakefile_that_is_right(before: str, after: str, code: str, tmp_path: Path) -> None:
    assert RULE.count(before) == 1
    text = RULE.replace(before, after)
    if "more" in after:
        text = text.replace("{output}", "{output[1]}")
    if code == "RL103" and before == "rule make":
        text = text.replace("make >", "make {EVENTS} >")
    if code == "RL103":
        text = text.replace('"results/a.txt"', 't="results/a.txt"').replace("make >", "make {wildcards} >")
    if not after:  # the folder is sent
        (tmp_path / "results").mkdir()
        (tmp_path / "results/.keep").touch()
        (tmp_path / "reana.yaml").write_text(
            "inputs: {directories: [results]}\nworkflow: {type: snakemake, file: Snakefile}\n"
        )
    (tmp_path / "src").mkdir()
    (tmp_path / "src/fill.py").write_text("os.makedirs('../results')\n")
    (tmp_path / "Snakefile").write_text(text)
    assert "RL001" not in codes(tmp_path)
    assert code not in codes(tmp_path)


STAGES = """\
stages:
- name: many
  dependencies: [init]
  scheduler:
    scheduler_type: multistep-stage
    parameters: {{one: {{step: init, output: files}}, out: '{{workdir}}/x', json: '{{{{"a": 1}}}}'}}
    scatter: {{method: zip, parameters: [one]}}
    step:
      process: {{process_type: string-interpolated-cmd, cmd: "awk '{{{{print $1}}}}' {{one}} > {{out}}"}}
      environment: {{environment_type: localproc-env}}
      publisher: {{publisher_type: frompar-pub, outputmap: {{x: {{y: out}}}}}}
- name: last
  dependencies: ['many_0', '{query}']
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {{all: {{stages: '{query}', output: {output}}}}}
    step:
      process: {{process_type: string-interpolated-cmd, cmd: 'cat {{all}}'}}
      environment: {{environment_type: localproc-env}}
      publisher: {{publisher_type: constant-pub, publish: {{}}}}
"""


@pytest.mark.parametrize(
    ("query", "output"), [("many", "x.y"), ("many[*]", "'*'"), ("'*'", "z"), ("*", "z"), ("$.many", "'x'")]
)
def test_a_workflow_that_is_right(query: str, output: str, tmp_path: Path) -> None:
    (tmp_path / "workflow.yml").write_text(STAGES.format(query=query.replace("'", "''"), output=output))
    assert codes(tmp_path) <= {"RL108"}
