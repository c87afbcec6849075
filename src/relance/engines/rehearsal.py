"""An analysis run here as a REANA server runs it, so that what would break there breaks here.

The workspace gets what would be sent and nothing else; `snakemake_executor_plugin_relance_reana` runs jobs.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relance.engines import process, runtimes
from relance.engines.reana.declared import Declared
from relance.errors import InputError, MissingPartError
from relance.model import ImageRef, Runtime, RuntimeKind

USER, GROUP = 1000, 0
"""Whom jobs run as: REANA's defaults."""

_PATIENCE = "2"  # seconds that Snakemake waits for an output that a job did not make


@dataclass(frozen=True)
class Failure:
    """A job that failed."""

    rule: str
    image: str
    """As the rule names it; empty if it names none."""
    never_began: str | None
    """What the engine of containers said if there never was one for it; None: the job itself is to blame."""


@dataclass(frozen=True)
class Rehearsal:
    """What came of it."""

    workspace: Path
    ended: int
    """Exit status of Snakemake."""
    console: Path
    """What Snakemake printed, with the last words of jobs that failed."""
    stopped: bool
    """Whether somebody stopped it."""
    failures: tuple[Failure, ...]
    """Of jobs; there are none if it ended before any."""


def workspace(declared: Declared, folder: Path) -> Path:
    """Make a workspace that holds copies of what would be sent, as a server's does; return it.

    Raises:
        InputError: the folder is there already.
    """
    made = folder / "workspace"
    try:
        made.mkdir(parents=True)
    except FileExistsError:
        raise InputError(
            str(made), expected="a new folder", found="one that is there", next_step="remove it"
        ) from None
    for path in sorted({*declared.definition, *declared.inputs}):
        target = made / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(declared.place(path), target)
    for place in (made, *made.rglob("*")):
        if os.geteuid() == 0:
            os.chown(place, USER, GROUP)
        elif os.geteuid() != USER:
            place.chmod(place.stat().st_mode | 0o066 | (0o011 if place.is_dir() else 0))
    return made


def run(
    place: Path,
    snakefile: str,
    configuration: Mapping[str, Any],
    runtime: Runtime,
    images: tuple[ImageRef, ...],
    *,
    jobs: int,
    environment: Mapping[str, str],
    keep_going: bool = False,
    beat: Callable[[], None] = lambda: None,
    stop: Callable[[], signal.Signals | None] = lambda: None,
) -> Rehearsal:
    """Run the workflow of a workspace to its end.

    Args:
        place: the workspace.
        snakefile: relative to it.
        configuration: what a server would give to Snakemake.
        runtime: of the jobs' containers.
        images: that were built here.
        jobs: most at once.
        environment: of the Snakemake process; jobs see none of it.
        keep_going: whether jobs that don't need a failed one still run.
        beat: called now and then.
        stop: gives the signal that somebody stopped it with, if so.

    Raises:
        MissingPartError: the runtime has no containers.
    """
    folder = place.parent
    logs, settings, plan = folder / "logs", folder / "parameters.json", folder / "plan.json"
    logs.mkdir()
    settings.write_text(json.dumps(configuration), encoding="utf-8")
    failures = folder / "failures.jsonl"
    noted = {"logs": str(logs), "failures": str(failures)}
    plan.write_text(json.dumps({**_plan(place, runtime, images), **noted}), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--configfile", str(settings)]
    command += ["--executor", "relance-reana", "--relance-reana-plan", str(plan), "--jobs", str(jobs)]
    command += ["--nocolor", "--latency-wait", _PATIENCE, *(["--keep-going"] if keep_going else [])]
    console = folder / "console.log"
    ending = process.run(
        command,
        folder=place,
        environment={**environment, "RELANCE_RUNTIME": "plain"},  # a server has no list of images built here
        console=console,
        beat=beat,
        stop=stop,
    )
    lines = failures.read_text("utf-8").splitlines() if failures.exists() else []
    failed = tuple(Failure(**json.loads(line)) for line in lines)
    return Rehearsal(place, ending.status, console, ending.stopped_by is not None, failed)


def _plan(place: Path, runtime: Runtime, images: tuple[ImageRef, ...]) -> dict[str, Any]:
    """Return how containers are started, what stands before pulled images, and where those built here are.

    `named` is the option for a file that the engine writes once there is a container; empty: it has none.
    """
    program = str(runtimes.program(runtime.kind))
    if runtime.kind is RuntimeKind.APPTAINER:
        start = [program, "--silent", "exec", "--containall", "--no-home", "--net", "--network", "none"]
        if os.geteuid() == 0:
            start += ["--security", f"uid:{USER},gid:{GROUP}"]
        built = {name: str(one.runtime_path) for one in images if one.runtime_path for name in one.written}
        return {
            "start": [*start, "--pwd", "/", "--bind", str(place)],
            "shell": ["bash", "-c"],
            "images": built,
            "pulled": "docker://",
            "named": "",
        }
    if runtime.kind is RuntimeKind.PLAIN:
        raise MissingPartError(
            "a rehearsal",
            expected="Apptainer, Podman or Docker, since every job runs in its image",
            found="none that works",
            next_step="install one of them",
        )
    start = [program, "run", "--rm", "--network", "none", "--security-opt", "label=disable"]
    if runtime.kind is RuntimeKind.PODMAN and runtime.rootless:
        start += [f"--userns=keep-id:uid={USER},gid={GROUP}"]
    start += ["--user", f"{USER}:{GROUP}", "--volume", f"{place}:{place}", "--entrypoint", "bash"]
    built = {name: str(one.config) for one in images if one.config for name in one.written}
    return {"start": start, "shell": ["-c"], "images": built, "pulled": "", "named": "--cidfile"}
