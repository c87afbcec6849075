"""The jobs of a run, put together from its events, the graph and Snakemake's metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

from relance.model import UNKNOWN, CodeKind, CodeRecord, Digest, JobRecord, JobTimes, Parameter, Unknown
from relance.recording import cached, sources
from relance.recording.sources import EventJob, Events, Graph, Metadata

_Key = tuple[str, ...]
_MEGABYTE = 1 << 20  # what Snakemake's benchmarks count memory in


@dataclass(frozen=True)
class FoundJob:
    """A job before its files are hashed. `image` is the name that the rule gives, if any."""

    record: JobRecord
    times: JobTimes
    image: str | Unknown | None
    script: str | None
    environment: str | None
    """The file of its rule's `conda:`."""
    benchmark: str | None


def targets(graph: Graph | None, events: Events | None, found: Iterable[FoundJob]) -> tuple[str, ...]:
    """Return what rules without outputs name, else what no job reads."""
    named: list[str] = []
    sources_of = [*(graph.jobs if graph else ()), *((job.fields for job in events.jobs) if events else ())]
    for fields in sources_of:
        if _names_only(fields):
            named += fields["input"]
    if not named:
        jobs = [job.record for job in found]
        read = {path for job in jobs for path in job.inputs}
        named = [path for job in jobs for path in job.outputs if path not in read]
    return tuple(sorted(set(named)))


def find(analysis: Path, graph: Graph | None, events: Events | None, metadata: Metadata) -> list[FoundJob]:
    """Return every job that is known, in an order that depends on nothing but the jobs.

    Those of the events and of the graph, and those that the metadata name upstream of them: the graph has no
    jobs above a checkpoint that is done. With neither events nor graph, all of the metadata.
    """
    of_graph = (
        {_key(job): cached.original(job, analysis) for job in graph.jobs if not _names_only(job)}
        if graph
        else {}
    )
    of_events: dict[_Key, EventJob] = {}
    for job in events.jobs if events else ():
        if not _names_only(job.fields):
            of_events[_key(job.fields)] = replace(job, fields=cached.original(job.fields, analysis))
    noted = {path: cached.original(record, analysis) for path, record in metadata.outputs.items()}
    of_metadata = _grouped(Metadata(noted))
    keys = {*of_graph, *of_events}
    if graph or events:
        _add_upstream(keys, of_graph, of_events, of_metadata)
    else:
        keys |= set(of_metadata)
    read = {path for record in metadata.outputs.values() for path in record.get("input_checksums") or {}}
    return [
        _Merged(
            analysis, of_graph.get(key), of_events.get(key), of_metadata.get(key), events is not None, read
        ).job()
        for key in sorted(keys)
    ]


@dataclass(frozen=True)
class _Group:
    """A job of the metadata: its outputs, and what is written of the first."""

    outputs: tuple[str, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True)
class _Merged:
    """What the sources say of one job."""

    analysis: Path
    graph: Mapping[str, Any] | None
    event: EventJob | None
    metadata: _Group | None
    watched: bool
    read: set[str]

    def job(self) -> FoundJob:
        """Return the job; what ran goes before what the graph says now, and both before the metadata."""
        outputs = tuple(self._first("output")) if self._told else self._group.outputs
        command = self._first("shellcmd")
        graph = self.graph
        if graph is not None and self._ran is not None and graph["shellcmd"] != self._ran["shellcmd"]:
            graph = None  # the Snakefile has changed since
        kind = graph["kind"] if graph else ("shell" if command else "unknown")
        status = self._status(outputs)
        attempts: int | Unknown = UNKNOWN
        if self.event is not None:
            attempts = self.event.attempts
        elif status == "not run":
            attempts = 0
        record = JobRecord(
            rule=str(self._first("rule_name" if self._is_event else "rule")),
            wildcards=self._wildcards(),
            status=status,
            exit=self._exit(status),
            attempts=attempts,
            command=command,
            parameters=self._parameters(graph),
            code=CodeRecord(cast(CodeKind, kind), digest=self._code(kind)),
            image=None,
            inputs=tuple(self._first("input") or ()),
            outputs=outputs,
            logs=tuple(self._first("log") or ()),
            temporary=tuple(graph["temporary"]) if graph else UNKNOWN,
            protected=tuple(graph["protected"]) if graph else UNKNOWN,
            directories=tuple(graph["directories"]) if graph else UNKNOWN,
            threads=self._threads(graph),
        )
        image: str | Unknown | None = UNKNOWN
        if graph is not None:
            image = graph["image"]
        elif self.metadata is not None:
            image = self.metadata.record.get("container_img_url", UNKNOWN)
        return FoundJob(
            record,
            self._times(),
            image,
            script=graph["script"] if graph else None,
            environment=graph["environment"] if graph else None,
            benchmark=self._first("benchmark") if self._told else None,
        )

    @property
    def _is_event(self) -> bool:
        return self.event is not None

    @property
    def _told(self) -> bool:
        return self.event is not None or self.graph is not None

    @property
    def _group(self) -> _Group:
        return self.metadata or _Group((), {})

    @property
    def _ran(self) -> Mapping[str, Any] | None:
        """What is known of the job as it ran, apart from the graph as it is now."""
        if self.event is not None:
            return self.event.fields
        return self.metadata.record if self.metadata and "shellcmd" in self.metadata.record else None

    def _first(self, name: str) -> Any:
        if self.event is not None:
            return self.event.fields[name]
        return (self.graph if self.graph is not None else self._group.record).get(name)

    def _wildcards(self) -> Mapping[str, str] | Unknown:
        if not self._told:
            return UNKNOWN
        return {key: str(value) for key, value in (self._first("wildcards") or {}).items()}

    def _status(
        self, outputs: tuple[str, ...]
    ) -> Literal["ok", "failed", "unfinished", "not run", "unknown"]:
        if self.event is not None:
            if self.event.failed:
                return "failed"
            if self.event.ended is not None:
                return "ok"
            # Snakemake tells no ends with --quiet: then its metadata do.
            return "ok" if self._recorded_since(self.event.started) and self._made(outputs) else "unfinished"
        if self.watched:
            return "not run"
        complete = self.metadata is not None and not self.metadata.record.get("incomplete")
        return "ok" if complete and self._made(outputs) else "unknown"

    def _recorded_since(self, started: float) -> bool:
        ended = self._group.record.get("endtime")
        return ended is not None and ended >= started - 1 and not self._group.record.get("incomplete")

    def _made(self, outputs: tuple[str, ...]) -> bool:
        temporary = self.graph["temporary"] if self.graph else ()
        return all(
            (self.analysis / path).exists() or path in temporary or path in self.read for path in outputs
        )

    def _exit(self, status: str) -> int | Unknown | None:
        match status:
            case "ok":
                return 0
            case "failed" if self.event is not None and self.event.exit is not None:
                return self.event.exit
            case "not run" | "unfinished":
                return None
            case _:
                return UNKNOWN

    def _parameters(self, graph: Mapping[str, Any] | None) -> tuple[Parameter, ...] | Unknown:
        if graph is not None:
            return tuple(Parameter(item["name"], item["value"], item["exact"]) for item in graph["params"])
        written = self._group.record.get("params")
        if written is None:
            return UNKNOWN
        return tuple(Parameter(UNKNOWN, str(value), exact=False) for value in written)

    def _threads(self, graph: Mapping[str, Any] | None) -> int | Unknown:
        threads = self.event.fields.get("threads") if self.event is not None else None
        if threads is None and graph is not None:
            threads = graph["threads"]
        return UNKNOWN if threads is None else int(threads)

    def _code(self, kind: str) -> Digest | Unknown:
        record = self._group.record
        # Before this key there was one, code was stored as bytecode, which tells Python's version too.
        if kind in {"shell", "run"} and "record_format_version" in record and record.get("code"):
            return Digest(sources.code_digest(record["code"]))
        return UNKNOWN

    def _times(self) -> JobTimes:
        record = self._group.record
        started: float | Unknown = record.get("starttime") or UNKNOWN
        ended: float | Unknown = record.get("endtime") or UNKNOWN
        if self.event is not None:
            ended = self.event.ended or (ended if self._recorded_since(self.event.started) else UNKNOWN)
            started = self.event.started
        benchmark = self._first("benchmark") if self._told else None
        peak = _peak_memory(self.analysis / benchmark) if benchmark else UNKNOWN
        return JobTimes(started, ended, peak, UNKNOWN if peak == UNKNOWN else "all processes")


