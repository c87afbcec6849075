"""Makes the record of a run: jobs, digests of all they read and wrote, and where it ran."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from relance import __version__, digest
from relance.engines.snakemake import RunFolder
from relance.model import UNKNOWN, FileDigest, ImageRecord, JobRecord, RunFacts, RunRecord, Unknown
from relance.recording import jobs, machine, memory, reached, redaction, sources
from relance.recording.above import completed
from relance.recording.digests import Digests
from relance.recording.images import Resolver
from relance.recording.jobs import FoundJob
from relance.recording.sources import Call, Events, Graph, Metadata
from relance.store import images
from relance.store.images import KnownImages

_RUN = "{run}"
_SLACK = 1.0  # seconds between the end of a job and Snakemake's noting it


@dataclass(frozen=True)
class Request:
    """Which run to record. Paths are absolute."""

    analysis: Path
    events: Path | None
    """The run's events; None makes the record of what lies there, whoever made it."""
    environment: Mapping[str, str]
    """That of Snakemake when its graph is read."""
    runtime: str = UNKNOWN
    runtime_version: str = UNKNOWN
    graph: Path | Graph | None = None
    """The graph, or where the run itself may have written it; else Snakemake is asked for it."""
    call: Call = sources.call_here
    """How Snakemake is run to ask for it."""
    before: bool = False
    """Whether the run is still to come: what Snakemake noted of former ones then says nothing of its jobs."""
    lies: Callable[[str], Path | None] | None = None
    """Says where a path that a workflow writes is to be looked for, and None if nowhere, since the run could
    not see it; None if every path is where it says."""
    images: Mapping[str, ImageRecord] | None = None
    """What rules write for an image → what it was, where the run could have no other."""
    stand_ins: Mapping[str, ImageRecord] = field(default_factory=dict)
    """What rules write for an image in whose place a mapping put another → that one."""
    earlier: Sequence[Graph] = ()
    """The graph as it was read before the run, when checkpoints that the run found done were not restored."""


@dataclass(frozen=True)
class Effects:
    """What making a record has on its caller."""

    cache: Path
    """File that remembers digests."""
    say: Callable[[str], None]
    progress: Callable[[int, int], None]
    """Told the bytes hashed and all there are to hash."""


def record(request: Request, effects: Effects) -> RunRecord:
    """Return the record of a run; what can't be told is `unknown`.

    Raises:
        InputError: a file that jobs read or wrote can't be read, or changes meanwhile.
    """
    analysis = request.analysis
    events = sources.events(request.events) if request.events else None
    arguments = (events.arguments if events else None) or ()
    folder = Path(events.folder) if events and events.folder else analysis
    graph, problem = _known_graph(request.graph), ""
    if graph is None:
        graph, problem = sources.graph(arguments, folder, request.environment, request.call)
    if graph is None:
        effects.say(f"the graph of jobs can't be read, so some of them is unknown: {problem}")
    else:
        graph = completed(graph, request.earlier)
    metadata = Metadata() if request.before else sources.metadata(analysis)
    found = jobs.find(analysis, graph, events, metadata)
    found.sort(key=lambda job: (job.record.rule, job.record.outputs, str(job.record.wildcards)))
    if request.events:
        found = memory.told(found, memory.read(RunFolder(request.events.parent).memory))

    own = _own_files(graph)
    paths = sorted({path for job in found for path in (*job.record.inputs, *job.record.outputs)})
    scripts = [job.script for job in found if job.script]
    codes = reached.of_jobs(analysis, graph, found)
    paths = sorted({*paths, *(path for code in codes for path in code if code != UNKNOWN)})
    digests = Digests(effects.cache, effects.progress, request.lies or analysis.__truediv__)
    digests.add([*paths, *own, *scripts])
    runtime = request.runtime if request.runtime != UNKNOWN else machine.runtime(events)
    known = KnownImages() if request.images is not None else images.known(analysis)
    ended = _ended(request, events)
    given = {**(request.images or {}), **request.stand_ins}
    resolver = Resolver(analysis, known, runtime, ended, digests.one, digests.sees, given)
    run_folder = str(request.events.parent) if request.events else _RUN

    def told(path: str) -> FileDigest:
        found_file = digests.file(path)
        return replace(found_file, path=_shown(path, analysis, run_folder))

    made = {path for job in found for path in job.record.outputs}
    read: tuple[FileDigest, ...] | Unknown = UNKNOWN
    if graph is not None:  # an input function may read what a checkpoint made
        read = tuple(told(path) for path in graph.read if path not in made)
    checksums = metadata.checksums()
    written = _written(found, codes)
    files = tuple(_file(path, digests, checksums, written) for path in paths)
    finished = tuple(
        _finished(job, code, digests, resolver, analysis, run_folder)
        for job, code in zip(found, codes, strict=True)
    )
    digests.remember()
    made_record = RunRecord(
        run=RunFacts(
            made="during the run" if events else "afterwards",
            graph=graph is not None,
            status=_status(finished, watched=events is not None),
            relance=__version__,
            snakemake=events.start.get("snakemake_version", UNKNOWN) if events else UNKNOWN,
            command=tuple(text.replace(run_folder, _RUN) for text in arguments)
            if events and events.arguments is not None
            else UNKNOWN,
            snakefile=told(graph.snakefile) if graph else UNKNOWN,
            included=tuple(told(path) for path in sorted(set(graph.included) - {graph.snakefile}))
            if graph
            else UNKNOWN,
            configuration_files=tuple(told(path) for path in graph.configfiles) if graph else UNKNOWN,
            configuration=graph.configuration if graph else UNKNOWN,
            configuration_digest=digest.of_json(graph.configuration) if graph else UNKNOWN,
            platform=f"{platform.system()} {platform.release()} {platform.machine()}",
            processor=machine.processor(),
            libc=" ".join(platform.libc_ver()).strip() or UNKNOWN,
            runtime=runtime,
            runtime_version=request.runtime_version,
            targets=jobs.targets(graph, events, found),
            read=read,
            read_outside=tuple(told(path) for path in graph.read_outside) if graph else UNKNOWN,
            variables=graph.variables if graph else UNKNOWN,
            beyond=graph.beyond if graph else UNKNOWN,
            environments=machine.environments(analysis, request.runtime, arguments),
            stand_ins=tuple(sorted(request.stand_ins.keys() & {job.image for job in found})),
        ),
        jobs=finished,
        files=files,
        started=events.first if events else UNKNOWN,
        ended=events.last if events else UNKNOWN,
        times=tuple(job.times for job in found),
    )
    kept = redaction.redacted(made_record)
    if kept.run.redacted:
        effects.say(f"left out of the record as secrets: {'; '.join(kept.run.redacted)}")
    return kept


