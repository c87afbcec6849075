"""Snakemake report plugin that captures the last run as a capsule, or writes the graph of its jobs.

    snakemake --reporter relance …
    snakemake --reporter relance --report-relance-name mine:2 --report-relance-specification FILE …
    snakemake --reporter relance --report-relance-outfile graph.json …

The first two are `relance capture` in the working folder; the last writes the jobs with what a run's events
lack, for relance itself. Nothing runs. All that relance reads of Snakemake's jobs beyond its declared
interfaces is read here.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_report_plugins.reporter import ReporterBase
from snakemake_interface_report_plugins.settings import ReportSettingsBase

_STRICT = "set -euo pipefail; "  # what Snakemake begins every command of bash with, unasked


@dataclass
class ReportSettings(ReportSettingsBase):  # type: ignore[misc]
    """Settings of the plugin, on Snakemake's command line as `--report-relance-…`."""

    # Snakemake reads the annotation itself and knows only this form of it.
    outfile: Optional[Path] = field(  # noqa: UP045
        default=None,
        metadata={"help": "File that the graph is written to, as JSON; nothing is captured then"},
    )
    name: Optional[str] = field(  # noqa: UP045
        default=None, metadata={"help": "What the capsule is called, or a FILE.tar to write it to as well"}
    )
    specification: Optional[Path] = field(  # noqa: UP045
        default=None, metadata={"help": "The specification, if there are several in the folder 'specs'"}
    )


class Reporter(ReporterBase):  # type: ignore[misc]
    """Captures the run of the working folder, or writes the graph of its jobs."""

    def render(self) -> None:
        """Do what the settings ask for.

        Raises:
            WorkflowError: the run can't be captured; the message says why.
        """
        outfile = getattr(self.settings, "outfile", None)
        if outfile is not None:
            write_graph(self.dag.workflow, outfile, {})
            return
        name = getattr(self.settings, "name", None)
        specification = getattr(self.settings, "specification", None)
        _capture(
            [*(("-o", name) if name else ()), *(("--spec", str(specification)) if specification else ())]
        )


def _capture(options: Sequence[str]) -> None:
    """Call `relance capture`, in a process of its own: Snakemake has a lock and handlers of signals here."""
    command = [sys.executable, "-m", "relance", "capture", *options]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise WorkflowError(done.stderr.strip())
    sys.stderr.write(done.stderr + done.stdout)


def write_graph(workflow: Any, outfile: str | Path, observed: Mapping[str, Any]) -> None:
    """Write the jobs of a Snakemake workflow whose graph is built, and what was observed of it.

    Args:
        workflow: Snakemake's own object.
        outfile: gets the graph, whole or not at all.
        observed: what `relance.engines.observer` noted; goes into the file as it is.
    """
    jobs = [_job(job) for job in workflow.dag.jobs]
    jobs.sort(key=lambda job: (job["rule"], job["output"], sorted(job["wildcards"].items())))
    graph = {
        "snakefile": workflow.main_snakefile,
        "included": [str(path) for path in workflow.included],
        "configuration": _exact(dict(workflow.config))[0],
        "configfiles": [str(path) for path in workflow.configfiles],
        "jobs": jobs,
        "images": _images(workflow),
        "envvars": sorted(workflow.envvars),
        "around": _around(),
        "observed": dict(observed),
    }
    partial = Path(f"{outfile}.partial")
    partial.write_text(json.dumps(graph, sort_keys=True, indent=1) + "\n", encoding="utf-8")
    partial.replace(outfile)


def _images(workflow: Any) -> list[str]:
    """Return the images that rules name as text, also of rules that have no job yet."""
    named = {rule.container_img for rule in workflow.rules if isinstance(rule.container_img, str)}
    return sorted(name for name in named if "{" not in name)


_SPECIAL = ("before_update", "from_queue", "pipe", "service", "update")
"""Flags of files that are more, or less, than what a job reads once and writes once."""


def _around() -> str:
    """Return what `shell.prefix` and `shell.suffix` put around every command of `shell:`."""
    from snakemake.shell import shell  # noqa: PLC0415 - Snakemake may import this module before its own

    return f"{(shell._process_prefix or '').removeprefix(_STRICT)}{shell._process_suffix or ''}"


def _job(job: Any) -> dict[str, Any]:
    rule = job.rule
    kind, path = _code(job)
    return {
        "rule": rule.name,
        "wildcards": {key: str(value) for key, value in job.wildcards_dict.items()},
        "input": [str(item) for item in job.input],
        "output": [str(item) for item in job.output],
        "temporary": [str(item) for item in job.output if item.flags.get("temp")],
        "protected": [str(item) for item in job.output if item.flags.get("protected")],
        "directories": [str(item) for item in job.output if item.flags.get("directory")],
        "log": [str(item) for item in job.log],
        "benchmark": str(job.benchmark) if job.benchmark else None,
        "params": _parameters(job.params),
        "shellcmd": job.shellcmd,
        "image": job.container_img_url,
        "environment": _environment(job),
        "kind": kind,
        "script": path,
        "threads": int(job.threads),
        "checkpoint": bool(job.is_checkpoint),
        "pending": bool(job.dag.needrun(job)),
        "reason": str(job.dag.reason(job)),
        "special": sorted(
            {flag for item in (*job.input, *job.output) for flag in _SPECIAL if item.flags.get(flag)}
        ),
    }


def _environment(job: Any) -> str | None:
    """Return the file of `conda:`, if a job's rule has one."""
    file = getattr(job.conda_env_spec, "file", None)
    return None if file is None else str(file.get_path_or_uri(secret_free=True))


def _code(job: Any) -> tuple[str, str | None]:
    """Return what a job's code is, and its file if it has one of its own."""
    for kind in ("script", "notebook"):
        written = getattr(job.rule, kind)
        if written:
            path = str(getattr(written, "path", written)).removeprefix("file://")
            if "://" not in path and not os.path.isabs(path):  # noqa: PTH117 - may be no path at all
                # Rules in a folder of their own write ../scripts/…; Snakemake takes it as text, too.
                path = os.path.normpath(Path(str(job.rule.basedir.get_path_or_uri(secret_free=True)), path))
            return kind, path
    if job.is_shell:
        return "shell", None
    return ("run" if job.is_run else "none" if not job.output else "other"), None


def _parameters(params: Any) -> list[dict[str, Any]]:
    """Return parameters in their order, each with its name, if it has one."""
    names: dict[int, str] = {}
    for name, (start, end) in params._get_names():
        if end is None:
            names[start] = name
        else:
            names.update(dict.fromkeys(range(start, end), name))
    found = []
    for at, item in enumerate(params):
        value, exact = _exact(item)
        found.append({"name": names.get(at), "value": value, "exact": exact})
    return found


def _exact(value: Any) -> tuple[Any, bool]:  # noqa: PLR0911 - one for each kind
    """Return a value as JSON says it and whether nothing was lost; what JSON can't say becomes text."""
    if value is None or isinstance(value, bool | int):
        return value, True
    if isinstance(value, float):
        return (value, True) if math.isfinite(value) else (str(value), False)
    if isinstance(value, str):
        return str(value), True
    if isinstance(value, dict):
        pairs = {str(key): _exact(item) for key, item in value.items()}
        return {key: item for key, (item, _) in pairs.items()}, all(exact for _, exact in pairs.values())
    if isinstance(value, list | tuple):
        items = [_exact(item) for item in value]
        return [item for item, _ in items], all(exact for _, exact in items)
    if isinstance(value, os.PathLike):
        return os.fspath(value), True
    return repr(value), False
