"""What came of a run, told from how Snakemake ended and from its events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from relance.engines import process, snakemake
from relance.engines.progress import Progress, Tracker
from relance.model import RunRequest, RunResult, RunStatus, RuntimeKind

_WHERE = re.compile(r'^\w+ in file "(?P<file>.+)", line (?P<line>\d+):\n')
_FRAME = re.compile(r'\n  File ".+", line \d+, in .+')
_NOTHING_BELOW = re.compile(r"\n(?:Wildcards|Traceback):[ \n]*(?=\nTraceback:|\Z)")
_SAYS_NOTHING = re.compile(
    r"^(?:Exiting because a job execution failed.*|At least one job did not complete.*)"
)
_LAST_LINES = 15
_PULLING = "Failed to pull singularity image"
_UNKNOWN = "is not known on this machine"
_GONE = "another image, or a file, can take its place: relance run --mapping FILE (docs/registries.md)"
_PLAIN = (
    "plain processes run what docker://relance/NAME is for, with the packages of envs/NAME.txt "
    "(docs/running.md); other images need a container engine"
)
_LAST_BYTES = 1 << 16


def result(
    request: RunRequest,
    runtime: RuntimeKind,
    folder: snakemake.RunFolder,
    *,
    ending: process.Ending,
    tracker: Tracker,
    seconds: float,
) -> RunResult:
    """Put a run's result together; `seconds` is its wall-clock time."""
    progress = tracker.progress
    status = _status(ending, progress, dry=request.dry_run)
    told = status in {RunStatus.OK, RunStatus.INTERRUPTED}
    return RunResult(
        analysis=request.analysis,
        runtime=runtime,
        status=status,
        message="" if told else _message(request.analysis, tracker, folder, runtime),
        steps_total=progress.total,
        steps_done=progress.done,
        failed=progress.failed if status is RunStatus.FAILED else (),
        seconds=round(seconds, 3),
        results=tracker.results,
        record=folder.path,
        uncontained=() if request.dry_run else snakemake.uncontained(request.analysis, progress.steps),
        planned=progress.steps if request.dry_run else (),
    )


def _status(ending: process.Ending, progress: Progress, *, dry: bool) -> RunStatus:
    if ending.stopped_by is not None:
        return RunStatus.INTERRUPTED
    if ending.status == 0:
        return RunStatus.OK
    return RunStatus.FAILED if progress.steps and not dry else RunStatus.REFUSED


def _message(analysis: Path, tracker: Tracker, folder: snakemake.RunFolder, runtime: RuntimeKind) -> str:
    if any("cannot be locked" in text for text in tracker.errors):
        return (
            f"{analysis} is in use by another run; if none is going on (one was killed, or the power "
            "failed), type 'relance run DIR -- --unlock' and run again"
        )
    said = [text.strip() for text in tracker.errors if not _SAYS_NOTHING.match(text.strip())]
    if said:
        own = str(folder.settings)
        text = "\n".join(
            _NOTHING_BELOW.sub("", _WHERE.sub(r"\g<file>:\g<line>: ", _FRAME.sub("", part)))
            for part in dict.fromkeys(said)
        )
        text = re.sub(rf"{re.escape(own)}(?::\d+)?", "--set", text)
        return "\n".join([text, *_hint(text, runtime)])
    return last_lines(folder.console)


def _hint(text: str, runtime: RuntimeKind) -> Iterator[str]:
    """Yield what to do about an image that can't be had; a sandbox has those of its capsule and no others."""
    if runtime is RuntimeKind.PLAIN and _PULLING in text:
        yield _PLAIN
    elif _PULLING in text and _UNKNOWN not in text:
        yield _GONE


def last_lines(console: Path) -> str:
    """Return the end of what was printed; nothing if there is no such file."""
    with suppress(OSError), console.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, 2) - _LAST_BYTES))
        return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-_LAST_LINES:])
    return ""
