"""Each code of `relance check`: a small analysis that has it, and the same one mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from relance.checks import checking, subject
from relance.checks.codes import CODES
from relance.checks.finding import Severity, Target
from relance.checks.jobs import Job, Jobs
from relance.checks.report import Report
from relance.errors import InputError

REANA = Target.REANA


@dataclass(frozen=True)
class Case:
    """An analysis that is right, and a change that makes one thing wrong."""

    code: str
    place: str
    files: Mapping[str, str]
    right: str
    """Stands once in the files."""
    wrong: str
    """What stands there instead."""
    target: Target | None = None
    jobs: tuple[Job, ...] | None = None
    refusal: str = ""
    user: str = ""


def yadage(stages: str, **more: str) -> dict[str, str]:
    return {"workflow.yml": f"stages:\n{stages}", "s.yml": STEP, **more}


STEP = """\
write:
  process: {process_type: string-interpolated-cmd, cmd: 'echo {text} > {out}'}
  environment: {environment_type: localproc-env}
  publisher: {publisher_type: frompar-pub, outputmap: {file: out}}
contained:
  process:
    process_type: string-interpolated-cmd
    cmd: |
      set -e
      produce {text} > {out}
  environment: {environment_type: docker-encapsulated, image: some/image, imagetag: '1'}
  publisher: {publisher_type: frompar-pub, outputmap: {file: out}}
"""
FIRST = """\
- name: first
  dependencies: [init]
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {text: hello, out: '{workdir}/a'}
    step: {$ref: 's.yml#/write'}
"""
CONTAINED = FIRST.replace("#/write", "#/contained")
SECOND = """\
- name: second
  dependencies: [first]
  scheduler:
    scheduler_type: singlestep-stage
    parameters:
      text: {step: first, output: file}
      out: '{workdir}/b'
    step: {$ref: 's.yml#/write'}
"""
ZIPPED = """\
- name: zipped
  scheduler:
    scheduler_type: multistep-stage
    parameters: {text: [1, 2], also: [3, 4], out: '{workdir}/c'}
    scatter: {method: zip, parameters: [text, also]}
    step: {$ref: 's.yml#/write'}
"""
GATHERED = SECOND.replace("first", "zipped").replace("{step:", "{stages:")
ZIPPED_AGAIN = """\
- name: again
  dependencies: [zipped]
  scheduler:
    scheduler_type: multistep-stage
    parameters: {text: {stages: zipped, output: file}, also: [5, 6], out: '{workdir}/e'}
    scatter: {method: zip, parameters: [text, also]}
    step: {$ref: 's.yml#/write'}
"""
CROSSED = ZIPPED.replace("method: zip", "method: cartesian")
NESTED = """\
- name: first
  dependencies: [init]
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {word: hello}
    workflow:
      stages:
      - name: inside
        dependencies: [init]
        scheduler:
          scheduler_type: singlestep-stage
          parameters: {text: {step: init, output: word}, out: '{workdir}/f'}
          step: {$ref: 's.yml#/write'}
- name: gathering
  dependencies: [first]
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {text: {stages: 'first[*].inside', output: file, unwrap: true}, out: '{workdir}/g'}
    step: {$ref: 's.yml#/write'}
"""
SPARE = "inputs: {parameters: {spare: 1}}\nworkflow: {type: yadage, file: workflow.yml}\n"
CASES_STAGE = """\
- name: chosen
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {text: x, out: '{workdir}/d'}
    cases:
    - {if: '.text == "y"', step: {$ref: 's.yml#/write'}}
    - {if: 'true', step: {$ref: 's.yml#/write'}}
"""
REANA_YADAGE = """\
inputs:
  parameters:
    word: hello
workflow:
  type: yadage
  file: workflow.yml
"""
FROM_INIT = FIRST.replace("text: hello", "text: {step: init, output: word}")
SERIAL = """\
inputs:
  files:
    - code.py
  directories:
    - data
  parameters:
    events: 100
workflow:
  type: serial
  specification:
    steps:
      - name: run
        kubernetes_uid: 500
        environment: some/image:1@sha256:0
        commands:
          - python code.py ${events} > results.txt
outputs:
  files:
    - results.txt
