"""What Snakemake makes of an analysis, as JSON: a program of its own, for a Snakefile is Python and runs.

python -m relance.drafting.probe SNAKEFILE OUTFILE [CONFIGFILE]
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.io import get_flag_value, is_flagged
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    ResourceSettings,
)


def main(snakefile: Path, analysis: Path, outfile: Path, configurations: list[Path]) -> int:
    """Write the graph of every job of the default target; return 1 if Snakemake refuses the analysis."""
    with SnakemakeApi(OutputSettings()) as api:
        try:
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=ConfigSettings(configfiles=configurations),
                snakefile=snakefile,
                workdir=analysis,
            )
            # Any command of the interface builds the graph; this one changes nothing.
            with contextlib.redirect_stdout(io.StringIO()):
                workflow.dag(DAGSettings(forceall=True)).printd3dag()
        except Exception as error:  # noqa: BLE001 - whatever a Snakefile raises is told in Snakemake's words
            _tell(api, error)
            return 1
        outfile.write_text(json.dumps(_graph(workflow._workflow), default=str), encoding="utf-8")
    return 0


def _tell(api: Any, error: Exception) -> None:
    """Print an error as Snakemake does, which fails on some errors of syntax."""
    try:
        api.print_exception(error)
    except Exception:  # noqa: BLE001 - the error that matters is the first
        sys.stderr.write(f"{type(error).__name__}: {error}\n")


def _graph(workflow: Any) -> dict[str, Any]:
    dag = workflow.dag
    return {
        "configfiles": [str(file) for file in workflow.configfiles],
        "configuration": workflow.config,
        "targets": [_job(job) for job in dag.targetjobs],
        "jobs": [_job(job) for job in dag.jobs],
    }


def _job(job: Any) -> dict[str, Any]:
    return {
        "rule": job.rule.name,
        "inputs": [_original(file) for file in job.input],
        "outputs": [str(file) for file in job.output],
        "folders": [str(file) for file in [*job.input, *job.output] if is_flagged(file, "directory")],
        "patterns": [str(pattern) for pattern in job.rule.output if not is_flagged(pattern, "temp")],
        "wildcards": sorted(job.rule.wildcard_names),
        "values": [str(job.wildcards_dict[name]) for name in sorted(job.rule.wildcard_names)],
        "logs": [str(file) for file in job.log],
        "checkpoint": job.is_checkpoint,
        "resolved": _resolved(job),
        "image": job.container_img_url,
        "command": job.rule.shellcmd or "",
    }


def _original(file: Any) -> str:
    """Return an input's path; of Snakemake's own copy of a file (`workflow.source_path`) the file's."""
    copied = get_flag_value(file, "sourcecache_entry")
    return str(file if copied is None else copied).removeprefix(f"{Path.cwd()}/")


def _resolved(job: Any) -> str | None:
    """Return what the shell is told; None if the job has no such command, or it is known only later."""
    try:
        return str(job.shellcmd) if job.shellcmd else None
    except Exception:  # noqa: BLE001 - parameters are Python of the Snakefile's, and may need files to be there
        return None


if __name__ == "__main__":
    _snakefile, _outfile, *_configurations = map(Path, sys.argv[1:])
    sys.exit(main(_snakefile, Path.cwd(), _outfile, _configurations))
