"""The record of a run on a REANA server: jobs as the workflow has them, their fate as the server tells it."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from relance import __version__, digest
from relance.engines.reana.model import JobLog, Logs, Server, State, Status
from relance.engines.snakemake import RunFolder
from relance.model import (
    UNKNOWN,
    CodeRecord,
    FileDigest,
    ImageRecord,
    JobRecord,
    JobTimes,
    RemoteRun,
    RunFacts,
    RunRecord,
    Unknown,
)
from relance.recording import build, files, redaction
from relance.recording.sources import Graph
from relance.recording.sources import graph as read_graph
from relance.store.hashing import Hasher, size

_RUN = "{run}"
_PINNED = re.compile(r"@(sha256:[0-9a-f]{64})$")
_STATUS: Mapping[str, Literal["ok", "failed", "unfinished"]] = {
    "finished": "ok",
    "failed": "failed",
    "stopped": "unfinished",
    "running": "unfinished",
}


@dataclass(frozen=True)
class Told:
    """What a server says of a run that is over."""

    server: Server
    state: State
    logs: Logs
    snakemake: str | Unknown = UNKNOWN
    """The version that the server says it runs."""


def folder(analysis: Path, told: Told) -> RunFolder:
    """Return the folder of the run's record, in the folder that its files were fetched into."""
    return RunFolder(analysis / ".snakemake" / "relance" / f"run-reana-{told.state.workflow.id}")


def of_snakefile(
    analysis: Path,
    main: str,
    configuration: Mapping[str, Any],
    told: Told,
    *,
    stage: Callable[[Path], None],
    environment: Mapping[str, str],
    effects: build.Effects,
) -> RunRecord:
    """Return the record of a run of one's own analysis, whose Snakefile is read here for its jobs.

    Args:
        analysis: holds what the run was given and what was fetched of it.
        main: the Snakefile, relative to the analysis.
        configuration: what the server gave to Snakemake.
        told: by the server.
        stage: puts what the run was given, and nothing that a server made, into an empty folder: the
            Snakefile is read there.
        environment: of the process that reads it.
        effects: of making a record.

    Raises:
        InputError: a file can't be read.
    """
    place = folder(analysis, told)
    place.path.mkdir(parents=True, exist_ok=True)
    place.settings.write_text(json.dumps(configuration, indent=1) + "\n", encoding="utf-8")
    outer = {**environment, "RELANCE_RUNTIME": "plain"}  # no image is needed to read it
    with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
        clean = Path(scratch) / "analysis"
        clean.mkdir()
        stage(clean)
        line = ["--snakefile", str(clean / main), "--directory", str(clean), "--cores", "1"]
        graph, problem = read_graph([*line, "--configfile", str(place.settings)], clean, outer)
    if graph is not None:
        graph = _moved(graph, str(clean), str(analysis))
    if graph is None:
        effects.say(f"the Snakefile can't be read, so the server alone tells of jobs: {problem}")
        return completed(none(analysis, (), effects.cache), told)
    request = build.Request(analysis, None, outer, "reana", _version(told), graph, before=True)
    made = build.record(request, effects)
    shown = str(place.path.relative_to(analysis))

    def named(listed: tuple[FileDigest, ...] | Unknown) -> tuple[FileDigest, ...] | Unknown:
        if listed == UNKNOWN:
            return listed
        return tuple(replace(file, path=file.path.replace(shown, _RUN)) for file in listed)

    facts = replace(
        made.run,
        command=("--configfile", f"{_RUN}/{place.settings.name}"),
        configuration_files=named(made.run.configuration_files),
        read_outside=named(made.run.read_outside),
    )
    return completed(replace(made, run=facts), told)


