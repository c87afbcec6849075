"""A capsule run again from what it holds alone, and each product beside the one that was captured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from relance import document
from relance.capsule import results as captured_results
from relance.capsule.checkout import Fetch
from relance.capsule.model import Capsule, CapsuleFile, Role
from relance.compare.model import Comparison
from relance.engines.base import Watch
from relance.errors import InputError
from relance.model import RunRecord, RunStatus
from relance.rerun import execution, folder
from relance.rerun.configuration import merged
from relance.rerun.execution import Settings
from relance.rerun.folder import Work
from relance.results import reading as results
from relance.specification import values
from relance.specification.model import Case, Visibility
from relance.store.layout import Layout
from relance.store.store import Store
from relance.verify import agreement, products
from relance.verify.model import Machine, ReportedProduct, ReportedResult, Verdict


@dataclass(frozen=True)
class Ran:
    """What came of running a work folder."""

    status: RunStatus
    record: RunRecord | None
    """None if nothing ran."""
    message: str = ""
    """Why it failed, in the words of what failed."""


@dataclass(frozen=True)
class Request:
    """What to run again, and how."""

    folder: Path
    """Where it runs: new or empty."""
    settings: Settings
    """Runtime, cores and the like; its `values` are those of a case if there is one."""
    case: str | None = None
    """A validation case of the specification; None: the captured run."""
    jobs: int = 1
    """Products that are compared at once."""
    fetch: Callable[[Iterable[CapsuleFile]], Fetch] | None = None
    """Brings inputs that are kept by reference, before anything runs; None: nothing is fetched."""
    elsewhere: Callable[[Work, Settings], Ran] | None = None
    """Runs the work folder on other machines, and puts the products into it; None: it runs here."""


@dataclass(frozen=True)
class Effects:
    """What verifying has on its caller."""

    watching: Callable[[], AbstractContextManager[Watch]]
    """Gives what watches the run, and can stop it, while it lasts."""
    say: Callable[[str], None] = lambda _text: None
    compared: Callable[[Comparison], None] = lambda _comparison: None


@dataclass(frozen=True)
class Reproduction:
    """What came of it."""

    verdict: Verdict
    rerun_on: Machine | None = None
    products: tuple[ReportedProduct, ...] = ()
    results: tuple[ReportedResult, ...] = ()
    not_closed: tuple[str, ...] = ()
    message: str = ""


def reproduce(store: Store, capsule: Capsule, request: Request, effects: Effects) -> Reproduction:
    """Run a capsule again, with nothing reused, and compare what it makes.

    Raises:
        InputError: the case isn't known or its files aren't there; the folder isn't empty; the capsule is
            damaged.
        MissingPartError: this machine lacks what a rerun needs, or an input can't be fetched.
    """
    case = None if request.case is None else _case(capsule, request.case)
    not_closed = open_ends(capsule)
    bring = None
    if request.fetch is not None:
        bring = request.fetch(file for file in capsule.files if file.role in {Role.SOURCE, Role.INPUT})
    work = folder.prepare(store, capsule, request.folder, effects.say, fetch=bring)
    if work.missing:
        lacking = ", ".join(file.path for file in work.missing[:9])
        return Reproduction(Verdict.NOT_CLOSED, not_closed=not_closed, message=f"it needs {lacking} to run")
    settings = request.settings
    if case is not None:
        settings = replace(settings, values=_case_values(work, case))
    ran = request.elsewhere(work, settings) if request.elsewhere else _here(work, settings, effects)
    if ran.status is RunStatus.INTERRUPTED:
        raise KeyboardInterrupt
    configuration = _configuration(capsule, settings)
    machine = Machine.of(ran.record.run) if ran.record is not None else None
    if ran.status is not RunStatus.OK or ran.record is None:
        verdict = Verdict.NOT_CLOSED if not_closed else Verdict.FAILED
        return Reproduction(verdict, machine, not_closed=not_closed, message=ran.message)
    if case is not None:
        found = _of_case(work, case, configuration)
        verdict = Verdict.WITHIN if all(result.agrees for result in found) else Verdict.DIFFERS
        message = "" if found else "the case expects no values: it ran, and its results are there"
        return Reproduction(verdict, machine, results=found, not_closed=not_closed, message=message)
    compared = products.compared(work, ran.record, configuration, request.jobs, effects.compared)
    found = _of_run(store.layout, work, configuration)
    judged = agreement.by_results(capsule, compared, found)
    return Reproduction(agreement.verdict(judged, found), machine, judged, found, not_closed)


def open_ends(capsule: Capsule) -> tuple[str, ...]:
    """Return what a rerun needs and the capsule doesn't hold, in words."""
    outside = [
        f"{outside.kind}: {outside.name}: {outside.reason}"
        for outside in capsule.specification.outside
        if not any(told.startswith(f"{outside.kind}: {outside.name}") for told in capsule.not_closed)
    ]
    files = [
        f"{file.role} {file.path}, {file.size} bytes: {_where(file)}"
        for file in capsule.files
        if file.role in {Role.SOURCE, Role.INPUT} and file.stored is None
    ]
    return tuple(dict.fromkeys([*capsule.not_closed, *outside, *files]))


