"""How Snakemake is called: its command line and its environment."""

from __future__ import annotations

import base64
import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from relance.engines import roots
from relance.engines.shown import Shown
from relance.errors import InputError
from relance.model import RunRequest, RuntimeKind, Slurm, StepProgress, StepState

JOB_ENVIRONMENT = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""What every job sees besides PATH, HOME and TMPDIR, in every runtime, so that results are the same."""

_OBSERVER = Path(__file__).with_name("observer.py")
_LOOK = 10  # seconds between two looks at short jobs; the plugin looks less often while none ends
_LATENCY = 60  # seconds until a shared file system shows what another machine wrote
_SNAKEFILES = ("Snakefile", "workflow/Snakefile", "snakefile", "workflow/snakefile")
_OTHERS = (
    "recast.yml",
    "recast.yaml",
    "reana.yaml",
    "reana.yml",
    "workflow.yml",
    "workflow.yaml",
    "workflow.cwl",
)
"""Specifications of other languages."""


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, in a folder of its own below `.snakemake/relance`."""

    path: Path

    @property
    def events(self) -> Path:
        """What the logger plugin writes."""
        return self.path / "events.jsonl"

    @property
    def console(self) -> Path:
        """What Snakemake and its jobs print."""
        return self.path / "console.log"

    @property
    def graph(self) -> Path:
        """The graph of jobs that the run used, with what its Snakefile read; see `observer.py`."""
        return self.path / "graph.json"

    @property
    def made(self) -> Path:
        """What a Snakemake that isn't trusted may write to: its graph goes here first."""
        return self.path / "made"

    @property
    def memory(self) -> Path:
        """What jobs took of memory, each at most, as `standin/measured.py` notes it."""
        return self.path / "memory.tsv"

    @property
    def slurm(self) -> Path:
        """What jobs print that run on a batch system."""
        return self.path / "slurm"

    @property
    def settings(self) -> Path:
        """The values that replace those of the configuration."""
        return self.path / "settings.json"

    @property
    def programs(self) -> Path:
        """The stand-in's commands."""
        return self.path / "bin"

    @property
    def gate(self) -> Path:
        """Where Snakemake waits until it may begin; see `gates.py`."""
        return self.programs / "gate"

    @property
    def scratch(self) -> Path:
        """Home and temporary folder of the jobs."""
        return self.path / "scratch"


def snakefile(analysis: Path) -> Path:
    """Return the Snakefile of an analysis.

    Raises:
        InputError: there is none.
    """
    for name in _SNAKEFILES:
        if (analysis / name).is_file():
            return analysis / name
    other = next((name for name in _OTHERS if (analysis / name).is_file()), None)
    raise InputError(
        f"{analysis} is no analysis",
        expected="a Snakefile in it",
        found="none" if analysis.is_dir() else "no such folder",
        next_step=f"make one of the {other} there: relance convert {other} DIR"
        if other
        else "give the folder of an analysis: relance run DIR",
    )


def write_settings(request: RunRequest, folder: RunFolder) -> None:
    """Write the values that replace those of the configuration, if there are any."""
    if request.settings:
        folder.settings.write_text(json.dumps(request.settings, indent=1) + "\n", encoding="utf-8")


def observed(
    mode: Literal["run", "graph"], outfile: Path, arguments: Iterable[str], gate: Path | None = None
) -> list[str]:
    """Return the command that starts Snakemake with `arguments` and writes its graph; see `observer.py`.

    It waits at `gate`, if there is one; see `gates.py`.
    """
    return [sys.executable, str(_OBSERVER), mode, str(outfile), str(gate or "-"), *arguments]


def words(command: Sequence[str]) -> Sequence[str]:
    """Return what `observed` tells `observer.py`, for one that was started already."""
    return command[2:]


def command(
    request: RunRequest,
    runtime: RuntimeKind,
    folder: RunFolder,
    *,
    enclosed: bool = False,
    gated: bool = False,
    shown: Shown | None = None,
    pulled: Path | None = None,
) -> list[str]:
    """Return Snakemake's command line for a request; see `arguments`. `gated`: it waits at the run's gate."""
    graph = folder.made / folder.graph.name if enclosed else folder.graph
    gate = folder.gate if gated else None
    given = arguments(request, runtime, folder, enclosed=enclosed, shown=shown, pulled=pulled)
    return observed("run", graph, given, gate)