def _ended(request: Request, events: Events | None) -> float | None:
    if request.before:  # whatever lies there now is what the run will use
        return time.time()
    return events.last if events else None


def _known_graph(given: Path | Graph | None) -> Graph | None:
    return sources.written_graph(given) if isinstance(given, Path) else given


def _written(found: Sequence[FoundJob], codes: Sequence[tuple[str, ...] | Unknown]) -> dict[str, float]:
    """Return by path when its content was settled: its maker's end, or its first reader's start."""
    read: dict[str, float] = {}
    made: dict[str, float | None] = {}
    for job, code in zip(found, codes, strict=True):
        for path in job.record.outputs:
            made[path] = job.times.ended if job.times.ended != UNKNOWN else None
        if job.times.started != UNKNOWN:
            for path in (*job.record.inputs, *(code if code != UNKNOWN else ())):
                read[path] = min(read.get(path, job.times.started), job.times.started)
    # Parts of a folder that a job made are not told apart from those that came with the analysis.
    return {
        **{path: time for path, time in read.items() if path not in made},
        **{path: time for path, time in made.items() if time is not None},
    }


def _file(
    path: str, digests: Digests, checksums: Mapping[str, str], written: Mapping[str, float]
) -> FileDigest:
    found = digests.file(path)
    if found.kind == "gone":
        known = checksums.get(path)
        return replace(found, digest=digest.parse(known), source="snakemake") if known else found
    late = path in written and digests.modified(path) > written[path] + _SLACK
    return replace(found, altered=late)


def _finished(  # noqa: PLR0917 - the job, and what is known of its files
    job: FoundJob,
    files: tuple[str, ...] | Unknown,
    digests: Digests,
    resolver: Resolver,
    analysis: Path,
    run_folder: str,
) -> JobRecord:
    image = resolver.resolve(job.image) if job.image not in {None, UNKNOWN} else job.image
    code = replace(job.record.code, files=files)
    if job.script is not None:
        script = digests.file(job.script)
        code = replace(code, path=_shown(job.script, analysis, run_folder), digest=script.digest)
    directories = job.record.directories
    if directories == UNKNOWN:  # Snakemake lets nothing else be a folder
        kinds = {path: digests.file(path).kind for path in job.record.outputs}
        if "gone" not in kinds.values():
            directories = tuple(path for path, kind in kinds.items() if kind == "folder")
    return jobs.with_files(job, image=image, code=code, directories=directories)


def _own_files(graph: Graph | None) -> list[str]:
    return [graph.snakefile, *graph.included, *graph.configfiles] if graph else []


def _status(
    finished: Sequence[JobRecord], *, watched: bool
) -> Literal["ok", "failed", "unfinished", "unknown"]:
    statuses = {job.status for job in finished}
    if "failed" in statuses:
        return "failed"
    if "unfinished" in statuses:
        return "unfinished"
    return "ok" if watched and "unknown" not in statuses else UNKNOWN


def _shown(path: str, analysis: Path, run_folder: str) -> str:
    """Return a path relative to the analysis if it lies there, with the run's own folder by a fixed name."""
    text = path.replace(run_folder, _RUN)
    return str(Path(text).relative_to(analysis)) if Path(text).is_relative_to(analysis) else text
