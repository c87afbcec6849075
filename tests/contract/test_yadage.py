"""Compiled workflows do what yadage itself does: the same jobs, parameters, files and published values."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from relance.languages import parameters, snakefile
from relance.languages.support import answers, patterns, rules
from relance.languages.support.nodes import UnpublishedError
from relance.languages.support.places import ROOT
from relance.languages.support.planning import Planner
from relance.languages.writing import text
from relance.languages.writing import yadage as writing
from relance.languages.yadage import workflows as yadage

MACHINE = Path(__file__).parents[1] / "machine"
WORKFLOWS = Path(__file__).parents[1] / "analyses" / "yadage"
NAMES = sorted(
    path.stem for path in WORKFLOWS.glob("*.yml") if path.stem != "inner" and not path.stem.endswith(".input")
)


@dataclass(frozen=True)
class Done:
    """What one engine made of a workflow; its folders are replaced by signs."""

    jobs: Mapping[str, Any]
    files: Mapping[str, str]


def signed(value: Any, folders: Mapping[str, str]) -> Any:
    """Return a value with an engine's folders replaced by signs; the longest first."""
    if isinstance(value, dict):
        return {key: signed(item, folders) for key, item in value.items()}
    if isinstance(value, list):
        return [signed(item, folders) for item in value]
    if isinstance(value, str):
        for folder, sign in folders.items():
            value = value.replace(folder, sign)
    return value


