"""Which job of a workflow needs which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from relance.model import JobRecord


def makers(jobs: Sequence[JobRecord]) -> list[Mapping[str, int]]:
    """Return for each job who makes its inputs: the position of the maker, by input, without raw inputs."""
    made = {path: at for at, job in enumerate(jobs) for path in job.outputs}
    found: list[Mapping[str, int]] = []
    for at, job in enumerate(jobs):
        of_job = {}
        for path in job.inputs:
            maker = next((made[name] for name in and_folders(path) if name in made), at)
            if maker != at:
                of_job[path] = maker
        found.append(of_job)
    return found


def ordered(needed: Sequence[Mapping[str, int]]) -> list[int]:
    """Return the positions of jobs so that each comes after those that it needs; see `makers`."""
    found: list[int] = []
    done: set[int] = set()
    waiting = [(at, False) for at in reversed(range(len(needed)))]
    while waiting:
        at, ready = waiting.pop()
        if at in done:
            continue
        if ready:
            done.add(at)
            found.append(at)
            continue
        waiting.append((at, True))
        waiting += [(maker, False) for maker in needed[at].values() if maker not in done]
    return found


def and_folders(path: str) -> Iterator[str]:
    """Yield a path and the folders that it lies in, the nearest first."""
    yield path
    yield from (str(folder) for folder in PurePosixPath(path).parents)
