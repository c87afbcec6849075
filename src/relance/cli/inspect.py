"""`relance inspect` and `relance capsules`: what capsules hold, and which there are."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from relance.capsule import inspection, reading
from relance.capsule.inspection import Inspection
from relance.capsule.letter import line
from relance.capsule.model import Capsule
from relance.cli import capsules as found_capsules
from relance.cli import places
from relance.cli.display import duration
from relance.errors import ExitCode, InputError
from relance.model import UNKNOWN
from relance.store.store import Store

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")


@click.command(epilog=found_capsules.HELP)
@click.argument("capsule")
@click.option("--files", is_flag=True, help="List the files, too.")
@click.option("--jobs", is_flag=True, help="List the jobs, too.")
@places.STORE
@_JSON
def inspect(capsule: str, files: bool, jobs: bool, chosen_store: Path | None, as_json: bool) -> ExitCode:
    """Show what a capsule holds: files, images, jobs, what may be changed, its results, and what is missing.

    \b
    relance inspect dilepton
    relance inspect dilepton.tar --files --jobs
    """
    with found_capsules.looked_at(capsule, os.environ, chosen_store) as found:
        reports = found.layout.referrers(found.descriptor.digest) if found.layout else ()
        seen = inspection.inspect(found.blobs, found.descriptor, found.capsule, reports)
        lines = _as_json(seen, found.capsule, files=files, jobs=jobs) if as_json else ()
        for text in lines or _told(seen, found.capsule, files=files, jobs=jobs):
            click.echo(text)
    return ExitCode.OK


@click.command()
@places.STORE
@_JSON
def capsules(chosen_store: Path | None, as_json: bool) -> ExitCode:
    """List the capsules of the store."""
    store = Store(places.store(os.environ, chosen_store))
    known = reading.names(store.layout) if store.content.exists() else {}
    rows = []
    for name, described in sorted(known.items()):
        row: dict[str, object] = {"name": name, "digest": described.digest}
        try:
            head = reading.head(store.layout, described)
            row |= {"title": head.analysis.title, "status": head.run.status, "ended": head.ended}
        except InputError as error:
            row |= {"broken": str(error)}
        rows.append(row)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return ExitCode.OK
    for row in rows:
        title = f"broken: {row['broken']}" if "broken" in row else str(row["title"])
        click.echo(f"{row['name']}  {str(row['digest'])[7:19]}  {line(title)}")
    if not rows:
        click.echo("no capsules", err=True)
    return ExitCode.OK


def size(count: int) -> str:
    """Return bytes as people read them."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def _as_json(seen: Inspection, capsule: Capsule, *, files: bool, jobs: bool) -> tuple[str]:
    value = dataclasses.asdict(seen)
    value["jobs"] = value["jobs"] if jobs else len(seen.jobs)
    if files:
        value["files"] = [dataclasses.asdict(file) for file in capsule.files]
    return (json.dumps(value, indent=2),)


def _told(seen: Inspection, capsule: Capsule, *, files: bool, jobs: bool) -> Iterator[str]:
    yield f"{seen.name} {line(seen.version)}: {line(seen.title)}"
    yield seen.digest
    yield f"by {line(', '.join(seen.authors))}"
    ran = [seen.status, f"in {line(seen.runtime)}", f"by Snakemake {line(seen.snakemake)}"]
    known = [words for words in ran if not words.endswith(UNKNOWN)]
    yield f"run {_date(seen.started)}: {', '.join((*known, f'captured by relance {line(seen.relance)}'))}"
    yield f"capsule format {seen.format_version}, {size(seen.size)}"
    if seen.parent is not None:
        changed = ", ".join(f"{line(key)}={value}" for key, value in seen.parent.parameters.items())
        given = ", ".join(f"{line(key)} {value}" for key, value in seen.parent.inputs.items())
        yield f"recast of {seen.parent.digest}: {'; '.join(filter(None, (changed, given))) or 'unchanged'}"
    yield ""
    yield from _content(seen)
    yield ""
    yield from _interface(seen)
    yield from (f"report {one.digest} ({line(one.artifact_type or one.media_type)})" for one in seen.reports)
    yield from (f"not known: {line(sentence)}" for sentence in seen.unknown)
    yield from (f"not closed: {line(sentence)}" for sentence in seen.not_closed)
    if jobs:
        yield ""
        yield from _jobs(seen)
    if files:
        yield ""
        yield from _files(capsule)


def _content(seen: Inspection) -> Iterator[str]:
    for held in seen.holdings:
        if held.files or held.known_files:
            known = f"; {held.known_files} more known by digest, {size(held.known_size)}"
            yield f"{held.role:8} {held.files} files, {size(held.size)}{known if held.known_files else ''}"
    for image in seen.images:
        stands = f", stands for {line(image.stands_for)}" if image.stands_for else ""
        yield f"image    {line(', '.join(image.written))}"
        yield f"         {image.config}, {image.architecture}, {size(image.size)}{stands}"
    left = sum(1 for job in seen.jobs if job.not_replayed and job.outputs)
    yield f"jobs     {len(seen.jobs)}{f', of which replay.sh can not run {left}' if left else ''}"


def _interface(seen: Inspection) -> Iterator[str]:
    for name, parameter in seen.parameters.items():
        unit = "" if parameter.unit in {None, "1"} else f" {parameter.unit}"
        shown = "" if parameter.value is None else f" = {line(str(parameter.value))}{unit}"
        bounds = f" ({parameter.range}{unit})" if parameter.range else ""
        yield f"parameter {name}{shown}{bounds}: {line(parameter.title)}"
    for name, given_input in seen.inputs.items():
        yield f"input {name} ({', '.join(given_input.formats)}): {line(given_input.title)}"
    for name, result in seen.results.items():
        unit = "" if result.unit in {None, "1"} else f" in {result.unit}"
        yield f"result {name}{unit} ({result.visibility}): {line(result.title)}"


def _jobs(seen: Inspection) -> Iterator[str]:
    for job in seen.jobs:
        taken = "" if job.seconds is None else f", {duration(job.seconds)}"
        why = f"; not in replay.sh: {line(job.not_replayed)}" if job.not_replayed else ""
        yield f"{line(job.name)}: {job.status}{taken}{why}"
        yield from (f"    {path}" for path in job.outputs)


def _files(capsule: Capsule) -> Iterator[str]:
    for file in capsule.files:
        kept = "" if file.stored else f"  by reference: {line(', '.join(file.locations)) or 'nowhere'}"
        yield f"{file.role:8} {file.digest[7:19]} {file.size:>12} {file.path}{kept}"
    yield from (f"link     {link.path} -> {link.target}" for link in capsule.links)


def _date(time: float | None) -> str:
    if time is None:
        return "at an unknown time"
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):
        return "at no time there is"
