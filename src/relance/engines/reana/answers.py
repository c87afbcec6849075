"""A server's answers as our own types; what isn't such an answer is refused, whoever sent it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from relance.engines.leavings import printable
from relance.engines.reana import paths
from relance.engines.reana.model import JobLog, Logs, Progress, RemoteFile, Secret, State, Status, Workflow

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LARGEST_FILE = 1 << 50  # bytes
_LONGEST_NAME = 500

Wrong = Callable[[str], Exception]
"""Makes the error for an answer that can't be used."""


def workflow(
    said: Any, wrong: Wrong, *, keys: tuple[str, str] = ("workflow_id", "workflow_name")
) -> Workflow:
    """Return the run that an answer names under these keys."""
    found = mapping(said, wrong)
    name = found.get(keys[1])
    known = found.get(keys[0])
    if not isinstance(known, str) or not _UUID.fullmatch(known):
        raise wrong("a run without an identifier")
    if not isinstance(name, str) or not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise wrong("a run without a name")
    return Workflow(known.lower(), name)


def state(said: Any, wrong: Wrong) -> State:
    """Return how far a run is, from its status or from an entry of a listing."""
    found = mapping(said, wrong)
    try:
        status = Status(str(found.get("status")))
    except ValueError:
        raise wrong(f"the status {str(found.get('status'))[:40]!r}") from None
    counts = found.get("progress")
    counts = counts if isinstance(counts, dict) else {}
    created = found.get("created")
    return State(
        workflow(found, wrong, keys=("id", "name")),
        status,
        Progress(**{name: _count(counts.get(name)) for name in ("total", "running", "finished", "failed")}),
        printable(created) if isinstance(created, str) else "",
    )


def file(said: Any, wrong: Wrong) -> RemoteFile:
    """Return a file of a listing."""
    found = mapping(said, wrong)
    path = found.get("name")
    if not isinstance(path, str) or not paths.is_safe(path):
        raise wrong(f"a file named {ascii(path)[:100]}")
    size = found.get("size")
    size = size.get("raw") if isinstance(size, dict) else size
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _LARGEST_FILE:
        raise wrong(f"the size {ascii(size)[:40]} of {path}")
    modified = found.get("last-modified")
    return RemoteFile(path, size, printable(modified) if isinstance(modified, str) else "")


def logs(said: Any, wrong: Wrong) -> Logs:
    """Return logs; REANA gives them as JSON in a text in JSON."""
    text = mapping(said, wrong).get("logs")
    try:
        found = mapping(json.loads(text) if isinstance(text, str) else text, wrong)
    except (ValueError, RecursionError):
        raise wrong("logs that can't be read") from None
    jobs = found.get("job_logs")
    jobs = jobs if isinstance(jobs, dict) else {}
    listed = [_job(key, mapping(job, wrong)) for key, job in jobs.items()]
    parts = [_text(found.get("workflow_logs")), _text(found.get("engine_specific"))]
    return Logs("\n".join(part for part in parts if part), tuple(sorted(listed, key=lambda job: job.name)))


def secret(said: Any, wrong: Wrong) -> Secret:
    """Return the name of a secret."""
    found = mapping(said, wrong)
    name, kind = found.get("name"), found.get("type", "")
    if not isinstance(name, str) or not isinstance(kind, str):
        raise wrong("a secret without a name")
    return Secret(printable(name), printable(kind))


def items(said: Any, wrong: Wrong) -> list[Any]:
    """Return the entries of a page."""
    found = mapping(said, wrong).get("items")
    if not isinstance(found, list):
        raise wrong("a list without entries")
    return found


def mapping(said: Any, wrong: Wrong) -> dict[str, Any]:
    """Return an answer that has to be a mapping."""
    if not isinstance(said, dict):
        raise wrong("something else than a mapping")
    return said


def _job(key: str, said: dict[str, Any]) -> JobLog:
    return JobLog(
        printable(key),
        _text(said.get("job_name")) or printable(key),
        _text(said.get("status")),
        _text(said.get("docker_img")),
        _text(said.get("cmd")),
        _text(said.get("logs")),
        _time(said.get("started_at")),
        _time(said.get("finished_at")),
    )


def _text(value: Any) -> str:
    return str(printable(value)) if isinstance(value, str) else ""


def _time(value: Any) -> float | None:
    """Return a time as servers write it, ISO 8601 in UTC."""
    try:
        told = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if told is None else (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _count(value: Any) -> int:
    """Return a count; REANA gives a number, or a mapping with it and the jobs' identifiers."""
    number = value.get("total") if isinstance(value, dict) else value
    return number if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else 0
