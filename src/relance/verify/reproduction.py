"""A capsule run again from what it holds alone, and each product beside the one that was captured."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from relance import digest, document
from relance.capsule import results as captured_results
from relance.capsule.checkout import Fetch
from relance.capsule.model import Capsule, CapsuleFile, Role
from relance.compare import folders
from relance.compare.folders import Pair
from relance.compare.model import Comparison, Tier
from relance.engines.base import Watch
from relance.errors import InputError
from relance.model import Digest, RunRecord, RunStatus
from relance.rerun import execution, folder
from relance.rerun.execution import Settings
from relance.rerun.folder import Work
from relance.results import reading as results
from relance.specification import values
from relance.specification.model import Case, Tolerance, Visibility
from relance.store import content
from relance.store.layout import Layout
from relance.store.store import Store
from relance.verify import agreement
from relance.verify.model import Machine, ReportedProduct, ReportedResult, Verdict

_MARK = ".snakemake_timestamp"


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
    compared = _compared(work, ran.record, configuration, request.jobs, effects)
    found = _of_run(store.layout, work, configuration)
    products = agreement.by_results(capsule, compared, found)
    return Reproduction(agreement.verdict(products, found), machine, products, found, not_closed)


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
    return _merged(captured_results.configuration(capsule), settings.values)


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
    return _merged(found, given)


def _merged(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    both = dict(below)
    for key, value in above.items():
        under = both.get(key)
        both[key] = (
            _merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
        )
    return both


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


def _compared(
    work: Work, record: RunRecord, configuration: Mapping[str, object], jobs: int, effects: Effects
) -> tuple[ReportedProduct, ...]:
    """Compare what the capsule holds by content, what it only knows by digest."""
    capsule = work.capsule
    tolerances = tuple(_placed(capsule.specification.products.tolerances, configuration))
    found: dict[str, ReportedProduct] = {}
    by_content: list[CapsuleFile] = []
    products = [file for file in capsule.files if file.role is Role.PRODUCT]
    for file in products:
        now = _digest(work.analysis, file.path)
        quick = _quick(file, now)
        if quick is not None:
            found[file.path] = quick
        else:
            by_content.append(file)
    with tempfile.TemporaryDirectory(prefix="reference-", dir=work.folder) as scratch:
        given = []
        for number, file in enumerate(by_content):
            reference = Path(scratch) / str(number)
            if file.stored is not None:
                content.restore(work.store.layout, file.stored, reference)
            rules = folders.rules_for(file.path, tolerances)
            given.append(Pair(file.path, reference, work.analysis / file.path, rules))
        for file, comparison in zip(by_content, folders.compare(given, jobs, effects.compared), strict=True):
            found[file.path] = _reported(file, comparison, _digest(work.analysis, file.path))
    # What a recast neither ran nor had to restore, its capsule has nothing of to compare.
    idle = {path for job in capsule.jobs if job.record.status == "not run" for path in job.record.outputs}
    for path in _extra(work, record, {file.path for file in capsule.files}, idle):
        found[path] = ReportedProduct(path, Tier.EXTRA)
    return tuple(found[path] for path in sorted(found))


def _quick(file: CapsuleFile, now: Digest | str) -> ReportedProduct | None:
    """Return what digests alone tell; None if the contents have to be compared."""
    known = ReportedProduct(file.path, Tier.BYTES, expected=file.digest)
    if now == file.digest:
        return replace(known, found=file.digest)
    if now == "nothing":
        return replace(known, tier=Tier.MISSING)
    if not now.startswith("sha256:"):
        return replace(known, tier=Tier.OTHER_KIND, remarks=(f"it is {now} now",))
    if file.stored is None:
        remark = "the capsule knows only its digest, so that contents can't be compared"
        return replace(known, tier=Tier.UNDECIDED, found=Digest(now), remarks=(remark,))
    return None


def _digest(analysis: Path, path: str) -> Digest | str:
    """Return the digest of a product in the work folder, or what is there instead, in words.

    Links are not followed: what ran may have made one that leads anywhere.
    """
    place = analysis
    for part in path.split("/"):
        place /= part
        try:
            mode = place.lstat().st_mode
        except OSError:
            return "nothing"
        if stat.S_ISLNK(mode):
            return "behind a link"
    if not stat.S_ISREG(mode):
        return "no file"
    return digest.of_file(place) if os.access(place, os.R_OK) else "unreadable"


def _reported(file: CapsuleFile, comparison: Comparison, now: Digest | str) -> ReportedProduct:
    hidden = file.visibility is Visibility.BLINDED
    return ReportedProduct(
        file.path,
        comparison.tier,
        comparison.kind,
        file.digest,
        Digest(now) if now.startswith("sha256:") else None,
        () if hidden else comparison.differences,
        comparison.more,
        ("what differs is not told, since it is blinded",) if hidden else comparison.remarks,
    )


def _extra(work: Work, record: RunRecord, known: set[str], idle: set[str]) -> Iterator[str]:
    """Yield the products that the captured run hadn't; `directory()` outputs by what is in them.

    `idle`: outputs of jobs that it left out.
    """
    logs = {path for job in record.jobs for path in job.logs}
    outputs = sorted({path for job in record.jobs for path in job.outputs} - logs - idle)
    for path in outputs:
        place = work.analysis / path
        if path.startswith("/") or ".." in path.split("/") or place.is_symlink():
            continue
        for inner in _files(place) if place.is_dir() else [place] if place.is_file() else []:
            name = inner.relative_to(work.analysis).as_posix()
            if name not in known and inner.name != _MARK:
                yield name


def _files(place: Path) -> Iterable[Path]:
    return sorted(inner for inner in place.rglob("*") if inner.is_file() and not inner.is_symlink())


def _placed(declared: Iterable[Tolerance], configuration: Mapping[str, object]) -> Iterator[Tolerance]:
    for rule in declared:
        yield replace(rule, path=results.placed(rule.path, configuration, "a tolerance of the products"))
