"""Which jobs run, which are restored, and which need nothing: decided from the targets to the raw inputs."""

from __future__ import annotations

from collections.abc import Sequence

from relance.steps import difference, entries, order
from relance.steps.entries import EntryOutput
from relance.steps.judging import Content, Job, agrees, is_enough, is_ours, is_outdated, judge, linked, lying
from relance.steps.plan import Plan, PlannedJob, Situation, State
from relance.store.layout import Layout
from relance.store.store import Store


def plan(situation: Situation, store: Store) -> Plan:
    """Say what becomes of each job.

    A job runs if what is needed of it neither lies there, right, nor can be restored, and if a job runs that
    it reads from. Needed are the targets, and what jobs read that run.
    """
    layout = store.layout
    jobs = linked(situation.jobs)
    contents: dict[str, Content] = {}
    for job in jobs:
        judge(job, situation, store, contents)
    while True:
        _decide(jobs, situation, layout)
        if not _spread(jobs):
            break
    return Plan(tuple(_planned(job, situation, store) for job in jobs), situation.targets)


def _decide(jobs: Sequence[Job], situation: Situation, layout: Layout) -> None:
    """Give each job its state, from the targets to the raw inputs."""
    needed = set(situation.targets)
    for job in reversed(jobs):
        wanted = [path for path in job.outputs if path in needed]
        if job.asked.pending and not job.right:
            # Snakemake would renew what lies there of it, and all that was made of that.
            wanted += [path for path in lying(job, situation) if not is_outdated(path, job, situation)]
        job.restored, job.why = (), ""
        if not job.outputs:
            job.state, job.why = State.RUN, "it makes no file that could be kept"
        elif job.behind:
            job.state, job.why = State.RUN, f"input {job.behind} is made by a step that runs"
        elif job.disturbed:
            job.state, job.why = State.RUN, "what it reads is restored, and nobody knows what it was made of"
        elif not wanted:
            job.state, job.why = State.REUSE, "nothing that it makes is needed"
        else:
            _choose(job, list(dict.fromkeys(wanted)), situation, layout)
        if job.state is State.RUN:
            for path in job.asked.record.inputs:
                needed.update(order.and_folders(path) if path in job.makers else ())


def _choose(job: Job, wanted: Sequence[str], situation: Situation, layout: Layout) -> None:
    missing = [path for path in wanted if path not in situation.digests]
    if not missing and job.right:
        job.state, job.why = State.REUSE, "its results lie there"
        return
    if not missing and is_enough(job):
        doubt = "nobody recorded what made them" if job.key else job.unkeyed
        job.state, job.why = State.REUSE, f"its results lie there, as Snakemake sees it; {doubt}"
        return
    protected = [path for path in wanted if path in situation.protected]
    if protected and not missing and not job.asked.pending:
        # Not ours to remove: whoever protected it wants to be asked.
        job.why = f"{protected[0]} is outdated, but protected: remove it to renew it"
        job.state = State.REUSE
        return
    if job.entry is None:
        job.state = State.RUN
        return
    lacking = [
        path for path in job.outputs if path not in situation.digests or not agrees(path, job, situation)
    ]
    kept = {path: output for path in lacking if (output := _kept(layout, job.output(path)))}
    lost = [path for path in wanted if path in lacking and path not in kept]
    if lost:
        job.state, job.why = State.RUN, f"{lost[0]} is known, but its content is not kept in the store"
        return
    job.state, job.why, job.restored = State.RESTORE, "the store has its results", tuple(kept.values())


def _kept(layout: Layout, output: EntryOutput | None) -> EntryOutput | None:
    return output if output is not None and entries.kept(layout, output) else None


def _spread(jobs: Sequence[Job]) -> bool:
    """Mark jobs that Snakemake will run for what happens before them; return whether there are new ones."""
    found = False
    for job in jobs:
        job.touched = job.state is State.REUSE and job.right and job.asked.pending
        for path, maker in job.makers.items():
            if maker.state is State.RUN and not job.behind:
                job.behind, found = path, True
            if job.state is not State.REUSE:
                continue
            if job.right:
                job.touched = job.touched or bool(maker.restored) or maker.touched
            elif maker.restored and not job.disturbed:
                job.disturbed, found = True, True
    return found


def _planned(job: Job, situation: Situation, store: Store) -> PlannedJob:
    there = lying(job, situation)
    # What Snakemake doesn't know to be outdated it would keep, whatever runs before.
    unseen = job.state is State.RUN and not job.asked.pending
    outdated = [
        path
        for path in there
        if path not in situation.protected and not job.right
        if is_outdated(path, job, situation) or (unseen and is_ours(path, situation))
    ]
    restored = {output.path for output in job.restored}
    # Those of a job that runs are Snakemake's own matter.
    broken = [path for path in job.outputs if path in situation.broken and job.state is not State.RUN]
    settled: tuple[str, ...] = ()
    if job.touched or job.state is State.RESTORE:
        settled = tuple(path for path in there if path not in restored and path not in outdated)
    return PlannedJob(
        job.asked.record,
        job.state,
        job.why or _why(job, situation, store),
        job.key,
        job.entry,
        job.restored,
        (*(path for path in (*outdated, *broken) if path not in restored),),
        settled,
        job.outputs if (job.asked.pending or job.restored) and job.state is not State.RUN else (),
        job.unsure,
    )


def _why(job: Job, situation: Situation, store: Store) -> str:
    """Say why a job runs that the store doesn't know."""
    if job.damaged:
        return "its entry in the store is damaged"
    if job.ingredients is None:
        told = f" ({job.asked.reason})" if job.asked.reason else ""
        return f"it is not reused, for {job.unkeyed}{told}"
    alike = [
        entry
        for entry in situation.known.values()
        if tuple(output.path for output in entry.outputs) == tuple(job.outputs)
    ]
    differs = difference.nearest(job.ingredients, [*alike, *entries.alike(store, job.outputs)])
    return differs or "the store knows no such step"
