"""Compiled workflows do what cwltool itself does: the same commands, files and values."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.contract.conftest import say

from relance.conversion import cwl, writing
from relance.languages.cwl import parameters
from relance.languages.cwl.limits import UnsupportedError
from relance.languages.cwl.support import binding, rules

MACHINE = Path(__file__).parents[1] / "machine"
WORKFLOWS = Path(__file__).parents[1] / "analyses" / "cwl"
NAMES = sorted(path.stem for path in WORKFLOWS.glob("*.cwl"))


def compile_to(folder: Path, name: str, *assignments: str) -> None:
    given = WORKFLOWS / f"{name}.job.yml"
    said = [parameters.of_file(given)] if given.exists() else []
    made = cwl.converted(WORKFLOWS, f"{name}.cwl", [*said, parameters.of_assignments(assignments)], name)
    writing.write(made, folder)


def described(value: Any, folder: Path) -> Any:
    """Return an output with what its files hold in place of where they lie."""
    if isinstance(value, list):
        return [described(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") not in {"File", "Directory"}:
        return {key: described(item, folder) for key, item in value.items()}
    path = folder / value["location"]
    beside = sorted(described(one, folder) for one in value.get("secondaryFiles", []))
    return [value["basename"], contents(path), *beside]


def contents(path: Path) -> str:
    """Return the checksum of a file as cwltool writes it; of a folder, those of what is in it."""
    if path.is_dir():
        return " ".join(
            f"{one.relative_to(path)}={contents(one)}" for one in sorted(path.rglob("*")) if one.is_file()
        )
    return f"sha1${hashlib.sha1(path.read_bytes()).hexdigest()}"  # noqa: S324 - it is cwltool's


def told(value: Any) -> Any:
    """Return an output that cwltool tells in the same way."""
    if isinstance(value, list):
        return [told(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") not in {"File", "Directory"}:
        return {key: told(item) for key, item in value.items()}
    inside = value.get("checksum") or " ".join(sorted(listed(value, "")))
    beside = sorted(told(one) for one in value.get("secondaryFiles", []))
    return [value["basename"], inside, *beside]


def listed(folder: dict[str, Any], above: str) -> list[str]:
    found = []
    for one in folder["listing"]:
        name = f"{above}{one['basename']}"
        found += listed(one, f"{name}/") if one["class"] == "Directory" else [f"{name}={one['checksum']}"]
    return found


def words(command: list[str]) -> tuple[str, ...]:
    """Return a command with files by their names alone: they lie elsewhere in each program."""
    return tuple(re.sub(r"'?/[^\s']*/([^\s/']+)'?", r"\1", own(word)) for word in command)


def own(word: str) -> str:
    """Return a word with a sign in place of a job's own folders."""
    return re.sub(r"^/(@tmp@|@work@/workdir/[a-z]+|.*/(out|tmp)[a-z0-9_]{8})(?=/|$)", "/@own@", word)


def ignored(path: rules.Route) -> None:
    """Wait for nothing: all jobs have run."""


def commands(folder: Path) -> list[list[str]]:
    """Return the commands of a compiled workflow that has run."""
    config = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    plan = rules.planner(folder, config["parameters"])
    found = []
    for pattern in re.findall(r'RULES\.every\("(.*)"\)', (folder / "Snakefile").read_text("utf-8")):
        steps = tuple(part for part in pattern.split("/") if not part.startswith("{"))
        for path in rules.settled(plan, lambda: list(plan.every(steps)), ignored):  # noqa: B023
            job = rules.settled(plan, lambda: plan.job(path), ignored)  # noqa: B023
            found.append(binding.words(job.call.tool, job.call.about))
    return found


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all workflows compiled, which have run."""
    folder = tmp_path_factory.mktemp("compiled")
    for name in NAMES:
        compile_to(folder / name, name)
    command = [sys.executable, MACHINE / "snakemake_runs.py", *(folder / name for name in NAMES)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for name, status in zip(NAMES, said.split(), strict=True):
        assert status == "0", (name, (folder / name / "snakemake.log").read_text("utf-8"))
    return folder


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What cwltool makes of each workflow."""
    scratch = tmp_path_factory.mktemp("cwltool")
    command = [sys.executable, MACHINE / "cwl_runs.py", WORKFLOWS, scratch, *NAMES]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_workflow_hands_out_what_cwltool_does(
    name: str, compiled: Path, reference: dict[str, Any]
) -> None:
    assert reference[name]["status"] == 0
    ours = json.loads((compiled / name / "outputs.json").read_text("utf-8"))
    assert described(ours, compiled / name) == told(reference[name]["outputs"])


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_workflow_runs_the_commands_that_cwltool_does(
    name: str, compiled: Path, reference: dict[str, Any]
) -> None:
    theirs = Counter(map(words, reference[name]["commands"]))
    assert Counter(map(words, commands(compiled / name))) == theirs


