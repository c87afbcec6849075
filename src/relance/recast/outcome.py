"""What came of a recast: its results beside the captured ones, as a table and as plots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from relance.capsule import results as captured
from relance.errors import InputError, MissingPartError
from relance.recast import comparison, conditions, plots, preparing
from relance.recast.changes import Checked
from relance.recast.model import Recast
from relance.recast.request import Request
from relance.rerun.configuration import merged
from relance.rerun.folder import Work
from relance.results import Results, reading
from relance.results.validation import judged
from relance.store.atomic import write_bytes, write_text

TABLE = "results.txt"


def compared(request: Request, checked: Checked, work: Work, say: Callable[[str], None]) -> Recast:
    """Read the results, compare them with the captured ones, and write table and plots."""
    specification = request.capsule.specification
    folder = work.folder.parent
    # What was asked for: what the workflow itself says of its configuration need not be true.
    configuration = merged(captured.configuration(request.capsule), preparing.values(checked, work))
    found = reading.read(specification, work.analysis, configuration)
    before = of_capsule(request, say)
    case = specification.validation.get(checked.case or "")
    write_text(folder / TABLE, comparison.text(comparison.rows(before, found)) + "\n")
    return Recast(
        folder=folder,
        analysis=work.analysis,
        parent=request.parent,
        name=specification.identity.name,
        version=specification.identity.version,
        changes=checked,
        conditions=conditions.of(specification, configuration),
        captured=before,
        results=found,
        jobs=(),
        validation=judged(found, case) if case else (),
        plots=_draw(folder, before, found, say),
    )


def of_capsule(request: Request, say: Callable[[str], None]) -> Results | None:
    """Return the captured results; None if there are none, which is told."""
    try:
        return captured.read(request.store.layout, request.capsule)
    except InputError as error:
        say(f"there is nothing to compare with: {error}")
        return None


def _draw(
    folder: Path, known: Results | None, found: Results, say: Callable[[str], None]
) -> tuple[Path, ...]:
    try:
        drawn = plots.draw(known, found)
    except MissingPartError as error:
        say(str(error))
        return ()
    written = []
    for kind, data in drawn.items():
        path = folder / f"limits.{kind}"
        write_bytes(path, data)
        written.append(path)
    return tuple(written)
