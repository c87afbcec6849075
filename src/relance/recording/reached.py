"""Which source files the code of each job of a run may reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from relance.model import UNKNOWN, Unknown
from relance.recording.code import JobCode, Parsed, SourceTree
from relance.recording.jobs import FoundJob
from relance.recording.sources import Graph


def of_jobs(
    analysis: Path, graph: Graph | None, found: Sequence[FoundJob]
) -> list[tuple[str, ...] | Unknown]:
    """Return of each job the source files that its code may reach."""
    records = [job.record for job in found]
    made = [path for record in records for path in (*record.outputs, *record.logs)]
    made += [job.benchmark for job in found if job.benchmark]
    parsed = Parsed((graph.snakefile, *graph.included), graph.read) if graph else Parsed()
    tree = SourceTree(analysis, made, parsed)
    return [tree.of_job(_job_code(job, graph)) for job in found]


def _job_code(job: FoundJob, graph: Graph | None) -> JobCode:
    record = job.record
    parameters = record.parameters if record.parameters != UNKNOWN else ()
    around = graph.around if graph else ""
    command = record.command if record.command != UNKNOWN else None
    return JobCode(
        kind=record.code.kind,
        command=f"{around}\n{command}" if command and around else command,
        script=job.script,
        inputs=record.inputs,
        texts=tuple(_texts(item.value for item in parameters)),
        environment=job.environment,
        # A rule's own `run:` stands in the Snakefile, and so does what is put around commands.
        needs_snakefile=bool(around),
    )


def _texts(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _texts(value.values())
        elif isinstance(value, list | tuple):
            yield from _texts(value)
