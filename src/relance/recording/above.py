"""Jobs that Snakemake's graph has no more once a checkpoint was restored: its own, and those above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from relance.recording.jobs import and_folders
from relance.recording.sources import Graph, GraphJob


def completed(graph: Graph, earlier: Sequence[Graph]) -> Graph:
    """Return a graph with the jobs of earlier readings that it lacks, though what its jobs read came of them.

    Args:
        graph: as the run had it.
        earlier: as it was read before checkpoints were restored, the first reading first.
    """
    made = {path for job in graph.jobs for path in job["output"]}
    makers: dict[str, GraphJob] = {}
    for one in earlier:
        makers |= {path: job for job in one.jobs for path in job["output"]}
    waiting = [path for job in graph.jobs for path in job["input"]]
    waiting += [path for path, job in makers.items() if job["checkpoint"]]
    found: dict[tuple[str, ...], GraphJob] = {}
    while waiting:
        for name in and_folders(waiting.pop()):
            job = makers.get(name)
            if job is None or not made.isdisjoint(job["output"]) or tuple(job["output"]) in found:
                continue
            found[tuple(job["output"])] = job
            waiting += job["input"]
    return replace(graph, jobs=(*graph.jobs, *(found[outputs] for outputs in sorted(found))))
