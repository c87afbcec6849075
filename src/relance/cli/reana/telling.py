"""What `relance reana` says of runs and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from relance.engines.reana.model import RemoteFile, State, Transferred
    from relance.store.registry.transfer import Moved


def line(state: State) -> str:
    """Return how far a run is, in a line."""
    counts = state.progress
    of = f", {counts.finished} of {counts.total} jobs done" if counts.total else ""
    failed = f", {counts.failed} failed" if counts.failed else ""
    return f"{state.workflow.name}: {state.status}{of}{failed}"


def state_row(state: State) -> dict[str, Any]:
    """Return a run as `--json` prints it."""
    counts = state.progress
    return {
        "id": state.workflow.id,
        "name": state.workflow.name,
        "status": state.status,
        "created": state.created,
        "jobs": {"total": counts.total, "finished": counts.finished, "failed": counts.failed},
    }


def lacking(folder: str) -> str:
    """Return what is said of a folder of which no file is sent."""
    return f"folder {folder}: no file of it is sent, and so the workspace doesn't have it"


def row(file: Transferred) -> dict[str, Any]:
    """Return a file as `--json` prints it."""
    return {"path": file.path, "size": file.size, "digest": file.digest, "moved": file.moved}


def file_row(file: RemoteFile) -> dict[str, Any]:
    """Return a file of a workspace as `--json` prints it; its size is in bytes."""
    return {"path": file.path, "size": file.size}


def file_line(file: RemoteFile) -> str:
    """Return a file of a workspace in a line."""
    return f"{file.size:>14,d}  {file.path}"


def bytes_of(files: Iterable[RemoteFile]) -> int:
    """Return how many bytes files have in all."""
    return sum(file.size for file in files)


def say(*, quiet: bool) -> Callable[[str], None]:
    """Return what says a line on standard error, or nothing."""

    def say(text: str) -> None:
        if not quiet:
            click.echo(f"relance: {text}", err=True)

    return say


def shown(show: Callable[[int, int], None]) -> Callable[[Moved], None]:
    """Return what shows how far a transfer is."""

    def told(moved: Moved) -> None:
        show(moved.size, moved.of_size)

    return told
