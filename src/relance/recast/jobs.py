"""What became of each job."""

from __future__ import annotations

from relance.model import RunRecord
from relance.recast import reuse
from relance.recast.model import Job
from relance.steps.plan import Plan


def of(planned: Plan, ran: RunRecord | None) -> tuple[Job, ...]:
    """Return what became of each job; those behind a checkpoint are known only from the record."""
    seconds = _seconds(ran) if ran is not None else {}
    known = tuple(
        Job(reuse.name(job.record), str(job.state), job.why, seconds.get(job.record.outputs))
        for job in planned.jobs
        if job.record.outputs
    )
    listed = {job.record.outputs for job in planned.jobs}
    behind = tuple(
        Job(reuse.name(job), "run", "made known by a checkpoint", seconds[job.outputs])
        for job in (ran.jobs if ran is not None else ())
        if job.outputs in seconds and job.outputs not in listed
    )
    return (*known, *behind)


def _seconds(ran: RunRecord) -> dict[tuple[str, ...], float]:
    """Return how long each job took that this run ran, by its outputs."""
    return {
        job.outputs: round(times.ended - times.started, 3)
        for job, times in zip(ran.jobs, ran.times, strict=True)
        if job.status == "ok" and not isinstance(times.ended, str) and not isinstance(times.started, str)
    }
