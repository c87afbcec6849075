"""The jobs of a run in an order in which each comes after those that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import TopologicalSorter

from relance.capsule.model import CapsuleJob
from relance.capture.sources import places
from relance.model import JobRecord, RunRecord


def ordered(record: RunRecord) -> tuple[CapsuleJob, ...]:
    """Return a run's jobs, each after those whose outputs it reads, otherwise in the record's order."""
    makers = {path: number for number, job in enumerate(record.jobs) for path in job.outputs}
    needs = [_needed(job, makers) for job in record.jobs]
    sorter = TopologicalSorter(dict(enumerate(needs)))
    sorter.prepare()
    order: list[int] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    place = {number: position for position, number in enumerate(order)}
    return tuple(
        CapsuleJob(
            record.jobs[number],
            record.times[number],
            tuple(sorted(place[needed] for needed in needs[number])),
        )
        for number in order
    )


def _needed(job: JobRecord, makers: dict[str, int]) -> Sequence[int]:
    """Return the makers of what a job reads: of the file itself, or of a folder that it lies in."""
    found = set()
    for path in job.inputs:
        for place in places(path):
            if place in makers:
                found.add(makers[place])
                break
    return sorted(found)
