"""What lies in an analysis's folder before a run, and what the run would be: what a plan is made from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from relance import digest
from relance.engines.environments import Environment
from relance.engines.snakemake import JOB_ENVIRONMENT, RunFolder
from relance.model import UNKNOWN, ImageRef, JobRecord, RunFacts, RuntimeKind
from relance.recording import build
from relance.recording.build import Effects
from relance.recording.sources import Graph
from relance.specification.model import Outside
from relance.steps import key, ledger, notes
from relance.steps.key import KeyContext
from relance.steps.plan import Asked, Situation

_HARMLESS = frozenset(
    (
        *(
            "-k",
            "--keep-going",
            "-T",
            "--retries",
            "--resources",
            "--res",
            "--set-resources",
            "--set-threads",
        ),
        *("--max-threads", "-C", "--config", "--configfile", "--configfiles", "--rerun-incomplete"),
        *("-p", "--printshellcmds", "--show-failed-logs", "--verbose", "--nocolor", "-w", "--latency-wait"),
        *("--notemp", "--nt", "-P", "--prioritize", "--keep-incomplete", "--scheduler", "--groups"),
        *("--default-resources", "--group-components", "-c", "--cores", "-j", "--jobs", "--local-cores"),
        *("--seconds-between-status-checks", "--max-status-checks-per-second", "--max-jobs-per-timespan"),
    )
)
"""Options of Snakemake that neither ask for jobs to be run again nor change what jobs see."""
_BATCH = "--slurm-"  # so begin those that tell how jobs are submitted and watched


@dataclass(frozen=True)
class Runner:
    """What runs the jobs, as far as it determines their results."""

    runtime: RuntimeKind
    runtime_version: str = ""
    images: tuple[ImageRef, ...] = ()
    environments: tuple[Environment, ...] = ()
    outside: tuple[Outside, ...] = ()
    """What the analysis's specification says it needs and nobody can hold."""
    folder: Path | None = None
    """The analysis as commands write it, if that is not where it is."""
    surely: frozenset[str] = frozenset()
    """What rules write for images that a mapping put in the place of others, whatever a registry has."""


@dataclass(frozen=True)
class Place:
    """Where a run takes place."""

    analysis: Path
    run: RunFolder
    graph: Graph
    lies: Callable[[str], Path | None] | None = None
    """As `recording.build.Request` has it."""


def read(place: Place, runner: Runner, effects: Effects) -> Situation:
    """Look at an analysis before a run; nothing is changed but the file that remembers digests.

    Raises:
        InputError: a file that jobs read can't be read, or changes meanwhile.
    """
    analysis = place.analysis
    request = build.Request(
        analysis,
        None,
        {},
        runner.runtime.value,
        runner.runtime_version or UNKNOWN,
        place.graph,
        before=True,
        lies=place.lies,
    )
    record = build.record(request, effects)
    digests = {
        file.path: digest.parse(file.digest)
        for file in record.files
        if file.kind != "gone" and file.digest != UNKNOWN and not notes.incomplete(analysis, file.path)
    }
    lying = [path for job in record.jobs for path in job.outputs if path in digests]
    return Situation(
        _asked(record.jobs, place.graph),
        _targets(record.jobs, record.run.targets),
        context(place, runner, record.run),
        digests,
        ledger.read(analysis),
        frozenset(path for path in lying if not os.access(analysis / path, os.W_OK)),
        frozenset(
            path
            for job in record.jobs
            for path in job.outputs
            if _is_inside(path) and notes.incomplete(analysis, path) and (analysis / path).exists()
        ),
    )


def context(place: Place, runner: Runner, facts: RunFacts) -> KeyContext:
    """Return what determines the results of all jobs of a run alike, before it or after it.

    facts: those of its record, or of one made of its graph before it; secrets are left out of them.
    """
    settings = place.run.settings
    installed = metadata.version("snakemake")
    return KeyContext(
        str(runner.folder or place.analysis),
        str(place.run.path),
        digest.of_file(settings) if settings.is_file() else None,
        images(runner),
        JOB_ENVIRONMENT,
        facts.configuration,
        installed if facts.snakemake == UNKNOWN else facts.snakemake,
        place.graph.around,
        outside(runner.outside),
    )


def images(runner: Runner) -> Mapping[str, str]:
    """Return what rules write for an image → what jobs surely run in, as far as it is known before a run."""
    if runner.runtime is RuntimeKind.PLAIN:
        known = {one.name: key.plain_image(digest.of_file(one.requirements)) for one in runner.environments}
        return {
            written: known[image.name]
            for image in runner.images
            for written in image.written
            if image.name in known
        }
    found = {}
    for image in runner.images:
        if image.config is None:
            continue
        # Apptainer pulls what rules name by a reference; only a file is surely the one that was built.
        by_file = runner.runtime is RuntimeKind.APPTAINER
        for written in image.written:
            if not by_file or written == str(image.runtime_path) or written in runner.surely:
                found[written] = key.contained_image(image.config)
    return found


def outside(declared: Sequence[Outside]) -> Mapping[str, str]:
    """Return the rules whose results must not be reused, and for what; `*` for all of them."""
    found = {}
    for one in declared:
        if not one.reuse:
            for rule in one.rules or ("*",):
                found[rule] = f"{one.kind} ({one.name})"
    return found


def harmful(arguments: Sequence[str]) -> str | None:
    """Return the first of Snakemake's options with which nothing may be restored, since it asks for more."""
    for argument in arguments:
        name = argument.partition("=")[0]
        if name.startswith("-") and name not in _HARMLESS and not name.startswith(_BATCH):
            return name
    return None


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")


def _asked(jobs: Sequence[JobRecord], graph: Graph) -> tuple[Asked, ...]:
    known = {_name(one["rule"], one["output"], one["wildcards"]): one for one in graph.jobs}
    found = []
    for job in jobs:
        one = known.get(_name(job.rule, job.outputs, job.wildcards))
        if one is None:
            found.append(Asked(job, never="Snakemake's graph doesn't have it"))
            continue
        never = f"its files are marked '{one['special'][0]}'" if one["special"] else ""
        found.append(Asked(job, one["checkpoint"], one["pending"], one["reason"], never))
    return tuple(found)


def _name(rule: str, outputs: Sequence[str], wildcards: Mapping[str, str] | str) -> tuple[object, ...]:
    told = {} if isinstance(wildcards, str) else wildcards
    return (rule, *outputs) if outputs else (rule, *sorted(told.items()))


def _targets(jobs: Sequence[JobRecord], named: Sequence[str]) -> tuple[str, ...]:
    """Return what is asked for by name, and what jobs make that nobody reads or names."""
    used = {path for job in jobs for path in job.inputs} | set(named)
    last = [path for job in jobs if used.isdisjoint(job.outputs) for path in job.outputs]
    return tuple(dict.fromkeys([*named, *last]))
