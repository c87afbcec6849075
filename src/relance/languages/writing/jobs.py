"""The jobs of an analysis in an order in which they can run, each with its resolved command.

What any engine needs and no more: so an analysis of Snakemake can be had in other languages.
"""

from __future__ import annotations

import graphlib
import keyword
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from relance.drafting.graph import Job
from relance.errors import InputError

_STRICT = "set -euo pipefail"
_TAKEN = frozenset({"all", "init", "files", "folder", "outputs"})
"""Names that an exported form uses itself."""


@dataclass(frozen=True)
class Slot:
    """A place in a command where the value of a setting goes."""

    name: str


Text = tuple[str | Slot, ...]
"""A command in pieces."""


@dataclass(frozen=True)
class Setting:
    """A value that whoever runs the analysis may change."""

    name: str
    """Letters, digits and `_`."""
    value: str
    """As commands say it."""
    title: str
    unit: str | None = None


@dataclass(frozen=True)
class Step:
    """One job."""

    name: str
    """Letters, digits and `_`; no other job has it."""
    command: Text
    """For bash, in a folder in which the paths of inputs and outputs are as they are here."""
    image: str | None
    """As registries, Docker and Podman name it; None if it runs in none."""
    written: str | None
    """As its rule names it."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    folders: frozenset[str]
    """Outputs that are folders."""
    logs: tuple[str, ...]
    needs: tuple[int, ...]
    """Positions of the steps whose outputs it reads."""

    @property
    def built_here(self) -> bool:
        """Whether its image is in no registry, and called by what it is."""
        return self.image is not None and self.image.startswith("sha256:")

    @property
    def parents(self) -> tuple[str, ...]:
        """Folders that must be there before it begins: Snakemake makes them, other engines don't."""
        found = {str(PurePosixPath(path).parent) for path in (*self.outputs, *self.logs)}
        return tuple(sorted(found - {"."}))

    @property
    def preamble(self) -> str:
        """What stands before its command: Snakemake says and does it unasked."""
        made = f"mkdir -p {shlex.join(self.parents)}" if self.parents else ""
        return "; ".join(part for part in (_STRICT, made) if part)


@dataclass(frozen=True)
class Plan:
    """An analysis as its jobs."""

    name: str
    steps: tuple[Step, ...]
    """Each after those that it needs."""
    results: tuple[str, ...]
    """What the analysis is run for."""
    settings: tuple[Setting, ...] = ()

    def maker(self, path: str) -> Step:
        """Return the step that makes a result."""
        return next(step for step in self.steps if path in step.outputs)


@dataclass(frozen=True)
class Slotted:
    """Commands with slots, and what goes there."""

    settings: tuple[Setting, ...] = ()
    texts: Mapping[int, Text] = field(default_factory=dict)
    """By position among the jobs; those of other jobs have no slots."""


def plan(
    name: str,
    jobs: Sequence[Job],
    results: Iterable[str],
    image: Callable[[Job], str | None],
    slotted: Slotted = Slotted(),
) -> Plan:
    """Return the jobs in order.

    Args:
        name: the analysis's.
        jobs: all of them, with resolved commands.
        results: what the analysis is run for.
        image: gives the image that a job runs in, as registries name it.
        slotted: the commands that have slots.

    Raises:
        InputError: a job can't be said outside Snakemake, or reaches outside the analysis.
    """
    wanted = {position: job for position, job in enumerate(jobs) if job.outputs or job.resolved}
    _check(list(wanted.values()))
    order = _ordered(wanted)
    ordered = [wanted[position] for position in order]
    makers = {path: place for place, job in enumerate(ordered) for path in job.outputs}
    steps = tuple(
        Step(
            name=step_name,
            command=slotted.texts.get(position, (job.resolved or "",)),
            image=image(job),
            written=job.image,
            inputs=tuple(dict.fromkeys(job.inputs)),
            outputs=tuple(dict.fromkeys(job.outputs)),
            folders=job.folders & frozenset(job.outputs),
            logs=job.logs,
            needs=tuple(sorted({makers[path] for path in _made(job.inputs, makers)})),
        )
        for position, job, step_name in zip(order, ordered, _names(ordered), strict=True)
    )
    asked = tuple(path for path in dict.fromkeys(results) if path in makers)
    return Plan(name, steps, asked or _unread(steps), slotted.settings)


def _unread(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the outputs that no job reads."""
    read = {path for step in steps for path in step.inputs}
    return tuple(path for step in steps for path in step.outputs if path not in read)


def _check(jobs: Sequence[Job]) -> None:
    late = sorted({job.rule for job in jobs if job.checkpoint})
    if late:
        raise InputError(
            f"checkpoint {', '.join(late)}",
            expected="jobs that are known before the run",
            found="jobs that depend on what it makes",
            next_step="run and capture the analysis, and export the capsule: it knows them",
        )
    scripts = sorted({job.rule for job in jobs if not job.resolved})
    if scripts:
        raise InputError(
            f"rule {', '.join(scripts)}",
            expected="a command ('shell:') that is known before the run",
            found="a script of Snakemake's, or none",
            next_step="write it as 'shell:'; other engines don't have 'script:' and 'run:'",
        )
    for job in jobs:
        for path in (*job.inputs, *job.outputs, *job.logs):
            if path.startswith(("/", "~")) or set(path) & set(":{}") or ".." in path.split("/"):
                raise InputError(
                    f"rule {job.rule}",
                    expected="files of the analysis, by relative paths",
                    found=repr(path),
                    next_step="put the file into the analysis",
                )


def _made(inputs: Iterable[str], makers: Mapping[str, int]) -> Iterable[str]:
    """Give the outputs that inputs are, or lie in."""
    for path in inputs:
        for one in (path, *map(str, PurePosixPath(path).parents)):
            if one in makers:
                yield one
                break


def _ordered(jobs: Mapping[int, Job]) -> list[int]:
    """Return the positions of the jobs in an order in which they can run."""
    ordered = sorted(jobs, key=lambda position: (jobs[position].outputs, jobs[position].rule))
    places = {position: place for place, position in enumerate(ordered)}
    makers = {path: position for position in ordered for path in jobs[position].outputs}
    sorter: graphlib.TopologicalSorter[int] = graphlib.TopologicalSorter()
    for position in ordered:
        sorter.add(position, *(makers[path] for path in _made(jobs[position].inputs, makers)))
    found: list[int] = []
    try:
        sorter.prepare()
        while sorter.is_active():
            ready = sorter.get_ready()
            found += sorted(ready, key=places.__getitem__)
            sorter.done(*ready)
    except graphlib.CycleError as error:
        raise InputError(
            "the jobs",
            expected="an order in which they can run",
            found="some that need each other",
            next_step="report it: Snakemake wouldn't run them either",
        ) from error
    return found


def _names(jobs: Sequence[Job]) -> list[str]:
    """Return a name for each job: its rule, and what tells it from others of the rule."""
    counts = Counter(job.rule for job in jobs)
    found: list[str] = []
    for job in jobs:
        parts = (job.rule, *job.values) if counts[job.rule] > 1 else (job.rule,)
        found.append(identifier("_".join(parts), found))
    return found


def identifier(text: str, others: Iterable[str] = ()) -> str:
    """Return a name that every language takes and that is none of the others."""
    stem = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    if not stem.isidentifier() or keyword.iskeyword(stem) or stem in _TAKEN or stem.startswith("at_"):
        stem = f"job_{stem}"
    taken, name, number = set(others), stem, 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    return name