def arguments(
    request: RunRequest,
    runtime: RuntimeKind,
    folder: RunFolder,
    *,
    enclosed: bool = False,
    shown: Shown | None = None,
    pulled: Path | None = None,
) -> list[str]:
    """Return Snakemake's arguments for a request.

    `enclosed`: whether it runs in a sandbox, where a stand-in and a broker run the jobs in every runtime.
    `shown`: what jobs are shown of what nobody can keep; a stand-in shows it by itself.
    `pulled`: where Apptainer's images lie, if not where Snakemake pulls them to.
    """
    main = request.analysis / request.snakefile if request.snakefile else snakefile(request.analysis)
    given = ["--snakefile", str(main)]
    given += ["--directory", str(request.analysis)]
    if request.cores is not None:
        given += ["--cores", str(request.cores)]
    given += ["--scheduler", "greedy", "--rerun-incomplete"]
    # Progress is told from the events; the console is left to what the jobs print.
    given += ["--quiet", "all", "--logger", "relance", "--logger-relance-outfile", str(folder.events)]
    given += ["--software-deployment-method", "apptainer"]
    if runtime is RuntimeKind.APPTAINER and not enclosed:
        given += [f"--apptainer-args={apptainer_arguments(request.analysis, folder, shown)}"]
        given += ["--apptainer-prefix", str(pulled)] if pulled else []
    else:
        # A stand-in's pulled image is a text file, which must never be taken for an image by Apptainer.
        images = request.analysis / ".snakemake" / "relance" / f"{runtime}-images"
        given += ["--apptainer-prefix", str(images)]
    if enclosed:  # jobs see the analysis alone, and so its copies of source files have to lie there
        given += ["--runtime-source-cache-path", str(request.analysis / ".snakemake" / "source-cache")]
    configurations = [request.configuration] if request.configuration else []
    if request.settings:
        configurations.append(folder.settings)
    if configurations:
        given += ["--configfile", *map(str, configurations)]
    if request.dry_run:
        given.append("--dry-run")
    if request.keep_going:
        given.append("--keep-going")
    if request.slurm is not None:
        given += slurm_arguments(request.slurm, folder)
    return [*given, *request.arguments]


def slurm_arguments(slurm: Slurm, folder: RunFolder) -> list[str]:
    """Return the options that hand jobs to Slurm, by the plugin `snakemake-executor-plugin-slurm`."""
    given = ["--executor", "slurm", "--jobs", str(slurm.jobs), "--latency-wait", str(_LATENCY)]
    given += ["--slurm-init-seconds-before-status-checks", str(_LOOK)]
    given += ["--slurm-jobname-prefix", folder.path.name, "--slurm-logdir", str(folder.slurm)]
    if not slurm.accounted:  # the plugin takes sacct wherever there is a program of that name
        given += ["--slurm-status-command", "squeue"]
    return given


def apptainer_arguments(analysis: Path, folder: RunFolder, shown: Shown | None = None) -> str:
    """Return the options of `apptainer exec` that keep the host's files, environment and network out."""
    shown = shown or Shown()
    options = ["--containall", *([] if shown.network else ["--network", "none"])]
    options += ["--pwd", str(analysis), "--bind", str(analysis)]
    for mount in shown.linked(folder.scratch):
        options += ["--bind", f"{mount.source}:{mount.target}:ro"]
    options += ["--home", f"{folder.scratch / 'home'}:{roots.HOME}"]
    options += ["--bind", f"{folder.scratch / 'tmp'}:{roots.TEMPORARY}"]
    for name, value in {**JOB_ENVIRONMENT, "TMPDIR": roots.TEMPORARY, **shown.variables}.items():
        options += ["--env", f"{name}={value}"]
    return shlex.join(options)


def environment(outer: Mapping[str, str], runtime: RuntimeKind, folder: RunFolder) -> dict[str, str]:
    """Return the environment of the Snakemake process, from that of its caller.

    Variables that would change what Apptainer does or shows to a job are left out. RELANCE_RUNTIME tells a
    Snakefile what its steps run in.
    """
    kept = {
        name: value
        for name, value in outer.items()
        if not name.startswith(("APPTAINER", "SINGULARITY")) or name.endswith(("_CACHEDIR", "_TMPDIR"))
    }
    kept["RELANCE_RUNTIME"] = runtime.value
    kept["PATH"] = os.pathsep.join([str(folder.programs), outer.get("PATH", os.defpath)])
    return kept


def uncontained(analysis: Path, steps: Iterable[StepProgress]) -> tuple[str, ...]:
    """Return the rules of finished steps that ran outside any container, as Snakemake's records tell it.

    A step without a record is passed over.
    """
    records = analysis / ".snakemake" / "metadata"
    found = set()
    for step in steps:
        if step.state is StepState.DONE and step.outputs:
            name = base64.b64encode(step.outputs[0].encode(), b"+-").decode()
            try:
                record = json.loads((records / name).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if record.get("container_img_url", "") is None:
                found.add(step.rule)
    return tuple(sorted(found))