def with_files(job: FoundJob, **changes: Any) -> JobRecord:
    """Return the job's record with what was found of its image and script."""
    return replace(job.record, **changes)


def _peak_memory(benchmark: Path) -> int | Unknown:
    """Return the largest max_rss (in MiB there) of a benchmark file, in bytes."""
    try:
        header, *rows = [line.split("\t") for line in benchmark.read_text(encoding="utf-8").splitlines()]
        column = header.index("max_rss")
        return max(round(float(row[column]) * _MEGABYTE) for row in rows)
    except (OSError, ValueError, IndexError):
        return UNKNOWN


def _key(fields: Mapping[str, Any]) -> _Key:
    """Return what tells a job from the others of a workflow."""
    rule = str(fields.get("rule_name") or fields["rule"])
    if fields["output"]:
        return (rule, *fields["output"])
    return (rule, json.dumps(fields["wildcards"] or {}, sort_keys=True))


def _names_only(fields: Mapping[str, Any]) -> bool:
    """Return whether a job makes and does nothing."""
    return not fields["output"] and not fields["shellcmd"] and fields.get("kind", "none") == "none"


def _grouped(metadata: Metadata) -> dict[_Key, _Group]:
    groups: dict[tuple[object, ...], list[str]] = {}
    for path, record in metadata.outputs.items():
        groups.setdefault(sources.same_job(path, record), []).append(path)
    found = {}
    for paths in groups.values():
        record = metadata.outputs[paths[0]]
        found[(str(record.get("rule", UNKNOWN)), *sorted(paths))] = _Group(tuple(sorted(paths)), record)
    return found


def _add_upstream(
    keys: set[_Key],
    of_graph: Mapping[_Key, Mapping[str, Any]],
    of_events: Mapping[_Key, EventJob],
    of_metadata: dict[_Key, _Group],
) -> None:
    """Add the jobs of the metadata that made what known jobs read, and give them all the same keys."""
    known_outputs = {frozenset(key[1:]): key for key in keys}
    for key in list(of_metadata):
        # The graph gives outputs in the rule's order.
        same = known_outputs.get(frozenset(key[1:]))
        if same:
            of_metadata[same] = of_metadata.pop(key) if same != key else of_metadata[key]
    makers = {path: key for key, group in of_metadata.items() for path in group.outputs}
    waiting = [
        path
        for fields in (*of_graph.values(), *(job.fields for job in of_events.values()))
        for path in fields["input"]
    ]
    while waiting:
        for name in and_folders(waiting.pop()):
            maker = makers.get(name)
            if maker is not None and maker not in keys:
                keys.add(maker)
                waiting += of_metadata[maker].record.get("input") or ()


def and_folders(path: str) -> Iterator[str]:
    """Yield a path and the folders that it lies in, the nearest first."""
    yield path
    yield from (str(folder) for folder in PurePosixPath(path).parents)