def files(folder: Path, folders: Mapping[str, str]) -> dict[str, str]:
    """Return the files that jobs wrote, by their paths."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        own = {"_packtivity", "_yadage", ".snakemake_timestamp"} & set(parts) or parts[0] == "init"
        if path.is_file() and not own:
            found["/".join(parts)] = signed(path.read_text("utf-8"), folders)
    return found


def compile_to(folder: Path, name: str, toplevel: Path = WORKFLOWS) -> None:
    given = toplevel / f"{name}.input.yml"
    values = parameters.gathered([given] if given.exists() else [], [])
    snakefile.write(
        snakefile.compiled(yadage.read(toplevel, f"{name}.yml").workflow, f"{name}.yml", values), folder
    )
    if (toplevel / "inputs" / name).is_dir():
        shutil.copytree(toplevel / "inputs" / name, folder / "init")


def settled(plan: Planner, folder: Path, ask: Any) -> Any:
    """Return an answer of a plan whose workflow has run."""
    while True:
        try:
            return ask()
        except UnpublishedError as missing:
            path = folder / "published" / f"{missing.scope.within(missing.stage)}.json"
            plan.outcomes.answers[missing.scope.folder, missing.stage] = answers.read(path)


def jobs(folder: Path) -> dict[str, Any]:
    """Return what each job of a compiled workflow that has run was given and published."""
    plan = rules.planner(folder, yaml.safe_load((folder / "config.yaml").read_text("utf-8")))
    found = {}
    for pattern in patterns.jobs(plan.root.workflow):
        nodes = settled(plan, folder, lambda: list(plan.every(patterns.stages(pattern))))  # noqa: B023
        for node in nodes:
            if patterns.fits(pattern, node.name):
                given = settled(plan, folder, lambda: plan.filling.parameters(node))  # noqa: B023
                result = settled(plan, folder, lambda: plan.outcomes.result(node))  # noqa: B023
                found[node.name] = {"parameters": given, "result": result}
    return found


def run_snakemake(*folders: Path) -> list[int]:
    command = [sys.executable, MACHINE / "snakemake_runs.py", *folders]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [int(line) for line in said.split()]


def run_yadage(toplevel: Path, scratch: Path, *names: str) -> dict[str, Any]:
    python = subprocess.run(
        [MACHINE / "yadage.sh"], check=True, capture_output=True, text=True
    ).stdout.strip()
    command = [python, MACHINE / "yadage_runs.py", toplevel, scratch, *names]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(said.splitlines()[-1]))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """What yadage makes of each workflow."""
    scratch = tmp_path_factory.mktemp("yadage").resolve()
    found = {}
    for name, one in run_yadage(WORKFLOWS, scratch, *NAMES).items():
        assert one.get("unapplied") == [], (name, one)
        folders = {f"{scratch}/{name}/init": "@init", f"{scratch}/{name}": "@work"}
        found[name] = Done(signed(one["jobs"], folders), files(scratch / name, folders))
    return found


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """What Snakemake makes of each compiled workflow."""
    scratch = tmp_path_factory.mktemp("compiled").resolve()
    for name in NAMES:
        compile_to(scratch / name, name)
    statuses = run_snakemake(*(scratch / name for name in NAMES))
    found = {}
    for name, status in zip(NAMES, statuses, strict=True):
        folder = scratch / name
        assert status == 0, (folder / "snakemake.log").read_text("utf-8")
        real = {f"{folder}/init": "@init", f"{folder}/workdir": "@work"}
        signs = {f"{ROOT}/init": "@init", f"{ROOT}/workdir": "@work"}
        done = Done(signed(jobs(folder), signs), files(folder / "workdir", real))
        found[name] = unquoted(done) if name == "named" else done
    return found


def unquoted(done: Done) -> Done:
    """Return what a workflow made with the names of stages in place of those of their folders."""
    return Done(*(json.loads(unquote(json.dumps(one))) for one in (done.jobs, done.files)))


@pytest.mark.parametrize("name", NAMES)
def test_every_job_is_given_and_publishes_what_it_is_in_yadage(
    name: str, reference: dict[str, Done], compiled: dict[str, Done]
) -> None:
    assert compiled[name].jobs == reference[name].jobs
    assert compiled[name].jobs


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_what_it_is_in_yadage(
    name: str, reference: dict[str, Done], compiled: dict[str, Done]
) -> None:
    assert compiled[name].files == reference[name].files


def test_every_workflow_is_the_same_in_yadage_once_it_is_expanded(
    reference: dict[str, Done], tmp_path: Path
) -> None:
    toplevel, scratch = tmp_path / "expanded", tmp_path / "work"
    shutil.copytree(WORKFLOWS / "inputs", toplevel / "inputs")
    for given in WORKFLOWS.glob("*.input.yml"):
        shutil.copy(given, toplevel)
    for name in NAMES:
        document = writing.document(yadage.read(WORKFLOWS, f"{name}.yml").workflow)
        (toplevel / f"{name}.yml").write_text(text.as_yaml(document), "utf-8")
    for name, one in run_yadage(toplevel, scratch, *NAMES).items():
        assert one.get("unapplied") == [], (name, one)
        folders = {f"{scratch}/{name}/init": "@init", f"{scratch}/{name}": "@work"}
        done = Done(signed(one["jobs"], folders), files(scratch / name, folders))
        assert done == reference[name], name


BROKEN = {
    "dependency": (
        "{name: b, dependencies: [typo], scheduler: {scheduler_type: singlestep-stage, "
        "parameters: {text: hi, outputfile: '{workdir}/out.txt'}, step: {$ref: 's.yml'}}}",
        "it waits for 'typo', which matches no job",
    ),
    "zip": (
        "{name: b, scheduler: {scheduler_type: multistep-stage, parameters: {text: [1, 2], also: [1], "
        "outputfile: '{workdir}/out.txt'}, scatter: {method: zip, parameters: [text, also]}, "
        "step: {$ref: 's.yml'}}}",
        "different lengths: 'text' 2, 'also' 1",
    ),
    "file": (
        "{name: b, scheduler: {scheduler_type: singlestep-stage, parameters: {text: hi, outputfile: "
        "'{workdir}/out.txt', unused: 1}, step: {$ref: 'missing.yml'}}}",
        "workdir/b/out.txt is published and wasn't written",
    ),
    "placeholder": (
        "{name: b, scheduler: {scheduler_type: singlestep-stage, parameters: {text: hi}, "
        "step: {$ref: 's.yml'}}}",
        "has the placeholder 'outputfile'",
    ),
    "case": (
        "{name: b, scheduler: {scheduler_type: singlestep-stage, parameters: {text: hi, outputfile: "
        "'{workdir}/out.txt'}, cases: [{if: '.text == \"no\"', step: {$ref: 's.yml'}}]}}",
        "none of its cases holds, so it would never run: '.text == \"no\"'",
    ),
    "empty": (
        "{name: b, scheduler: {scheduler_type: multistep-stage, parameters: {text: [], "
        "outputfile: '{workdir}/out.txt'}, scatter: {method: zip, parameters: [text]}, "
        "step: {$ref: 's.yml'}}}",
        "there is nothing in 'text' to scatter, so it would never run",
    ),
}
STEP = """process: {process_type: string-interpolated-cmd, cmd: '%s'}
environment: {environment_type: localproc-env}
publisher: {publisher_type: frompar-pub, outputmap: {out: outputfile}}
"""


def test_what_yadage_passes_over_in_silence_fails_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "s.yml").write_text(STEP % "echo {text} > {outputfile}")
    (tmp_path / "missing.yml").write_text(STEP % "echo {text} {outputfile}")
    for name, (stage, _) in BROKEN.items():
        (tmp_path / f"{name}.yml").write_text(f"stages:\n- {stage}\n")
        compile_to(tmp_path / name, name, tmp_path)
    statuses = run_snakemake(*(tmp_path / name for name in BROKEN))
    assert all(status != 0 for status in statuses)
    for name, (_, reason) in BROKEN.items():
        assert reason in (tmp_path / name / "snakemake.log").read_text("utf-8")


LATE = """stages:
- name: a
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {text: 'answer: no', outputfile: '{workdir}/out.yml'}
    step:
      process: {process_type: string-interpolated-cmd, cmd: 'echo "{text}" > {outputfile}'}
      environment: {environment_type: localproc-env}
      publisher: {publisher_type: fromyaml-pub, yamlfile: out.yml}