"""
SENT = {"code.py": "", "data/a.txt": "", "data/deep/b.txt": ""}


def serial(**more: str) -> dict[str, str]:
    return {"reana.yaml": SERIAL, **SENT, **more}


RULE = """\
rule make:
    input:
        "code.py",
    output:
        "results/a.txt",
    container:
        "docker://some/image@sha256:0"
    shell:
        "set -euo pipefail; mkdir -p results; python {input} > {output}"
"""
REANA_SNAKEMAKE = """\
inputs:
  files:
    - Snakefile
    - code.py
workflow:
  type: snakemake
  file: Snakefile
outputs:
  files:
    - results/a.txt
"""
SHELL = RULE[RULE.index("    shell:") :]
MINIMUM = "from snakemake.utils import min_version\nmin_version"
MISSING = "Missing input files for rule make:\n    output: a\n    affected files:\n        code2.py"
HIDDEN = "xK9#mQ2vL8pR4t"
MADE = Job("make", ("code.py",), ("results/a.txt",), command="python code.py > results/a.txt")
AFTER = Job("make", (), ("b.txt",), command="sort results/a.txt > b.txt")


def snakemake(**more: str) -> dict[str, str]:
    return {"Snakefile": RULE, "code.py": "", **more}


def sent(**more: str) -> dict[str, str]:
    return snakemake(**{"reana.yaml": REANA_SNAKEMAKE, **more})


def built() -> dict[str, str]:
    return snakemake(**{"containers/fit/Containerfile": "FROM scratch"})


IMAGE = '    container:\n        "docker://some/image@sha256:0"\n'
CWL = """\
cwlVersion: v1.0
class: Workflow
inputs:
  events: int
outputs:
  plot: {type: File, outputSource: fit/plot}
steps:
  fit:
    in: {n: events}
    out: [plot]
    run:
      class: CommandLineTool
      hints: {DockerRequirement: {dockerPull: 'some/image@sha256:0'}}
      baseCommand: make
      inputs: {n: {type: int, inputBinding: {}}}
      outputs: {plot: {type: File, outputBinding: {glob: x}}}
"""


def cwl() -> dict[str, str]:
    return {"reana.yaml": "workflow:\n  type: cwl\n  file: w.cwl\n", "w.cwl": CWL}


STEPS = """\
steps:
  - environment: some/image@sha256:0
    commands:
      - make
"""


def apart() -> dict[str, str]:
    return {"reana.yaml": "workflow:\n  type: serial\n  file: steps.yaml\n", "steps.yaml": STEPS}


ENTRY = """\
name: a/b
spec: {workflow: workflow.yml}
tests:
  - name: alone
    spec: s.yml#/write
    parameters: {text: x, out: y}
