"""Snakemake logger plugin that writes every event of a run as a line of JSON.

    snakemake --logger relance …
    snakemake --logger relance --logger-relance-outfile events.jsonl …

Without a file, events go to `.snakemake/relance/run-…/events.jsonl` of the working folder as soon as a job
starts (a call that runs none leaves nothing); `relance record` makes the run's record of them.

Each line is an object with `time` (Unix seconds), `level`, `event` (null for a plain message), `message` and
the event's own fields; the first tells Snakemake's arguments. Lines are appended and flushed as they come, so
another process can follow the file.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from logging import LogRecord, makeLogRecord
from pathlib import Path
from typing import Any, Optional, TextIO

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

_NOT_OURS = frozenset(vars(makeLogRecord({}))) | {"message", "asctime", "event", "taskName"}


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Settings of the plugin, on Snakemake's command line as `--logger-relance-…`."""

    # Snakemake reads the annotation itself and knows only this form of it.
    outfile: Optional[Path] = field(  # noqa: UP045
        default=None,
        metadata={"help": "File that events are appended to, one JSON object a line", "required": False},
    )


class LogHandler(LogHandlerBase):
    """Appends each record to the file of the settings, or to one in a new folder of the run."""

    def __post_init__(self) -> None:
        """Open the file, if it is given."""
        outfile = getattr(self.settings, "outfile", None)
        self._waiting: list[dict[str, Any]] = []
        self._stream: TextIO | None = None
        if outfile is not None:
            self._open(Path(outfile))
        self.baseFilename = str(outfile or Path(".snakemake", "relance"))
        arguments = {"argv": sys.argv, "folder": str(Path.cwd()), "time": time.time(), "level": "INFO"}
        self._write({**arguments, "event": "arguments", "message": ""})

    def emit(self, record: LogRecord) -> None:
        """Write one record."""
        fields = {key: value for key, value in vars(record).items() if key not in _NOT_OURS}
        event = getattr(record, "event", None)
        line = {
            **{key: _plain(value) for key, value in sorted(fields.items())},
            "time": record.created,
            "level": record.levelname,
            "event": None if event is None else str(event),
            "message": record.getMessage() if record.msg is not None else "",
        }
        if self._stream is None and line["event"] == "job_started" and not self.common_settings.dryrun:
            # Only now: Snakemake has entered its working folder, and something really runs.
            parent = Path(".snakemake", "relance").absolute()
            parent.mkdir(parents=True, exist_ok=True)
            events = Path(tempfile.mkdtemp(prefix="run-", dir=parent), "events.jsonl")
            self.baseFilename = str(events)
            self._open(events)
        self._write(line)

    def _open(self, outfile: Path) -> None:
        self._stream = outfile.open("a", encoding="utf-8")
        for line in self._waiting:
            self._write(line)
        self._waiting.clear()

    def _write(self, line: dict[str, Any]) -> None:
        if self._stream is None:
            self._waiting.append(line)
        else:
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """Whether the plugin takes the place of Snakemake's console output: no."""
        return False

    @property
    def writes_to_file(self) -> bool:
        """Whether the plugin writes a file."""
        return True

    @property
    def has_filter(self) -> bool:
        """Whether the plugin chooses its records: yes, all, whatever `--quiet` says."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Whether the plugin formats its records: yes, as JSON."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """Whether the plugin wants the graph of rules: no."""
        return False


def _plain(value: object) -> object:
    """Return `value` with nothing in it but what JSON can say."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    named = getattr(value, "items", None)
    if callable(named):
        return {str(key): _plain(item) for key, item in named()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return str(value)