- name: b
  dependencies: [a]
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {text: {step: a, output: answer}, outputfile: '{workdir}/out.txt'}
    cases: [{if: '.text == "yes"', step: {$ref: 's.yml'}}]
"""


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        (
            "zip",
            2,
            "stage 'b' (zip.yml:2): lists scattered together have different lengths: 'text' 2, 'also' 1\n",
        ),
        ("file", 1, "    workdir/b/out.txt is published and wasn't written\n"),
        (
            "late",
            1,
            "stage 'b' (late.yml:10): none of its cases holds, so it would never run: '.text == \"yes\"'",
        ),
    ],
)
def test_a_run_ends_with_the_real_reason_and_never_with_success(
    name: str, status: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    (tmp_path / "s.yml").write_text(STEP % "echo {text} > {outputfile}")
    (tmp_path / "missing.yml").write_text(STEP % "echo {text} {outputfile}")
    (tmp_path / f"{name}.yml").write_text(LATE if name == "late" else f"stages:\n- {BROKEN[name][0]}\n")
    compile_to(tmp_path / name, name, tmp_path)
    command = [sys.executable, "-m", "relance", "run", name, "--runtime", "plain", "--no-reuse"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert reason in done.stderr


def test_a_compiled_workflow_runs_as_any_analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    source = [str(WORKFLOWS / "globbed.yml"), str(tmp_path / "one"), str(WORKFLOWS / "globbed.input.yml")]

    def relance(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "relance", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    relance("convert", *source, "--toplevel", str(WORKFLOWS), "-p", "words=[x]")
    relance("run", str(tmp_path / "one"), "--cores", "2", "--keep", "all")
    assert (tmp_path / "one/workdir/all-parts/all.txt").read_text() == "part of x\n"


def test_files_given_at_run_time_are_inputs_of_the_jobs_that_name_them(tmp_path: Path) -> None:
    compile_to(tmp_path / "a", "discover")
    plan = rules.planner(tmp_path / "a", yaml.safe_load((tmp_path / "a/config.yaml").read_text()))
    node = plan.node((("each", 0),))
    assert plan.filling.outside(node) == ("init/data/one.txt",)


def test_an_error_names_file_and_line_and_leaves_nothing(tmp_path: Path) -> None:
    text = (WORKFLOWS / "cartesian.yml").read_text("utf-8").replace("method: cartesian", "method: random")
    (tmp_path / "w.yml").write_text(text)
    command = [sys.executable, "-m", "relance", "convert", "w.yml", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "w.yml:10: a way to scatter isn't supported: found 'random'" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["w.yml"]


def test_an_entry_of_recast_atlas_is_compiled_with_the_example_that_is_asked_for(tmp_path: Path) -> None:
    shutil.copytree(WORKFLOWS, tmp_path / "specs")
    (tmp_path / "recast.yml").write_text(
        "name: a/b\nspec: {workflow: chain.yml}\nexample_inputs:\n"
        "  default: {initdata: {text: first}}\n  other: {initdata: {text: second}}\n"
    )
    command = [sys.executable, "-m", "relance", "convert", "recast.yml", "out", "--example", "other"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert yaml.safe_load((tmp_path / "out/config.yaml").read_text())["parameters"] == {"text": "second"}


def test_files_of_an_example_come_from_beside_the_entry_only(tmp_path: Path) -> None:
    shutil.copytree(WORKFLOWS, tmp_path / "specs")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/link").symlink_to("/etc/hostname")
    (tmp_path / "recast.yml").write_text(
        "name: a/b\nspec: {workflow: chain.yml}\nexample_inputs:\n"
        "  default: {initdata: {text: first}, dataopts: {initdir: data}}\n"
    )
    command = [sys.executable, "-m", "relance", "convert", "recast.yml", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the link data/link to /etc/hostname" in done.stderr
    assert not (tmp_path / "out").exists()


CONTAINED = """stages:
- name: one
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {out: '{workdir}/out.txt', several: [1, 2]}
    step:
      process:
        process_type: interpolated-script-cmd
        interpreter: bash
        script: |
          echo "$WHERE {several} '$UNSET'" > {out}
          cat /tmp/relance-par.json >> {out}
          cat "$X509_USER_PROXY" "${{KRB5CCNAME#FILE:}}" | wc -c >> {out}
          ! echo >> "$X509_USER_PROXY"
      environment:
        environment_type: docker-encapsulated
        image: mine/tool
        imagetag: "1"
        envscript: /etc/setup.sh
        resources: [GRIDProxy, {kerberos: true}]
        par_mounts: [{mountpath: /tmp/relance-par.json, jqscript: '.several, .several[]'}]
      publisher: {publisher_type: interpolated-pub, publish: '{out}'}