def test_what_is_not_compiled_is_run_by_cwltool_as_one(tmp_path: Path) -> None:
    said = [parameters.of_file(WORKFLOWS / "whole/species.job.yml")]
    with pytest.raises(UnsupportedError, match=r"species\.cwl:8: the requirement 'InplaceUpdateRequirement'"):
        cwl.converted(WORKFLOWS / "whole", "species.cwl", said, "species")
    writing.write(cwl.whole(WORKFLOWS / "whole", "species.cwl", said, "species"), tmp_path / "out")
    command = [sys.executable, MACHINE / "snakemake_runs.py", tmp_path / "out"]
    status = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert status == "0\n", (tmp_path / "out/snakemake.log").read_text("utf-8")
    told_to_us = json.loads((tmp_path / "out/outputs.json").read_text("utf-8"))
    assert told_to_us["said"]["location"] == "outputs/zprime.txt"
    assert (tmp_path / "out/outputs/zprime.txt").read_text() == (WORKFLOWS / "inputs/data.txt").read_text()


def test_what_only_cwltool_can_hand_out_is_told_by_the_run_and_handed_out_by_cwltool(tmp_path: Path) -> None:
    for name, convert in (("compiled", cwl.converted), ("whole", cwl.whole)):
        writing.write(convert(WORKFLOWS / "whole", "count.cwl", [], "count"), tmp_path / name)
    command = [sys.executable, MACHINE / "snakemake_runs.py", tmp_path / "compiled", tmp_path / "whole"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "1\n0\n"
    said = (tmp_path / "compiled/snakemake.log").read_text("utf-8")
    assert "has a cwl.output.json, which isn't supported: let cwltool run the workflow" in said
    assert json.loads((tmp_path / "whole/outputs.json").read_text("utf-8")) == {"number": 3}


CONTAINED = """cwlVersion: v1.2
class: CommandLineTool
requirements:
  DockerRequirement: {dockerPull: 'IMAGE'}
baseCommand: [/busybox, sh, -c]
arguments: ['/busybox ls /; echo $(inputs.n)']
inputs: {n: int}
outputs: {said: stdout}
stdout: said.txt
"""


@pytest.mark.container
def test_cwltool_runs_containers_in_podman_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("root", "tmp"):
        (tmp_path / name).mkdir()
    shutil.copy(shutil.which("busybox") or "/bin/busybox", tmp_path / "root/busybox")
    say("tar", "-C", tmp_path / "root", "-cf", tmp_path / "root.tar", ".")
    image = say("podman", "import", "--quiet", tmp_path / "root.tar")
    (tmp_path / "w.cwl").write_text(CONTAINED.replace("IMAGE", image))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    relance = [sys.executable, "-m", "relance"]
    try:
        say(*relance, "convert", tmp_path / "w.cwl", tmp_path / "a", "--engine", "cwltool", "-p", "n=1")
        say(*relance, "run", tmp_path / "a", "--runtime", "podman", "--no-reuse")
    finally:
        say("podman", "rmi", "--force", image)
    inside, number = (tmp_path / "a/outputs/said.txt").read_text().rsplit("\n", 2)[:2]
    assert "busybox" in inside.split()
    assert "root.tar" not in inside
    assert number == "1"
    assert not list((tmp_path / "tmp").iterdir())
    assert not list((tmp_path / "a/.snakemake").glob("cwltool-*"))
