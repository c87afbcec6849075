"""The products of a run beside those that a capsule holds or knows."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from relance import digest
from relance.capsule.model import CapsuleFile, Role
from relance.compare import folders
from relance.compare.folders import Pair
from relance.compare.model import Comparison, Tier
from relance.model import Digest, RunRecord
from relance.rerun.folder import Work
from relance.results import reading as results
from relance.specification.model import Tolerance, Visibility
from relance.store import content
from relance.verify.model import ReportedProduct

_MARK = ".snakemake_timestamp"


def compared(
    work: Work,
    record: RunRecord,
    configuration: Mapping[str, object],
    jobs: int,
    told: Callable[[Comparison], None],
) -> tuple[ReportedProduct, ...]:
    """Compare what the capsule holds by content, what it only knows by digest.

    Args:
        work: the folder in which the capsule ran again.
        record: of that run.
        configuration: the one that was asked for.
        jobs: products that are compared at once.
        told: called with each comparison.
    """
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
        for file, comparison in zip(by_content, folders.compare(given, jobs, told), strict=True):
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
