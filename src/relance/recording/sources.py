"""What a run left behind: its events, Snakemake's metadata, and the graph of jobs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from relance.engines.progress import EventFile

_EXIT = re.compile(r"returned non-zero exit status (\d+)")
_TIMEOUT = 600.0  # seconds


@dataclass(frozen=True)
class EventJob:
    """A job as the events tell it, after its last attempt."""

    fields: Mapping[str, Any]
    """Those of its last JOB_INFO event."""
    attempts: int
    started: float
    ended: float | None = None
    failed: bool = False
    exit: int | None = None


@dataclass(frozen=True)
class Events:
    """A run as its events tell it."""

    jobs: tuple[EventJob, ...]
    start: Mapping[str, Any]
    """Fields of the WORKFLOW_STARTED event."""
    arguments: tuple[str, ...] | None
    """Snakemake's own arguments."""
    folder: str | None
    """Where it was called."""
    first: float
    last: float


@dataclass(frozen=True)
class Graph:
    """The jobs of a workflow with their parameters, and what they were read from."""

    jobs: tuple[Mapping[str, Any], ...]
    snakefile: str
    included: tuple[str, ...]
    configuration: Mapping[str, object]
    configfiles: tuple[str, ...]


@dataclass(frozen=True)
class Metadata:
    """Snakemake's metadata of every output, by its path."""

    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def checksums(self) -> dict[str, str]:
        """Return the sha256 that Snakemake took of inputs when jobs read them, by path."""
        return {
            path: str(value)
            for record in self.outputs.values()
            for path, value in (record.get("input_checksums") or {}).items()
            if str(value).startswith("sha256:")
        }


def events(path: Path) -> Events | None:
    """Read a run's events; None if there are none."""
    started: dict[int, EventJob] = {}
    start: Mapping[str, Any] = {}
    arguments: tuple[str, ...] | None = None
    folder: str | None = None
    times: list[float] = []
    status: int | None = None
    for event in EventFile(path).new():
        times.append(event["time"])
        match event["event"]:
            case "arguments":
                arguments, folder = tuple(event["argv"][1:]), event["folder"]
            case "workflow_started":
                start = event
            case "job_info":
                job = int(event["jobid"])
                before = started.get(job)
                started[job] = EventJob(event, (before.attempts if before else 0) + 1, event["time"])
            case "job_finished":
                _end(started, int(event["job_id"]), ended=event["time"], exit=0)
            case "error":
                found = _EXIT.search(event["message"])
                status = int(found[1]) if found else None
            case "job_error":
                # The status stands only in the message before, which names no job.
                _end(started, int(event["jobid"]), ended=event["time"], failed=True, exit=status)
                status = None
    if not times:
        return None
    return Events(tuple(started.values()), start, arguments, folder, times[0], times[-1])


def _end(started: dict[int, EventJob], job: int, **changes: Any) -> None:
    if job in started:
        started[job] = replace(started[job], **changes)


def metadata(analysis: Path) -> Metadata:
    """Read `.snakemake/metadata`, as Snakemake 7.32 to 9 write it, without what can't be read."""
    folder = analysis / ".snakemake" / "metadata"
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            # A long name is split into folders that begin with @.
            name = "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                found[base64.b64decode(name, altchars=b"-_", validate=True).decode()] = record
            except (OSError, ValueError, binascii.Error):
                continue
    return Metadata({path: record for path, record in found.items() if isinstance(record, dict)})


def same_job(output: str, record: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what the outputs of one job have in common in their metadata.

    A job that tells nothing else apart from another is told by its output.
    """
    keys = ("rule", "input", "log", "shellcmd", "params", "starttime", "job_hash")
    if record.get("starttime") is None and record.get("job_hash") is None:
        return (output,)
    return tuple(json.dumps(record.get(key)) for key in keys)


def code_digest(text: str) -> str:
    """Return the sha256 of a rule's code as the metadata has it."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def graph(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[Graph | None, str]:
    """Ask Snakemake for the graph of jobs; nothing runs. Return it, or None and why there is none.

    Args:
        arguments: those of the run.
        folder: where Snakemake was called.
        environment: that of the Snakemake process.
    """
    with tempfile.TemporaryDirectory(prefix="relance-graph-") as scratch:
        outfile = Path(scratch) / "graph.json"
        command = [sys.executable, "-m", "snakemake", *_for_graph(arguments)]
        command += ["--reporter", "relance", "--report-relance-outfile", str(outfile)]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=dict(environment),
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=_TIMEOUT,
                check=False,
            )
            found = json.loads(outfile.read_text(encoding="utf-8"))
        except subprocess.TimeoutExpired:
            return None, f"Snakemake took longer than {_TIMEOUT:.0f} s"
        except (OSError, ValueError):
            return None, "\n".join(done.stderr.strip().splitlines()[-5:])
    return Graph(
        tuple(found["jobs"]),
        found["snakefile"],
        tuple(found["included"]),
        found["configuration"],
        tuple(found["configfiles"]),
    ), ""


_DROPPED = {"--logger": True, "--logger-relance-outfile": True, "--report": True, "--reporter": True}
_DROPPED |= dict.fromkeys(
    ("--report-after-run", "-n", "--dry-run", "--dryrun", "--nolock", "--forceall", "-F"), False
)
_DROPPED |= dict.fromkeys(("--rerun-incomplete", "--ri", "--ignore-incomplete", "--ii"), False)


def _for_graph(arguments: Sequence[str]) -> Iterator[str]:
    """Yield a run's arguments without those that concern its running, with those that only reading needs."""
    dropped = False
    for argument in arguments:
        name, given, _ = argument.partition("=")
        if name in _DROPPED:
            dropped = _DROPPED[name] and not given
        elif dropped and not argument.startswith("-"):
            continue  # --logger takes all values up to the next option; the others have one, before options
        else:
            dropped = False
            yield argument
    if not any(re.match(r"-(c|j)\d*$|--(cores|jobs)\b", argument) for argument in arguments):
        yield from ("--cores", "1")
    yield from ("--nolock", "--rerun-incomplete")
