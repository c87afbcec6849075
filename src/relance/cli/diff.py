"""`relance diff`: what changed from one capsule to another."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import click

from relance.capsule import difference
from relance.capsule.difference import Change, Difference
from relance.capsule.letter import line
from relance.cli import capsules, places
from relance.errors import ExitCode

_MOST_SHOWN = 60
_PARTS = ("specification", "code", "images", "data", "parameters", "results", "run")


@click.command(epilog=capsules.HELP)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--patch", is_flag=True, help="Show the lines that differ in sources.")
@click.option("--exit-code", "by_exit_code", is_flag=True, help="Exit with 1 if anything differs.")
@places.STORE
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
def diff(  # noqa: PLR0917 - click passes each by name
    before: str, after: str, patch: bool, by_exit_code: bool, chosen_store: Path | None, as_json: bool
) -> ExitCode:
    """Show what changed from capsule A to capsule B: code, images, data, parameters, jobs, results."""
    with (
        capsules.looked_at(before, os.environ, chosen_store) as one,
        capsules.looked_at(after, os.environ, chosen_store) as other,
    ):
        found = difference.difference(one.capsule, other.capsule)
        both = ((one.blobs, one.capsule), (other.blobs, other.capsule))
        numbers = difference.values(*both) if found.results else ()
        lines = list(difference.patch(*both)) if patch else []
    if as_json:
        value = dataclasses.asdict(found) | {"equal": not found}
        value["values"] = [dataclasses.asdict(change) for change in numbers]
        click.echo(json.dumps(value | ({"patch": lines} if patch else {}), indent=2))
    else:
        for text in (*_told(found, numbers), *lines):
            click.echo(line(text, keeping="\t"))
        if not found:
            click.echo("nothing differs")
    return ExitCode.FAILED if found and by_exit_code else ExitCode.OK


def _told(found: Difference, numbers: tuple[Change, ...]) -> Iterator[str]:
    for part in _PARTS:
        changes: tuple[Change, ...] = getattr(found, part)
        if changes:
            yield f"{part}:"
        for change in (*(numbers if part == "results" else ()), *changes):
            yield f"    {change.name}: {_shown(change.before)} → {_shown(change.after)}"
    if found.jobs:
        yield "jobs:"
    for job in found.jobs:
        yield f"    {job.name}: {', '.join(job.what)}"


def _shown(value: object) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    text = text[7:19] + text[71:] if text.startswith("sha256:") else text
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
