"""What a run left behind: its events, Snakemake's metadata, and the graph of jobs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from relance.engines import snakemake
from relance.engines.progress import EventFile

_SAYS_NOTHING = re.compile(
    r'\s+File ".+", line \d+, in |(?:Traceback|Wildcards):\s*$|Building DAG of jobs|Updating checkpoint dep'
)
_LAST_LINES = 40
_LAST_BYTES = 1 << 20
_DRY = "This was a dry-run"
_DRY_RUN = frozenset(("-n", "--dry-run", "--dryrun"))
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
    idle: bool = False
    """Whether it was refused before any job, or a dry run: nothing there was made or changed by it."""


GraphJob = Mapping[str, Any]
"""A job as Snakemake's graph has it; see `snakemake_report_plugin_relance`."""


@dataclass(frozen=True)
class Graph:
    """The jobs of a workflow with their parameters, and what they were read from."""

    jobs: tuple[GraphJob, ...]
    snakefile: str
    included: tuple[str, ...]
    configuration: Mapping[str, object]
    configfiles: tuple[str, ...]
    read: tuple[str, ...] = ()
    """Files of the analysis that were opened while the Snakefile was parsed; relative to it."""
    read_outside: tuple[str, ...] = ()
    """Files elsewhere that were, by absolute path."""
    variables: tuple[str, ...] = ()
    """Names of environment variables that the Snakefile asked for."""
    beyond: tuple[str, ...] = ()
    """Programs that it started and hosts that it asked for: what came of them nobody saw."""
    around: str = ""
    """What `shell.prefix` and `shell.suffix` put around every command."""
    images: tuple[str, ...] = ()
    """What rules write for images, also those behind a checkpoint that have no job yet."""


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
    refused = dry = False
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
                refused = not started
            case "job_error":
                # The status stands only in the message before, which names no job.
                exit = _told_by_log(event) if status is None else status
                _end(started, int(event["jobid"]), ended=event["time"], failed=True, exit=exit)
                status = None
            case None:
                dry = dry or str(event["message"]).startswith(_DRY)
    if not times:
        return None
    dry = dry or not _DRY_RUN.isdisjoint(arguments or ())
    idle = dry or (refused and not started)
    return Events(tuple(started.values()), start, arguments, folder, times[0], times[-1], idle)


def _told_by_log(event: Mapping[str, Any]) -> int | None:
    """Return the exit status of a batch system's job, which the Snakemake that ran it printed there."""
    if not (event.get("aux") or {}).get("external_jobid") or not event.get("log"):
        return None
    try:
        with Path(event["log"][-1]).open("rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - _LAST_BYTES))
            found = _EXIT.findall(stream.read().decode("utf-8", "replace"))
    except OSError:
        return None
    return int(found[-1]) if found else None


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
    # Snakemake 9 takes a start for each output, which may differ by a moment; 7 knows no hash.
    when = "starttime" if record.get("job_hash") is None else "job_hash"
    keys = ("rule", "input", "log", "shellcmd", "params", when)
    if record.get("starttime") is None and record.get("job_hash") is None:
        return (output,)
    return tuple(json.dumps(record.get(key)) for key in keys)


def code_digest(text: str) -> str:
    """Return the sha256 of a rule's code as the metadata has it."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True)
class Called:
    """How a called program ended."""

    status: int
    errors: str
    """What it wrote to standard error."""


class Call(Protocol):
    """Runs a command to its end, perhaps in a sandbox around it."""

    def __call__(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], scratch: Path
    ) -> Called:
        """Run `command` in `folder`.

        Args:
            command: its words.
            folder: its working folder.
            environment: all of its environment.
            scratch: a folder that it must find at the same path and write to.

        Raises:
            TimeoutError: it took too long; the text says how long.
        """


def call_here(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], scratch: Path
) -> Called:
    """Run a command as an ordinary process; see `Call`."""
    del scratch
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
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"Snakemake took longer than {_TIMEOUT:.0f} s") from error
    return Called(done.returncode, done.stderr)


def graph(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], call: Call = call_here
) -> tuple[Graph | None, str]:
    """Ask Snakemake for the graph of jobs; nothing runs. Return it, or None and why there is none.

    Args:
        arguments: those of the run.
        folder: where Snakemake was called.
        environment: that of the Snakemake process.
        call: how to run the command.
    """
    with tempfile.TemporaryDirectory(prefix="relance-graph-") as scratch:
        outfile = Path(scratch) / "graph.json"
        reporter = ("--reporter", "relance", "--report-relance-outfile", str(outfile))
        command = snakemake.observed("graph", outfile, [*_for_graph(arguments), *reporter])
        try:
            done = call(command, folder=folder, environment=environment, scratch=Path(scratch))
        except TimeoutError as error:
            return None, str(error)
        found = written_graph(outfile)
    return found, "" if found else _last_words(done.errors)


def _last_words(errors: str) -> str:
    """Return the end of what Snakemake said, without the lines that tell where in a program it was."""
    said = [line for line in errors.splitlines() if line.strip() and not _SAYS_NOTHING.match(line)]
    return "\n".join(said[-_LAST_LINES:])


def written_graph(path: Path) -> Graph | None:
    """Read a graph that Snakemake wrote under `relance.engines.observer`; None if there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        observed = found["observed"]
        return Graph(
            tuple(found["jobs"]),
            found["snakefile"],
            tuple(found["included"]),
            found["configuration"],
            tuple(found["configfiles"]),
            read=tuple(observed["read"]),
            read_outside=tuple(observed["read_outside"]),
            variables=tuple(sorted({*observed["variables"], *found["envvars"]})),
            beyond=tuple(observed["beyond"]),
            around=str(found["around"]),
            images=tuple(sorted({*found.get("images", ()), *_images_of(found["jobs"])})),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _images_of(jobs: Sequence[GraphJob]) -> Iterator[str]:
    return (str(job["image"]) for job in jobs if job["image"])


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