def _where(file: CapsuleFile) -> str:
    return f"kept at {', '.join(file.locations)}" if file.locations else "kept nowhere that is known"


def _here(work: Work, settings: Settings, effects: Effects) -> Ran:
    engine = execution.engine(work, settings)
    with effects.watching() as watch:  # only what looks at it: all before is ended by a signal at once
        rerun = execution.run(work, settings, watch, engine)
    result = rerun.result
    steps = ", ".join(step.name for step in result.failed)
    return Ran(result.status, rerun.record, f"{result.message} ({steps})" if steps else result.message)


def _configuration(capsule: Capsule, settings: Settings) -> Mapping[str, object]:
    """Return the configuration that was asked for: what a workflow says of its own is not believed."""
    return merged(captured_results.configuration(capsule), settings.values)


def _case(capsule: Capsule, name: str) -> Case:
    known = capsule.specification.validation
    return known[values.named(name, known, "validation case")]


def _case_values(work: Work, case: Case) -> Mapping[str, object]:
    """Return what the configuration says in a case: that of its file, with its parameters and inputs."""
    found: dict[str, object] = {}
    configuration = case.configuration or work.capsule.specification.workflow.configuration
    if configuration is not None:
        said = document.read(_inside(work.analysis, configuration)).value
        found = dict(said) if isinstance(said, Mapping) else {}
    inputs = {name: _inside(work.analysis, path) for name, path in case.inputs.items()}
    given = values.overrides(work.capsule.specification.interface, case.parameters, inputs)
    return merged(found, given)


def _inside(analysis: Path, path: str) -> Path:
    """Return a file of the work folder; one that isn't there or leads out of it is refused."""
    place = analysis / path
    if not place.is_file() or not place.resolve().is_relative_to(analysis.resolve()):
        raise InputError(
            f"{path} of the validation case",
            expected="a file of the capsule",
            found="none",
            next_step="choose another case, or capture the analysis with that file",
        )
    return place


def _of_case(work: Work, case: Case, configuration: Mapping[str, object]) -> tuple[ReportedResult, ...]:
    found = results.read(work.capsule.specification, work.analysis, configuration, tuple(Visibility))
    return agreement.with_references(found, case)


def _of_run(layout: Layout, work: Work, configuration: Mapping[str, object]) -> tuple[ReportedResult, ...]:
    """Read the results of both runs; all are compared, what is blinded is not told."""
    try:
        before = captured_results.read(layout, work.capsule, tuple(Visibility))
        now = results.read(work.capsule.specification, work.analysis, configuration, tuple(Visibility))
    except InputError as error:
        return (ReportedResult("all", "1", agrees=False, remark=f"not read: {error}"[:500]),)
    return agreement.of_both(work.capsule, before, now)
