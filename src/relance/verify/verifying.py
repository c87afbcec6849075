"""A capsule verified: everything read again and, if asked, everything run again."""

from __future__ import annotations

import time
from dataclasses import replace

from relance import __version__
from relance.capsule import documents, reading
from relance.store.descriptors import Descriptor
from relance.store.store import Store
from relance.verify import integrity, reproduction
from relance.verify.integrity import Place
from relance.verify.model import REPORT_FORMAT, VERSION, Machine, Report, Verdict
from relance.verify.reproduction import Effects, Request


def check(
    place: Place, described: Descriptor, *, told: integrity.Progress = lambda _done, _all: None
) -> Report:
    """Read everything that a capsule holds, wherever it lies; a damaged one is a report, not an error.

    Args:
        place: where it lies.
        described: its index.
        told: hears how much of it is read.
    """
    began, clock = time.time(), time.monotonic()
    found = integrity.check(place, described, told=told)
    report = Report(
        REPORT_FORMAT,
        VERSION,
        __version__,
        described.digest,
        "",
        Verdict.DAMAGED,
        round(began, 3),
        round(time.monotonic() - clock, 3),
        found,
    )
    if not found.holds:
        return report
    capsule = reading.read(place, described)
    analysis = documents.analysis(capsule)
    return replace(
        report,
        analysis=f"{analysis.name} {analysis.version}",
        verdict=Verdict.INTACT,
        captured_on=Machine.of(capsule.run),
        not_closed=reproduction.open_ends(capsule),
    )


def verify(
    store: Store,
    described: Descriptor,
    request: Request,
    effects: Effects,
    *,
    told: integrity.Progress = lambda _done, _all: None,
) -> Report:
    """Check everything that a capsule of the store holds; run it again if it is whole.

    Args:
        store: holds the capsule.
        described: its index.
        request: what to run, and how.
        effects: what that has on the caller.
        told: hears how much of the capsule is read.

    Raises:
        InputError: as `reproduction.reproduce`.
        MissingPartError: as `reproduction.reproduce`.
    """
    clock = time.monotonic()
    whole = check(integrity.Kept(store.layout), described, told=told)
    if whole.verdict is Verdict.DAMAGED:
        return whole
    again = reproduction.reproduce(store, reading.read(store.layout, described), request, effects)
    return replace(
        whole,
        verdict=again.verdict,
        seconds=round(time.monotonic() - clock, 3),
        reran=True,
        case=request.case,
        rerun_on=again.rerun_on,
        products=again.products,
        results=again.results,
        not_closed=again.not_closed,
        message=again.message,
    )
