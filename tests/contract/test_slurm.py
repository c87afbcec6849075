"""`relance run --on slurm`: steps as jobs of a real Slurm, which these tests start for themselves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.contract.conftest import MACHINE, say

pytestmark = pytest.mark.container

WORKFLOW = """stages:
- name: make
  dependencies: [init]
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {n: {step: init, output: n}, out: '{workdir}/numbers.txt'}
    step:
      process: {process_type: string-interpolated-cmd, cmd: 'seq {n} > {out}'}
      environment: &tool {environment_type: docker-encapsulated, image: mine/tool, imagetag: '1'}
      publisher: {publisher_type: frompar-pub, outputmap: {out: out}}
- name: each
  dependencies: [make]
  scheduler:
    scheduler_type: multistep-stage
    parameters:
      file: {stages: make, output: out}
      factor: {step: init, output: factors}
      out: '{workdir}/scaled.txt'
    scatter: {method: zip, parameters: [factor]}
    step:
      process:
        process_type: string-interpolated-cmd
        cmd: 'while read -r x; do echo $((x * {factor})); done < {file} > {out}'
      environment: *tool
      publisher: {publisher_type: frompar-pub, outputmap: {out: out}}
"""
SNAKEFILE = """rule broken:
    output: "broken.txt"
    shell: "echo half > {output}; echo 'no such quark' >&2; exit 3"

rule slow:
    output: "slow.txt"
    shell: "echo half > {output}; sleep 600"
"""
TOOLS = ("mkdir", "cp", "rm")


@dataclass(frozen=True)
class Cluster:
    """A cluster of this one machine."""

    environment: dict[str, str]

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start `relance`."""
        return subprocess.Popen(
            [sys.executable, "-m", "relance", *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def jobs(self) -> str:
        """Return what waits or runs, by the folders that jobs were submitted from."""
        return say("squeue", "--noheader", "--format", "%Z", env=self.environment)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    for program in ("slurmctld", "slurmd", "munged", "sbatch"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing; as root on Debian, tests/machine/slurm.sh installs Slurm")
    plugin = say(MACHINE / "slurm_plugin.sh", env={**os.environ, "PYTHON": sys.executable})
    # Not in pytest's folders: their names are too long for a socket, and closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="relance-slurm-"))
    try:
        configuration = say(MACHINE / "slurmd.sh", "start", folder)
        given = {
            "SLURM_CONF": configuration,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": plugin,
        }
        yield Cluster({**os.environ, **given})
    finally:
        say(MACHINE / "slurmd.sh", "stop", folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def image(root_filesystem: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tool")
    root = folder / "root"
    shutil.copytree(root_filesystem, root, symlinks=True)
    for name in TOOLS:
        shutil.copy(str(shutil.which(name)), root / "usr/bin" / name)
    say("apptainer", "build", folder / "tool.sif", root)
    return folder / "tool.sif"


@dataclass(frozen=True)
class Started:
    """A run that goes on."""

    folder: Path
    process: "subprocess.Popen[str]"


def started(cluster: Cluster, folder: Path) -> Started:
    """Start a run of the rule that a folder is named after."""
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    words = ("--runtime", "plain", "--store", str(folder / "store"), "--on", "slurm", "--", folder.name)
    return Started(folder, cluster.start("run", str(folder), *words))


@pytest.fixture(scope="module")
def broken(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A run whose job fails. It is waited for last: the plugin takes its time to see it."""
    run = started(cluster, tmp_path_factory.mktemp("runs") / "broken")
    with run.process as process:
        yield run
        process.kill()


def products(analysis: Path) -> dict[str, bytes]:
    folder = analysis / "workdir"
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".snakemake_timestamp"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def record(analysis: Path) -> dict:
    paths = analysis.glob(".snakemake/relance/run-*/record.json")
    return json.loads(max(paths, key=lambda path: path.stat().st_mtime_ns).read_text())


@pytest.mark.usefixtures("broken")
def test_a_compiled_workflow_of_yadage_runs_as_jobs_with_the_files_and_the_record_of_a_local_run(
    cluster: Cluster, image: Path, tmp_path: Path
) -> None:
    (tmp_path / "workflow.yml").write_text(WORKFLOW)
    here, there = tmp_path / "here", tmp_path / "there"

    def relance(*words: str) -> str:
        running = cluster.start(*words, "--store", str(tmp_path / f"store-{Path(words[1]).name}"))
        output, errors = running.communicate()
        assert running.returncode == 0, output + errors
        return errors

    values = ["-p", "n=3", "-p", "factors=[2,5]", "-q"]
    converted = cluster.start("convert", str(tmp_path / "workflow.yml"), str(here), *values)
    assert (converted.communicate(), converted.returncode) == (("", ""), 0)
    config = yaml.safe_load((here / "config.yaml").read_text())
    config["images"] = {"docker://mine/tool:1": str(image)}
    (here / "config.yaml").write_text(yaml.safe_dump(config))
    shutil.copytree(here, there)
    relance("run", str(here), "--runtime", "apptainer")
    told = relance("run", str(there), "--on", "slurm", "--jobs", "8")
    assert "as up to 8 jobs of Slurm at once" in told
    assert products(there) == products(here)
    assert products(there)["each_1/scaled.txt"] == b"5\n10\n15\n"
    ran, local = record(there), record(here)
    assert [(job["status"], job["exit"]) for job in ran["jobs"]] == [("ok", 0)] * 3
    assert all(1 << 20 < times["peak_memory"] < 1 << 30 for times in ran["times"]["jobs"])
    assert ran["run"]["processor"] == "unknown"
    assert ran["files"] == local["files"]
    shutil.rmtree(there / "workdir")
    # The store that the local run filled serves as well: a job's place is no part of its key.
    (tmp_path / "store-there").rename(tmp_path / "store-other")
    shutil.copytree(tmp_path / "store-here", tmp_path / "store-there")
    assert "restored 3 steps from the store" in relance("run", str(there), "--on", "slurm")
    assert products(there) == products(here)
    assert cluster.jobs() == ""


def test_an_interrupted_run_leaves_no_job_and_nothing_half_written(cluster: Cluster, tmp_path: Path) -> None:
    slow = started(cluster, tmp_path / "slow")
    half = slow.folder / "slow.txt"
    with slow.process as process:
        while not half.exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert (process.returncode, "error: interrupted; 0 of 1 steps" in told) == (130, True)
    assert str(slow.folder) not in cluster.jobs()
    assert not half.exists()
    assert not list(slow.folder.glob(".snakemake/locks/*"))


def test_a_failed_job_tells_its_own_reason(broken: Started) -> None:
    _, told = broken.process.communicate()
    assert broken.process.returncode == 1
    assert "step 'broken' failed; the end of " in told
    assert "slurm/rule_broken/" in told
    assert ":\n    no such quark\nerror: step 'broken' failed" in told
    (job,) = record(broken.folder)["jobs"]
    assert (job["status"], job["exit"]) == ("failed", 3)
    assert not (broken.folder / "broken.txt").exists()
