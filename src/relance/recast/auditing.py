"""Some of the restored jobs run once more, in a folder of their own, and compared with what is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from relance.engines.base import Watch
from relance.errors import AnalysisError, InputError
from relance.model import UNKNOWN, RunStatus
from relance.recast import reuse
from relance.recast.model import Audited
from relance.recast.reuse import Bench
from relance.rerun import execution
from relance.rerun.folder import Work
from relance.results.reading import Folder
from relance.steps.plan import Plan, PlannedJob, State
from relance.steps.settle import Settled


def sample(planned: Plan, number: int) -> tuple[PlannedJob, ...]:
    """Return some of the restored jobs: which is told by their keys, so that nobody chooses."""
    restored = [job for job in planned.of(State.RESTORE) if job.entry is not None and job.key is not None]
    restored.sort(key=lambda job: hashlib.sha256(str(job.key).encode()).digest())
    return tuple(restored[:number])


def audit(
    bench: Bench,
    chosen: Sequence[PlannedJob],
    watch: Watch,
    supply: Callable[[Settled, Work], None] = lambda _settled, _work: None,
) -> tuple[Audited, ...]:
    """Run jobs in a fresh work folder and say which of their outputs came out different.

    What they read is restored where it is known, and made where it isn't; `supply` brings what is kept
    elsewhere.

    Raises:
        AnalysisError: a job failed.
        InputError: a link of the capsule leads out of the work folder.
    """
    targets = tuple(path for job in chosen for path in job.record.outputs)
    bench = replace(bench, settings=replace(bench.settings, targets=targets))
    settled = reuse.settle(bench, restoring=True, once_more={job.record.outputs for job in chosen})
    supply(settled, bench.work)
    rerun = execution.run(bench.work, bench.settings, watch, bench.engine)
    if rerun.result.status is not RunStatus.OK:
        raise AnalysisError(
            "the audit did not come to its end",
            expected="restored jobs that can be run again",
            found=", ".join(step.name for step in rerun.result.failed)
            or rerun.result.message
            or rerun.result.status,
            next_step="read its console; leave out the audit to have the results alone",
        )
    files = Folder(bench.work.analysis)
    return tuple(Audited(reuse.name(job.record), tuple(_differing(files, job))) for job in chosen)


def _differing(files: Folder, job: PlannedJob) -> Iterator[str]:
    for path in job.record.outputs:
        output = job.entry.output(path) if job.entry else None
        if output is None or output.digest == UNKNOWN:
            continue
        try:
            same = files.describe(path).digest == output.digest
        except InputError:
            same = False
        if not same:
            yield path