"""


@pytest.mark.container
def test_a_step_runs_in_its_container_with_its_set_up_script_mounts_and_credentials(
    tmp_path: Path, root_filesystem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    shutil.copytree(root_filesystem, root, symlinks=True)
    shutil.copy(str(shutil.which("wc")), root / "usr/bin")
    # Fails under `set -u` and `set -e`, as set-up scripts of experiments do.
    (root / "etc/setup.sh").write_text("export WHERE=$UNDEFINED/image\nfalse\ntrue\n")
    subprocess.run(["apptainer", "build", tmp_path / "tool.sif", root], check=True, capture_output=True)
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    (tmp_path / "w.yml").write_text(CONTAINED)
    command = [sys.executable, "-m", "relance"]
    subprocess.run([*command, "convert", "w.yml", "out"], cwd=tmp_path, check=True, capture_output=True)
    config = tmp_path / "out/config.yaml"
    config.write_text(yaml.safe_dump({"images": {"docker://mine/tool:1": str(tmp_path / "tool.sif")}}))
    ran = [*command, "run", "out", "--runtime", "apptainer"]
    monkeypatch.setenv("X509_USER_PROXY", str(tmp_path / "none"))
    done = subprocess.run(ran, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "voms-proxy-init" in done.stderr
    for variable, kind in (("X509_USER_PROXY", ""), ("KRB5CCNAME", "FILE:")):
        (tmp_path / variable).write_text("0123456789")
        monkeypatch.setenv(variable, f"{kind}{tmp_path / variable}")
    done = subprocess.run(ran, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "out/workdir/one/out.txt").read_text()
    assert written.split() == ["/image", "1", "2", "''", "[1,2]", "1", "220"]
    assert (tmp_path / "X509_USER_PROXY").read_text() == "0123456789"


LONG = """stages:
- name: one
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {several: {step: init, output: several}, out: '{workdir}/out.txt'}
    step:
      process: {process_type: string-interpolated-cmd, cmd: 'wc -l < @mount@ > {out}'}
      environment:
        environment_type: docker-encapsulated
        image: mine/tool
        par_mounts: [{mountpath: '@mount@', jqscript: '.several[]'}]
      publisher: {publisher_type: frompar-pub, outputmap: {out: out}}
"""


def test_what_is_mounted_may_be_longer_than_a_word_of_a_command(tmp_path: Path) -> None:
    (tmp_path / "long.yml").write_text(LONG.replace("@mount@", str(tmp_path / "deep/names")))
    (tmp_path / "long.input.yml").write_text(json.dumps({"several": ["a name of a file"] * 10_000}))
    compile_to(tmp_path / "long", "long", tmp_path)
    assert run_snakemake(tmp_path / "long") == [0], (tmp_path / "long/snakemake.log").read_text()
    assert (tmp_path / "long/workdir/one/out.txt").read_text().strip() == "9999"
