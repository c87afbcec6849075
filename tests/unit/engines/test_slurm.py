import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from relance.engines import slurm, snakemake
from relance.engines.snakemake import RunFolder
from relance.errors import MissingPartError
from relance.model import RunRequest, RuntimeKind, Slurm

FOLDER = RunFolder(Path("/analysis/.snakemake/relance/run-a_1"))
ENDED = """SLURM-job '7' failed, SLURM status is: '{}'. Detailed failure reason unavailable
For further error details see the cluster/cloud log and the log files of the involved rule(s)."""
AROUND = """
SNAKEMAKE
=========
  Host: {host}

Building DAG of jobs...
[Sun Nov 22 13:55:42 2026]
{kind} fit:
    output: limit.json
    jobid: 0
    resources: tmpdir=/tmp, mem_mb=1000"""
AFTER = """[Sun Nov 22 13:55:43 2026]
Error in rule fit:
    output: limit.json
Exiting because a job execution failed. Look above for error messages
WorkflowError:
At least one job did not complete successfully."""


def asking(
    answers: Callable[[Sequence[str]], tuple[int, str]],
) -> Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]:
    def ask(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        status, said = answers(command)
        return subprocess.CompletedProcess(list(command), status, said, said)

    return ask


@pytest.mark.parametrize("accounted", [True, False])
def test_a_cluster_that_answers_is_used_and_asked_in_the_way_that_it_knows(
    accounted: bool, tmp_path: Path
) -> None:
    ask = asking(lambda command: (0 if accounted or command[0] != "sacct" else 1, "main*"))
    found = slurm.find(5, ask, lambda name: name, lambda name: name)
    assert found == Slurm(jobs=5, accounted=accounted)
    (tmp_path / "Snakefile").touch()
    request = RunRequest(tmp_path, cores=None, slurm=found, arguments=("--slurm-qos", "short"))
    line = snakemake.arguments(request, RuntimeKind.APPTAINER, FOLDER)
    assert line[line.index("--executor") + 1] == "slurm"
    assert line[line.index("--jobs") + 1] == "5"
    assert ("--slurm-status-command" in line) is not accounted
    assert "--cores" not in line
    assert line[-2:] == ["--slurm-qos", "short"]


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        ("snakemake_executor_plugin_slurm", r"found none, expected Snakemake's plugin.*relance\[slurm\]"),
        ("sbatch", "found no sbatch, expected its commands"),
        ("controller", "found slurm_load_partitions: Unable to contact.*type 'sinfo'"),
    ],
)
def test_what_is_missing_is_told_with_what_to_do(absent: str, message: str) -> None:
    def has(name: str) -> str | None:
        return None if name == absent else name

    refusal = (1, "slurm_load_partitions: Unable to contact slurm controller\n")
    ask = asking(lambda _: refusal if absent == "controller" else (0, "main*"))
    with pytest.raises(MissingPartError, match=message):
        slurm.find(1, ask, has, has)


def test_only_the_jobs_of_this_run_are_cancelled_until_none_is_left() -> None:
    takes = {"3 run-a_1_0f": 1, "4 run-a_12_0f": 1, "5 other": 1, "6 run-a_1_0f": 2}

    def answer(command: Sequence[str]) -> tuple[int, str]:
        if command[0] == "scancel":
            for line in [line for line in takes if line.split()[0] in command[1:]]:
                takes[line] -= 1
        return 0, "\n".join(line for line, left in takes.items() if left)

    slurm.end(FOLDER, asking(answer), lambda _: None)
    assert takes == {"3 run-a_1_0f": 0, "4 run-a_12_0f": 1, "5 other": 1, "6 run-a_1_0f": 0}


def test_nothing_is_cancelled_where_the_queue_cannot_be_read() -> None:
    commands: list[str] = []

    def answer(command: Sequence[str]) -> tuple[int, str]:
        commands.append(command[0])
        return 1, ""

    slurm.end(FOLDER, asking(answer), lambda _: None)
    assert commands == ["squeue"]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (ENDED.format("TIMEOUT"), "Slurm ended its job 7: TIMEOUT"),
        (ENDED.format("OUT_OF_MEMORY"), "Slurm ended its job 7: OUT_OF_MEMORY"),
        (ENDED.format("FAILED"), ""),
        (
            "SLURM sbatch failed. The error message was 'sbatch: error: invalid partition specified: no\n"
            "sbatch: error: it failed'.\n    sbatch call:\n        sbatch --parsable\n",
            "Slurm refused it: sbatch: error: invalid partition specified: no sbatch: error: it failed",
        ),
        ("", ""),
    ],
)
def test_what_slurm_did_to_a_job_is_told_apart_from_the_jobs_own_failure(message: str, reason: str) -> None:
    assert slurm.reason(message) == reason


def log(*parts: str) -> list[str]:
    return "\n".join(parts).splitlines()


def test_of_a_log_what_the_job_printed_is_left() -> None:
    outer, inner = AROUND.format(host="a", kind="rule"), AROUND.format(host="b", kind="localrule")
    error = "RuleException:\nCalledProcessError in file Snakefile, line 3:"
    srun = "srun: error: a: task 0: Exited with exit code 1"
    printed = log("Activating singularity image /i.sif", "no such quark")
    written = log(outer, inner, *printed, error, AFTER, srun, AFTER)
    assert slurm.said(written) == ["no such quark"]


def test_of_a_log_what_slurm_did_to_the_job_is_left() -> None:
    outer, inner = AROUND.format(host="a", kind="rule"), AROUND.format(host="b", kind="localrule")
    limit = "slurmstepd-a: error: *** JOB 12 ON a CANCELLED AT 2026-11-22T14:13:57 DUE TO TIME LIMIT ***"
    assert slurm.said(log(outer, inner, "event 1", AFTER, limit, AFTER)) == ["event 1", limit]


def test_a_job_whose_snakemake_did_not_start_tells_why() -> None:
    fatal = "srun: fatal: Could not establish a configuration source"
    assert slurm.said(log(AROUND.format(host="a", kind="rule"), fatal, AFTER)) == [fatal]
    assert slurm.said(["/bin/sh: 1: /home/me/.venv/bin/python: not found"]) == [
        "/bin/sh: 1: /home/me/.venv/bin/python: not found"
    ]
