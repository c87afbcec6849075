"""A capsule verified: everything read again and, if asked, everything run again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from relance import __version__
from relance.capsule import documents, reading
from relance.store.layout import Descriptor
from relance.store.store import Store
from relance.verify import integrity, reproduction
from relance.verify.model import REPORT_FORMAT, VERSION, Machine, Report, Verdict
from relance.verify.reproduction import Effects, Request


@dataclass(frozen=True)
class Rerun:
    """What to run again, and the effects that it has."""

    request: Request
    effects: Effects


def verify(
    store: Store,
    described: Descriptor,
    rerun: Rerun | None = None,
    *,
    told: integrity.Progress = lambda _done, _all: None,
    checked: Callable[[], None] = lambda: None,
) -> Report:
    """Check everything that a capsule holds; run it again if it is whole and `rerun` says how.

    Args:
        store: holds the capsule.
        described: the capsule's index.
        rerun: None: nothing runs.
        told: hears how much of the capsule is read.
        checked: called between reading and running.

    Raises:
        InputError: as `reproduction.reproduce`; a damaged capsule is a report, not an error.
        MissingPartError: as `reproduction.reproduce`.
    """
    began, clock = time.time(), time.monotonic()
    found = integrity.check(store.layout, described, told=told)

    def report(analysis: str, verdict: Verdict) -> Report:
        return Report(
            REPORT_FORMAT,
            VERSION,
            __version__,
            described.digest,
            analysis,
            verdict,
            round(began, 3),
            round(time.monotonic() - clock, 3),
            found,
        )

    if not found.holds:
        return report("", Verdict.DAMAGED)
    capsule = reading.read(store.layout, described)
    analysis = documents.analysis(capsule)
    called = f"{analysis.name} {analysis.version}"
    checked()
    captured_on = Machine.of(capsule.run)
    open_ends = reproduction.open_ends(capsule)
    if rerun is None:
        return replace(report(called, Verdict.INTACT), captured_on=captured_on, not_closed=open_ends)
    again = reproduction.reproduce(store, capsule, rerun.request, rerun.effects)
    return replace(
        report(called, again.verdict),
        reran=True,
        case=rerun.request.case,
        captured_on=captured_on,
        rerun_on=again.rerun_on,
        products=again.products,
        results=again.results,
        not_closed=again.not_closed,
        message=again.message,
    )