def _moved(graph: Graph, before: str, after: str) -> Graph:
    """Return a graph that was read in one folder as it would have been read in another."""

    def moved(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(before, after)
        if isinstance(value, Mapping):
            return {key: moved(part) for key, part in value.items()}
        return type(value)(map(moved, value)) if isinstance(value, list | tuple) else value

    return replace(graph, **{one.name: moved(getattr(graph, one.name)) for one in fields(graph)})


def none(analysis: Path, paths: Iterable[str], cache: Path) -> RunRecord:
    """Return a record without jobs, of files that a run read or made: for what only the server can tell."""
    listed = tuple(sorted(set(paths)))
    facts = RunFacts(
        made="afterwards",
        graph=False,
        status=UNKNOWN,
        relance=__version__,
        snakemake=UNKNOWN,
        command=UNKNOWN,
        snakefile=UNKNOWN,
        included=UNKNOWN,
        configuration_files=UNKNOWN,
        configuration=UNKNOWN,
        configuration_digest=UNKNOWN,
        platform=UNKNOWN,
        processor=UNKNOWN,
        libc=UNKNOWN,
        runtime="reana",
        runtime_version=UNKNOWN,
        targets=(),
    )
    return RunRecord(facts, (), digests(analysis, listed, cache), UNKNOWN, UNKNOWN, ())


def digests(analysis: Path, paths: Iterable[str], cache: Path) -> tuple[FileDigest, ...]:
    """Return files and folders as they lie in a folder; what isn't there is `gone`."""
    wanted = sorted(set(paths))
    hasher = Hasher(cache)
    known = hasher.files(analysis / path for path in wanted if (analysis / path).exists())
    hasher.remember()
    found = []
    for path in wanted:
        place = analysis / path
        if place not in known:
            found.append(FileDigest(path, "gone", UNKNOWN, UNKNOWN, "none"))
            continue
        kind: Literal["folder", "file"] = "folder" if place.is_dir() else "file"
        found.append(FileDigest(path, kind, known[place], size(place), "content"))
    return tuple(found)


def completed(known: RunRecord, told: Told) -> RunRecord:
    """Return a record with what the server tells of the run and its jobs; nothing of this machine is in it.

    A job is known again by its command, else by its rule where that has one job only. Jobs that only the
    server knows have neither inputs nor outputs.
    """
    left = list(told.logs.jobs)
    rules = [job.rule for job in known.jobs]
    matched = [_matching(job, left, alone=rules.count(job.rule) == 1) for job in known.jobs]
    used = {log.id for logs in matched for log in logs}
    others = [log for log in left if log.id not in used and log.name not in rules]
    pairs = [
        *(
            (_told(job, logs, told.state.status), _times(logs))
            for job, logs in zip(known.jobs, matched, strict=True)
        ),
        *((_told(_unheard(log), [log], told.state.status), _times([log])) for log in others),
    ]
    times = tuple(time for _, time in pairs)
    began = [time.started for time in times if time.started != UNKNOWN]
    ended = [time.ended for time in times if time.ended != UNKNOWN]
    workflow = told.state.workflow
    run = replace(
        known.run,
        made="afterwards",
        relance=__version__,
        status=_run_status(told.state.status),
        snakemake=told.snakemake,
        platform=UNKNOWN,
        processor=UNKNOWN,
        libc=UNKNOWN,
        runtime="reana",
        runtime_version=_version(told),
        environments={},
        remote=RemoteRun("reana", told.server.address, _version(told), workflow.id, workflow.name),
    )
    whole = RunRecord(
        run,
        tuple(job for job, _ in pairs),
        known.files,
        min(began, default=UNKNOWN),
        max(ended, default=UNKNOWN),
        times,
    )
    return redaction.redacted(whole)


def write(record: RunRecord, analysis: Path, told: Told) -> Path:
    """Write a record into its folder; return its path."""
    place = folder(analysis, told).path
    place.mkdir(parents=True, exist_ok=True)
    return files.write(record, place)


def _matching(job: JobRecord, logs: Sequence[JobLog], *, alone: bool) -> list[JobLog]:
    """Return what the server tells of a job: of each attempt, the last one last."""
    of_rule = [log for log in logs if log.name == job.rule]
    command = job.command.strip() if job.command not in {None, UNKNOWN} else ""
    same = [log for log in of_rule if command and log.command.strip().endswith(command)]
    found = same or (of_rule if alone else [])
    return sorted(found, key=lambda log: (log.started or 0.0, log.ended or 0.0))


def _told(job: JobRecord, logs: Sequence[JobLog], run: Status) -> JobRecord:
    if not logs:
        over = run is Status.FINISHED
        return replace(
            job, status=UNKNOWN if over else "not run", exit=UNKNOWN if over else None, attempts=UNKNOWN
        )
    last = logs[-1]
    status = _STATUS.get(last.status, UNKNOWN)
    ended: dict[str, int | Unknown | None] = {"ok": 0, "unfinished": None}
    return replace(
        job,
        status=status,
        exit=ended.get(status, UNKNOWN),
        attempts=len(logs),
        command=job.command if job.command != UNKNOWN else last.command or UNKNOWN,
        image=_image(job.image, last.image),
    )


def _image(known: ImageRecord | Unknown | None, told: str) -> ImageRecord | Unknown | None:
    """Return the image that the server says it ran; what was known of it stays if it is the same."""
    if not told:
        return known
    if isinstance(known, ImageRecord) and known.written.removeprefix("docker://") == told:
        return known
    pinned = _PINNED.search(told)
    if pinned is None:
        return ImageRecord(f"docker://{told}")
    return ImageRecord(f"docker://{told}", manifest=digest.parse(pinned[1]), resolved="run")


def _unheard(log: JobLog) -> JobRecord:
    """Return a job that only the server knows."""
    return JobRecord(
        rule=log.name,
        wildcards=UNKNOWN,
        status=UNKNOWN,
        exit=UNKNOWN,
        attempts=UNKNOWN,
        command=log.command or UNKNOWN,
        parameters=UNKNOWN,
        code=CodeRecord("shell" if log.command else UNKNOWN),
        image=UNKNOWN,
        inputs=(),
        outputs=(),
        logs=(),
    )


def _times(logs: Sequence[JobLog]) -> JobTimes:
    last = logs[-1] if logs else None
    started = last.started if last is not None else None
    ended = last.ended if last is not None else None
    return JobTimes(UNKNOWN if started is None else started, UNKNOWN if ended is None else ended, UNKNOWN)


def _run_status(status: Status) -> Literal["ok", "failed", "unfinished"]:
    if status is Status.FINISHED:
        return "ok"
    return "failed" if status is Status.FAILED else "unfinished"


def _version(told: Told) -> str:
    return told.server.version or UNKNOWN
