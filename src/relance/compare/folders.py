"""Many files compared, in other processes: a file that brings its reader down harms nothing else."""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from relance.compare import files
from relance.compare.model import Comparison, Difference, Tier
from relance.specification import patterns
from relance.specification.model import Tolerance

_MOST_MEMORY = 8 << 30
_MOST_SECONDS = 3600  # of processor time, for all that one process reads


@dataclass(frozen=True)
class Pair:
    """A product and its reference."""

    path: str
    expected: Path
    found: Path
    rules: tuple[Tolerance, ...] = ()


def rules_for(path: str, tolerances: Iterable[Tolerance]) -> tuple[Tolerance, ...]:
    """Return the tolerances that hold for a product, in the order that they are declared."""
    return tuple(rule for rule in tolerances if patterns.matcher([rule.path]).fullmatch(path))


def pairs(expected: Path, found: Path, tolerances: Iterable[Tolerance] = ()) -> tuple[Pair, ...]:
    """Return every file of two folders beside that of the same name; links are not followed."""
    declared = tuple(tolerances)
    names = sorted({*_inside(expected), *_inside(found)})
    return tuple(Pair(name, expected / name, found / name, rules_for(name, declared)) for name in names)


def compare(
    given: Sequence[Pair], jobs: int = 1, told: Callable[[Comparison], None] = lambda _: None
) -> tuple[Comparison, ...]:
    """Compare products with their references, in their order; `told` hears of each as it is done.

    What has the same bytes is done at once. The rest is read in other processes with at most 8 GiB of memory
    and an hour of processor time, since a broken file can bring its reader down.
    """
    done: dict[int, Comparison] = {}
    left: list[int] = []
    for index, pair in enumerate(given):
        quick = _link(pair) or files.by_bytes(pair.path, pair.expected, pair.found)
        if quick is None:
            left.append(index)
        else:
            done[index] = quick
            told(quick)
    again = _in_pool(given, left, jobs, done, told)
    # When a process dies, nobody can tell what it died of: each of those is tried alone.
    for index in again:
        if _in_pool(given, [index], 1, done, told):
            pair = given[index]
            seen = Difference("", "a file that can be read", "one that its reader dies of")
            done[index] = Comparison(pair.path, "bytes", Tier.UNREADABLE, (seen,))
            told(done[index])
    return tuple(done[index] for index in range(len(given)))


def _in_pool(
    given: Sequence[Pair],
    wanted: Sequence[int],
    jobs: int,
    done: dict[int, Comparison],
    told: Callable[[Comparison], None],
) -> list[int]:
    """Compare in other processes; return what is left because one of them died."""
    if not wanted:
        return []
    context = multiprocessing.get_context("spawn")
    left: list[int] = []
    with ProcessPoolExecutor(min(jobs, len(wanted)), context, _limited) as pool:
        waiting: dict[int, Future[Comparison]] = {}
        for index in wanted:
            try:
                waiting[index] = pool.submit(_one, given[index])
            except BrokenProcessPool:
                left.append(index)
        for index, future in waiting.items():
            try:
                done[index] = future.result()
                told(done[index])
            except BrokenProcessPool:
                left.append(index)
    return left


def _one(pair: Pair) -> Comparison:
    return files.product(pair.path, pair.expected, pair.found, pair.rules)


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for what, most in ((resource.RLIMIT_AS, _MOST_MEMORY), (resource.RLIMIT_CPU, _MOST_SECONDS)):
        _, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, hard))


def _inside(folder: Path) -> list[str]:
    found = []
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        found += [(Path(place) / name).relative_to(folder).as_posix() for name in (*names, *links)]
    return found


def _link(pair: Pair) -> Comparison | None:
    """Compare links by where they lead; None if neither is one."""
    sides = [
        f"a link to {path.readlink()}" if path.is_symlink() else "no link"
        for path in (pair.expected, pair.found)
        if os.path.lexists(path)
    ]
    if len(sides) < 2 or sides == ["no link", "no link"]:
        return None
    if sides[0] == sides[1]:
        return Comparison(pair.path, "link", Tier.BYTES)
    tier = Tier.OTHER_KIND if "no link" in sides else Tier.DIFFERENT
    return Comparison(pair.path, "link", tier, (Difference("", sides[0], sides[1]),))
