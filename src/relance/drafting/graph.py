"""An analysis as its workflow engine sees it: configuration, jobs, inputs from outside, final products."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relance.errors import InputError

_LAST_LINES = 12
_CHATTER = {"Building DAG of jobs..."}


@dataclass(frozen=True)
class Job:
    """One job; paths as the workflow writes them."""

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    folders: frozenset[str]
    """Those of its inputs and outputs that are declared as folders."""
    patterns: tuple[str, ...]
    """Outputs as the rule writes them, wildcards in braces; temporary ones left out."""
    wildcards: tuple[str, ...]
    image: str | None
    command: str
    values: tuple[str, ...] = ()
    """Those of its wildcards."""
    logs: tuple[str, ...] = ()
    checkpoint: bool = False
    """Whether jobs that need it are known only once it has run."""
    resolved: str | None = None
    """The command with all that the rule fills in; None if there is none, or it is known only in the run."""


@dataclass(frozen=True)
class Graph:
    """All jobs of the default target."""

    snakefile: str
    """Relative to the analysis."""
    configuration_file: str | None
    """The last one read; relative to the analysis where it lies in it."""
    configuration: Mapping[str, Any]
    jobs: tuple[Job, ...]
    targets: tuple[Job, ...]

    @property
    def final(self) -> tuple[str, ...]:
        """The products that the default target asks for."""
        files = [path for job in self.targets for path in (job.outputs or job.inputs)]
        return tuple(dict.fromkeys(files))

    @property
    def folders(self) -> frozenset[str]:
        """Products that are folders."""
        return frozenset(path for job in self.jobs for path in job.folders)

    @property
    def external(self) -> Mapping[str, tuple[str, ...]]:
        """Inputs that no job makes, each with the rules that read it."""
        made = {path for job in self.jobs for path in job.outputs}
        found: dict[str, set[str]] = {}
        for job in self.jobs:
            for path in job.inputs:
                if path not in made:
                    found.setdefault(path, set()).add(job.rule)
        return {path: tuple(sorted(found[path])) for path in sorted(found)}


def read(
    analysis: Path, snakefile: Path, configuration: Path | None, environment: Mapping[str, str]
) -> Graph:
    """Ask Snakemake for the graph of an analysis; its Snakefile's Python runs, none of its jobs.

    Args:
        analysis: absolute path of its folder.
        snakefile: its Snakefile.
        configuration: a configuration file in place of the one that the Snakefile names.
        environment: that of the process.

    Raises:
        InputError: Snakemake refuses the analysis; its last words are told.
    """
    with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
        outfile = Path(scratch) / "graph.json"
        command = [sys.executable, "-m", "relance.drafting.probe", str(snakefile), str(outfile)]
        done = subprocess.run(
            [*command, *([str(configuration)] if configuration else [])],
            cwd=analysis,
            # Steps aren't run: an analysis that asks must not need its images now.
            env={**environment, "RELANCE_RUNTIME": "plain"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode or not outfile.is_file():
            words = [
                line.strip() for line in done.stderr.splitlines() if line.strip() and line not in _CHATTER
            ]
            raise InputError(
                f"{snakefile}",
                expected="an analysis that 'snakemake --dry-run' accepts",
                found="; ".join(words[-_LAST_LINES:]) or f"no reason given (status {done.returncode})",
                next_step="mend that, or give another configuration with --config",
            )
        told = json.loads(outfile.read_text(encoding="utf-8"))
    files = [_relative(file, analysis) for file in told["configfiles"]]
    jobs = sorted(map(_job, told["jobs"]), key=lambda job: (job.rule, job.outputs, job.inputs))
    return Graph(
        snakefile=_relative(str(snakefile), analysis),
        # Snakemake lists one that is given before those that the Snakefile names.
        configuration_file=_relative(str(configuration), analysis)
        if configuration
        else (files[-1] if files else None),
        configuration=told["configuration"],
        jobs=tuple(jobs),
        targets=tuple(map(_job, told["targets"])),
    )


def _job(told: Mapping[str, Any]) -> Job:
    return Job(
        rule=told["rule"],
        inputs=tuple(told["inputs"]),
        outputs=tuple(told["outputs"]),
        folders=frozenset(told["folders"]),
        patterns=tuple(told["patterns"]),
        wildcards=tuple(told["wildcards"]),
        image=told["image"],
        command=told["command"],
        values=tuple(told["values"]),
        logs=tuple(told["logs"]),
        checkpoint=told["checkpoint"],
        resolved=told["resolved"],
    )


def _relative(path: str, analysis: Path) -> str:
    absolute = (analysis / path).resolve()
    return str(absolute.relative_to(analysis)) if absolute.is_relative_to(analysis) else str(absolute)
