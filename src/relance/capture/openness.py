"""What can't be told of a run, and what a rerun needs that a capsule doesn't hold, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from relance.errors import named
from relance.model import UNKNOWN, JobRecord, RunRecord
from relance.specification.model import Specification

_OWN = "{run}/"
_MOST = 8


def unknown(record: RunRecord) -> Iterator[str]:
    """Yield what nobody can tell of the run any more."""
    run = record.run
    if run.made == "afterwards":
        yield "times and failures: the run was recorded only after its end"
    if not run.graph:
        yield "parameters and images of jobs: Snakemake could not be asked for its graph"
    if run.runtime == UNKNOWN:
        yield "what the steps ran in"
    if run.snakemake == UNKNOWN:
        yield "which version of Snakemake ran them"
    aspects: tuple[tuple[str, Callable[[JobRecord], bool]], ...] = (
        ("the command of", lambda job: job.command == UNKNOWN),
        ("the parameters of", lambda job: job.parameters == UNKNOWN),
        ("the source files of", lambda job: job.code.files == UNKNOWN),
        ("whether they ended well:", lambda job: job.status == UNKNOWN),
    )
    for words, concerned in aspects:
        rules = sorted({job.rule for job in record.jobs if concerned(job)})
        if rules:
            yield f"{words} {named(rules, _MOST)}"
    lost = sorted(file.path for file in record.files if file.digest == UNKNOWN)
    if lost:
        yield f"the content of files that are gone: {named(lost, _MOST)}"
    if run.redacted:
        yield f"values that look like secrets and were left out: {named(sorted(run.redacted), _MOST)}"


def not_closed(record: RunRecord, specification: Specification) -> Iterator[str]:
    """Yield what the jobs need from outside of the capsule."""
    for outside in specification.outside:
        rules = f" (rules {', '.join(outside.rules)})" if outside.rules else ""
        yield f"{outside.kind}: {outside.name}{rules}: {outside.reason}"
    if record.run.read_outside != UNKNOWN:
        for file in record.run.read_outside:
            if file.path.startswith(_OWN):  # the values given for the run, which its configuration holds
                continue
            yield f"the Snakefile reads {file.path}, which lies outside of the analysis"
