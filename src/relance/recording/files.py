"""Records on disk: canonical JSON beside a run's events, in `.snakemake/relance/run-…/record.json`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relance import digest
from relance.errors import InputError
from relance.model import RunRecord
from relance.store.atomic import write_bytes

NAME = "record.json"
EVENTS = "events.jsonl"
_VERSION = 2


@dataclass(frozen=True)
class RecordedRun:
    """A run whose folder is there."""

    folder: Path
    events: bool
    """Whether its events were recorded."""
    record: bool
    """Whether its record was made."""

    @property
    def name(self) -> str:
        """The name of its folder, which is its id."""
        return self.folder.name


def to_json(record: RunRecord) -> dict[str, Any]:
    """Return a record as its file writes it (`specs/schemas/run-record.schema.json`).

    What differs between runs of the same stands in `times` and nowhere else.
    """
    run = dataclasses.asdict(record.run)
    if record.run.remote is None:
        del run["remote"]
    if not record.run.stand_ins:
        del run["stand_ins"]
    return {
        "version": _VERSION,
        "run": run,
        "jobs": [dataclasses.asdict(job) for job in record.jobs],
        "files": [dataclasses.asdict(file) for file in record.files],
        "times": {
            "started": record.started,
            "ended": record.ended,
            "jobs": [dataclasses.asdict(times) for times in record.times],
        },
    }


def write(record: RunRecord, folder: Path) -> Path:
    """Write a record into a run's folder, whole or not at all; return its path."""
    path = folder / NAME
    write_bytes(path, digest.canonical_json(to_json(record)) + b"\n")
    return path


def read(path: Path) -> Mapping[str, Any]:
    """Read a record's file.

    Raises:
        InputError: it is none, or of another version.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        version = value["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_record(path, "something else") from error
    if version != _VERSION:
        raise _no_record(path, f"version {version}")
    found: Mapping[str, Any] = value
    return found


def is_current(path: Path) -> bool:
    """Return whether a record's file can be read by this version of relance."""
    try:
        read(path)
    except InputError:
        return False
    return True


def runs(analysis: Path) -> list[RecordedRun]:
    """Return the runs of an analysis that left a folder with events or a record, the oldest first."""
    folders = [path for path in (analysis / ".snakemake" / "relance").glob("run-*") if path.is_dir()]
    found = [
        RecordedRun(folder, (folder / EVENTS).is_file(), (folder / NAME).is_file()) for folder in folders
    ]
    kept = [run for run in found if run.events or run.record]
    return sorted(kept, key=lambda run: (_last(run), run.name))


def _last(run: RecordedRun) -> float:
    file = run.folder / (EVENTS if run.events else NAME)
    return file.stat().st_mtime


def _no_record(path: Path, found: str) -> InputError:
    return InputError(
        f"{path} can't be read",
        expected=f"the record of a run, version {_VERSION}",
        found=found,
        next_step="make it again with 'relance record'",
    )