"""


USED = {"reana.yaml": REANA_YADAGE}
CASES = [
    Case("RL001", "workflow.yml:5", yadage(FIRST), "singlestep-stage", "other"),
    Case("RL001", "Snakefile:2", snakemake(), "    input:\n", "    input\n"),
    Case("RL001", "reana.yaml:1", serial(), SERIAL, "[not, a, mapping]"),
    Case("RL001", "w.cwl:6", cwl(), "outputSource: fit/plot", "outputSource: fit/plto"),
    Case("RL002", "Snakefile", snakemake(), "", "", jobs=(), refusal="NameError in line 1: nothing"),
    Case("RL003", "Snakefile:1", snakemake(), "rule make", 'module m:\n    snakefile: "x.smk"\nrule make'),
    Case("RL003", "w.cwl:13", cwl(), "{dockerPull: 'some/image@sha256:0'}", "{dockerFile: FROM scratch}"),
    Case("RL004", "Snakefile:1:1", snakemake(), "rule make", "# relance: ignore[RL9]\nrule make"),
    Case("RL101", "workflow.yml:9:18", yadage(FIRST + SECOND), "[first]", "[frist]"),
    Case("RL101", "workflow.yml:13:20", yadage(FIRST + SECOND), "{step: first,", "{step: frist,"),
    Case("RL101", "Snakefile:3:9", snakemake(), '"code.py",', "rules.makes.output"),
    Case("RL101", "workflow.yml:19:34", yadage(NESTED), "first[*].inside", "first[*].inisde"),
    Case("RL101", "workflow.yml:19:34", yadage(NESTED), "first[*].inside", "first.inside"),
    Case(
        "RL101",
        "workflow.yml:3:18",
        yadage(FIRST, **{"reana.yaml": SPARE}),
        "parameters: {spare: 1}",
        "files: []",
    ),
    Case("RL102", "workflow.yml:19:60", yadage(NESTED), "output: file, unwrap", "output: fiel, unwrap"),
    Case("RL102", "workflow.yml:13:35", yadage(FIRST + SECOND), "output: file}", "output: fiel}"),
    Case("RL103", "s.yml:2:64", yadage(FIRST), "echo {text}", "echo {texts}"),
    Case("RL103", "s.yml:4:62", yadage(FIRST), "{file: out}}\ncon", "{file: outt}}\ncon"),
    Case("RL103", "workflow.yml:6:38", yadage(FIRST), "{workdir}/a", "{workdri}/a"),
    Case("RL103", "Snakefile:9", snakemake(), "{input} >", "{input.program} >"),
    Case("RL103", "Snakefile:9", snakemake(), "{input} >", "{wildcards.sample} >"),
    Case("RL103", "Snakefile:9", snakemake(), "{input} >", "{params.x} >"),
    Case("RL103", "Snakefile:9", snakemake(), "{input} >", "{program} >"),
    Case("RL103", "Snakefile:9", snakemake(), "{input} >", "{input[1]} >"),
    Case("RL103", "Snakefile:9", snakemake(), "{input} >", "{input} | awk '{print $1}' >"),
    Case("RL103", "Snakefile:9", snakemake(), "{input} >", "$(find x -exec cat {} +) >"),
    Case("RL103", "recast.yml:4", yadage(FIRST, **{"recast.yml": ENTRY}), "text: x, out: y", "text: x"),
    Case(
        "RL001", "recast.yml:4", yadage(FIRST, **{"recast.yml": ENTRY}), "spec: s.yml#/write", "spec: t.yml"
    ),
    Case("RL001", "recast.yml:4", yadage(FIRST, **{"recast.yml": ENTRY}), "spec: s.yml#/w", "spec: s.yml#/v"),
    Case("RL104", "workflow.yml:2", yadage(FIRST + SECOND), "[init]", "[second]"),
    Case("RL105", "workflow.yml:6:5", yadage(ZIPPED), "also: [3, 4]", "also: [3]"),
    Case("RL105", "workflow.yml:13:5", yadage(ZIPPED + ZIPPED_AGAIN), "also: [5, 6]", "also: [5]"),
    Case(
        "RL105",
        "workflow.yml:13:5",
        yadage(CROSSED + ZIPPED_AGAIN.replace("[5, 6]", "[5, 6, 7, 8]")),
        "also: [5, 6, 7, 8]",
        "also: [5, 6]",
    ),
    Case("RL106", "reana.yaml:4", yadage(FROM_INIT, **USED), "word: hello\n", "word: hello\n    wrod: x\n"),
    Case("RL106", "reana.yaml:8", serial(), "events: 100\n", "events: 100\n    evnets: 1\n"),
    Case("RL106", "w.cwl:5:3", cwl(), "events: int\n", "events: int\n  spare: int\n"),
    Case("RL107", "workflow.yml:6:45", yadage(FROM_INIT, **USED), "output: word}", "output: wrod}"),
    Case("RL108", "workflow.yml:6:18", yadage(FIRST), "{text: hello", "{more: 1, text: hello"),
    Case("RL109", "s.yml:2:52", yadage(FIRST), "echo {text}", "echo } {text}"),
    Case("RL109", "Snakefile:8", snakemake(), "{input} >", "{input} } >"),
    Case("RL110", "workflow.yml:5:18", yadage(ZIPPED), "text: [1, 2]", "text: both"),
    Case("RL111", "workflow.yml:6:5", yadage(CASES_STAGE), "if: 'true'", "if: '.x'"),
    Case("RL112", "reana.yaml:16", serial(), "${events}", "${events} ${event}"),
    Case("RL112", "reana.yaml:16", serial(), "${events}", "${events} $HOME"),
    Case("RL112", "reana.yaml:16", serial(), "${events}", "${events} $(date)"),
    Case("RL112", "reana.yaml:16", serial(), "${events}", "${events} ${inputs.parameters.events}"),
    Case("RL113", "workflow.yml:5:18", yadage(ZIPPED), "text: [1, 2], also: [3, 4]", "text: [], also: []"),
    Case("RL114", "workflow.yml:13:14", yadage(ZIPPED + GATHERED), "{stages: zipped,", "{step: zipped,"),
    Case("RL201", "reana.yaml:14", serial(), "some/image:1@sha256:0", "some/image:latest"),
    Case("RL201", "s.yml:11:56", yadage(CONTAINED), "imagetag: '1'", "imagetag: latest"),
    Case("RL201", "w.cwl:13:35", cwl(), "some/image@sha256:0", "some/image"),
    Case("RL201", "steps.yaml:2", apart(), "some/image@sha256:0", "some/image"),
    Case("RL202", "reana.yaml:14", serial(), "some/image:1@sha256:0", "some/image:1"),
    Case("RL203", "Snakefile:1", snakemake(), IMAGE, '    conda:\n        "e.yaml"\n', REANA),
    Case("RL204", "Snakefile:6", snakemake(), "docker://some/image@sha256:0", "images/fit.sif", REANA),
    Case("RL204", "Snakefile:6", snakemake(), "docker://some/image", "oras://some/image", REANA),
    Case("RL205", "Snakefile:6", snakemake(), "docker://some/image", "some/image"),
    Case("RL206", "reana.yaml:14", serial(), "kubernetes_uid: 500\n", "name: run\n", REANA, user="500"),
    Case("RL207", "Snakefile:6", built(), "docker://some/image@sha256:0", "docker://relance/fit", REANA),
    Case("RL301", "Snakefile:8", snakemake(), SHELL, '    script:\n        "code.py"\n', REANA),
    Case("RL301", "Snakefile:8", snakemake(), SHELL, "    run:\n        pass\n", REANA),
    Case("RL302", "Snakefile:6", snakemake(), IMAGE, f'    benchmark:\n        "b.tsv"\n{IMAGE}', REANA),
    Case("RL303", "Snakefile:5", snakemake(), "mkdir -p results; ", "", REANA),
    Case("RL303", "Snakefile:5", snakemake(), "mkdir -p results; ", "mkdir -p logs; ", REANA),
    Case("RL304", "Snakefile:5", snakemake(), "mkdir -p results; python {input} > ", "cp {input} ", REANA),
    Case("RL305", "Snakefile:9", snakemake(), "set -euo pipefail; ", "fetch | ", REANA),
    Case("RL305", "s.yml:10", yadage(CONTAINED), "produce {text} > {out}", "produce {text} | tee {out}"),
    Case("RL306", "Snakefile:9", snakemake(), "mkdir -p", "apt-get install -y jq; mkdir -p", REANA),
    Case("RL307", "Snakefile:9", snakemake(), "mkdir -p", "sudo mkdir -p", REANA),
    Case("RL308", "Snakefile:9", snakemake(), "mkdir -p", "cd /code && mkdir -p", REANA),
    Case("RL309", "Snakefile:1", snakemake(), "rule make", "localrules: make\n\nrule make", REANA),
    Case("RL310", "Snakefile:6", snakemake(), IMAGE, f'    shadow:\n        "minimal"\n{IMAGE}', REANA),
    Case("RL311", "Snakefile:5", snakemake(), '"results/a.txt"', 'pipe("results/a.txt")', REANA),
    Case("RL312", "Snakefile:3", snakemake(), '"code.py"', 'lookup("a", within=config)', REANA),
    Case("RL312", "Snakefile:2", snakemake(), "rule make", f'{MINIMUM}("8.0")\nrule make', REANA),
    Case("RL313", "s.yml:2", yadage(FIRST), "echo {text}", "source ~/setup.sh; echo {text}"),
    Case(
        "RL314", "s.yml:11:68", yadage(CONTAINED), "image: some", "resources: [KRB5Auth], image: some", REANA
    ),
    Case("RL401", "reana.yaml:3", serial(), "- code.py", "- /eos/code.py"),
    Case("RL401", "reana.yaml:5", serial(), "- data", "- ../data"),
    Case("RL402", "reana.yaml:3", serial(), "- code.py", "- cod.py"),
    Case("RL402", "reana.yaml:5", serial(), "- data", "- data/a.txt"),
    Case("RL403", "reana.yaml:4", serial(), "- code.py", "- code.py\n    - ./code.py"),
    Case("RL403", "reana.yaml:6", serial(), "- data", "- data\n    - data/deep"),
    Case("RL403", "reana.yaml:6", serial(), "- code.py", "- code.py\n    - data/a.txt"),
    Case("RL404", "reana.yaml:19", serial(), "- results.txt", "- code.py"),
    Case("RL404", "reana.yaml:19", serial(), "- results.txt", "- data/deep/b.txt"),
    Case("RL405", "reana.yaml:17", serial(), "outputs:", "output:"),
    Case("RL405", "reana.yaml:12", serial(), "name: run", "nmae: run"),
    Case("RL406", "reana.yaml:9", serial(), "type: serial", "type: seriall"),
    Case("RL406", "reana.yaml:12", serial(), "name: run", "compute_backend: slurm"),
    Case("RL407", "reana.yaml:8", serial(), "events: 100\n", "events: 100\n  options: {initdir: data}\n"),
    Case("RL408", "reana.yaml:1", sent(), "    - code.py\n", "", jobs=(MADE,)),
    Case("RL408", "Snakefile:1", sent(**{"c.yaml": ""}), "rule make", 'configfile: "c.yaml"\nrule make'),
    Case("RL409", "reana.yaml:10", sent(), "    - results/a.txt\n", "    - results/b.txt\n", jobs=(MADE,)),
    Case("RL410", "reana.yaml:19", serial(), "- results.txt", "- .snakemake/log"),
    Case("RL501", "Snakefile:3", snakemake(), '"code.py"', '"cod.py"'),
    Case("RL501", "Snakefile:1", snakemake(), "rule make", 'include: "rules/x.smk"\nrule make'),
    Case("RL501", "Snakefile:2", snakemake(), "", "", jobs=(), refusal=MISSING),
    Case("RL502", "Snakefile:8", snakemake(), "", "", jobs=(replace(MADE, rule="m"), AFTER)),
    Case("RL503", "Snakefile:3", snakemake(), '"code.py"', '"/eos/user/x/code.py"'),
    Case("RL601", "reana.yaml:16", serial(), "code.py ${events}", f"code.py ${{events}} --password {HIDDEN}"),
]


def report(folder: Path, case: Case, *, wrong: bool) -> Report:
    """Check the analysis of a case, as it should be or with what is wrong."""
    holding = [name for name, text in case.files.items() if case.right in text]
    assert not case.right or len(holding) == 1, holding
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        changed = wrong and case.right and name in holding
        path.write_text(text.replace(case.right, case.wrong, 1) if changed else text, encoding="utf-8")

    def ask(snakefile: str, parameters: Mapping[str, Any]) -> Jobs:
        if wrong and case.refusal:
            raise InputError(snakefile, expected="sense", found=case.refusal, next_step="mend it")
        jobs = case.jobs or ()
        return Jobs(jobs if wrong or case.right else jobs[:1])

    given = None if case.jobs is None else ask
    return checking.check(subject.find(folder), case.target, given, lambda _image: case.user)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.wrong[:20]}")
def test_each_code_is_found_where_it_stands_and_not_in_what_is_right(case: Case, tmp_path: Path) -> None:
    found = report(tmp_path / "wrong", case, wrong=True)
    assert (case.code, case.place) in {(one.code, str(one.place)) for one in found.findings}
    right = report(tmp_path / "right", case, wrong=False)
    assert case.code not in {one.code for one in right.findings}
    assert not any(one.severity is Severity.ERROR for one in right.findings)


def test_every_code_has_a_case() -> None:
    assert {case.code for case in CASES} == set(CODES)


@pytest.mark.parametrize("case", [case for case in CASES if case.target is REANA], ids=lambda case: case.code)
def test_what_matters_for_reana_alone_is_not_said_elsewhere(case: Case, tmp_path: Path) -> None:
    found = report(tmp_path, replace(case, target=None), wrong=True)
    assert case.code not in {one.code for one in found.findings}
