"""Slurm, where a cluster's jobs wait: whether it can be used, what Snakemake is told of it, what it said.

Jobs are submitted, watched and cancelled by Snakemake's own plugin for it (`snakemake-executor-plugin-slurm`,
version 2.8). Each is a Snakemake on a node that runs the one job, in the same folder, with the same
`apptainer` first on its PATH.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from relance.engines import runtimes
from relance.engines.runtimes import Ask
from relance.engines.snakemake import RunFolder
from relance.errors import MissingPartError
from relance.model import RuntimeKind, Slurm

RUNTIMES = (RuntimeKind.APPTAINER, RuntimeKind.PLAIN)
"""What jobs on other machines can run in: Podman and Docker have images of this one alone."""

_PLUGIN = "snakemake_executor_plugin_slurm"
_PROGRAMS = ("sbatch", "squeue", "scancel", "sinfo")
_PATIENCE, _PAUSE = 60, 0.5  # seconds for cancelled jobs to end, and between two looks

_REFUSED = re.compile(r"The error message was '(?P<said>.*?)'\.\n", re.DOTALL)
_ENDED = re.compile(r"SLURM-job '(?P<job>\w+)' failed, SLURM status is: '(?P<status>\w+)'")
_OWN = re.compile(r"slurmstepd\S*: ")  # tells of a limit that the job went over, say
_BEGIN = "    resources: "
_END = re.compile(r"RuleException:$|\[.+\]$|Error in rule |Will exit after finishing")
_IMAGE = "Activating singularity image "


def find(
    jobs: int,
    ask: Ask = runtimes.ask,
    which: Callable[[str], object] = shutil.which,
    package: Callable[[str], object] = find_spec,
) -> Slurm:
    """Try whether jobs can be submitted from this machine.

    Args:
        jobs: most of them to have there at once.
        ask: runs a short command.
        which: finds a program; None where there is none.
        package: the same for one of Python.

    Raises:
        MissingPartError: Snakemake's plugin or Slurm's commands are missing, or nobody answers them.
    """
    if package(_PLUGIN) is None:
        raise MissingPartError(
            "Slurm can't be used",
            expected="Snakemake's plugin for it",
            found="none",
            next_step="type \"pip install 'relance[slurm]'\" and the same command again",
        )
    lacking = [program for program in _PROGRAMS if which(program) is None]
    if lacking:
        raise MissingPartError(
            "Slurm can't be used",
            expected=f"its commands {', '.join(_PROGRAMS)}",
            found=f"no {', '.join(lacking)}",
            next_step="go to a machine from which jobs are submitted, or leave '--on slurm' out",
        )
    answer = ask(["sinfo", "--noheader", "--format", "%P"])
    if answer.returncode != 0:
        said = [line for line in answer.stderr.splitlines() if line.strip()]
        raise MissingPartError(
            "Slurm can't be used",
            expected="an answer of its controller",
            found=said[-1].strip() if said else "none",
            next_step="type 'sinfo'; when that lists partitions, type the same command again",
        )
    # Where no account is kept of jobs, the program is there all the same, and refuses.
    accounted = ask(["sacct", "--noheader", "--jobs", "1"]).returncode == 0
    return Slurm(jobs, accounted)


def end(folder: RunFolder, ask: Ask = runtimes.ask, wait: Callable[[float], object] = time.sleep) -> None:
    """Cancel the jobs of a run, and wait until they have ended.

    Snakemake cancels those that it knows; one that it is just asking about, or submitting, it forgets.
    """
    for _ in range(round(_PATIENCE / _PAUSE)):
        jobs = _left(folder, ask)
        if not jobs:
            return
        ask(["scancel", *jobs])
        wait(_PAUSE)


def _left(folder: RunFolder, ask: Ask) -> list[str]:
    """Return the numbers of a run's jobs that wait or run; none if that can't be told."""
    answer = ask(["squeue", "--me", "--noheader", "--format", "%A %j"])
    pairs = [line.split() for line in answer.stdout.splitlines()]
    return sorted({pair[0] for pair in pairs if len(pair) > 1 and pair[1].startswith(f"{folder.path.name}_")})


def reason(message: str) -> str:
    """Return why Slurm itself ended or refused a job, by what the plugin said of it; else nothing."""
    if refused := _REFUSED.search(message):
        return f"Slurm refused it: {' '.join(refused['said'].split())}"
    ended = _ENDED.search(message)
    if ended and ended["status"] != "FAILED":  # that is how it tells of a job's own failure
        return f"Slurm ended its job {ended['job']}: {ended['status']}"
    return ""


def said(lines: Sequence[str]) -> list[str]:
    """Return what a job and Slurm printed, without what the Snakemakes around the job did.

    There are two, one in the other. Each tells of the job before it starts, its resources last.
    """
    begin = max((at for at, line in enumerate(lines) if line.startswith(_BEGIN)), default=-1) + 1
    end = next((at for at, line in enumerate(lines) if at >= begin and _END.match(line)), len(lines))
    own = [line for line in lines[end:] if _OWN.match(line)]
    return [*(line for line in lines[begin:end] if not line.startswith(_IMAGE)), *own]
