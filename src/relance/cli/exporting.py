"""`relance export` and `relance import`: capsules as single files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from relance.capsule import archive, reading, sources, writing
from relance.cli import capsules, places, signals
from relance.cli.inspect import size
from relance.cli.progress import counting
from relance.errors import ExitCode, InputError
from relance.store.store import Store


@click.command(epilog=capsules.HELP)
@click.argument("capsule")
@click.argument("file", metavar="FILE.tar", type=click.Path(dir_okay=False, path_type=Path))
@places.STORE
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def export(capsule: str, file: Path, chosen_store: Path | None, quiet: bool) -> ExitCode:
    """Write a capsule as one tar file: an OCI image layout, always the same bytes.

    `docker load` and `podman load` take its images; unpacked, its replay.sh runs the jobs again.
    """
    store, described, _ = capsules.opened(capsule, os.environ, chosen_store)
    layout = store.layout
    total = sum(blob.size for blob in reading.documents(layout, described))
    with signals.raising(), counting("exporting", quiet=quiet) as show:
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            show(min(done, total), total)

        written = archive.export_tar(layout, described, file, told=told)
    if not quiet:
        click.echo(f"{described.digest} is in {file}, {size(written)}")
    return ExitCode.OK


@click.command("import")
@click.argument("file", metavar="FILE.tar|LAYOUT[:NAME]")
@click.option(
    "--name", metavar="NAME[:VERSION]", help="What to call it in the store (default: as it is called)."
)
@places.STORE
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def import_(file: str, name: str | None, chosen_store: Path | None, as_json: bool, quiet: bool) -> ExitCode:
    """Take a capsule from a tar file, or from the folder of an OCI layout, into the store.

    Nothing enters that isn't part of the capsule and verified. Type the same command again after an
    interruption: what is there already is not copied again.
    """
    path, within = capsules.file_or_layout(file) or _no_place(file)
    store = Store(places.store(os.environ, chosen_store))
    with (
        signals.raising(),
        sources.opened(path) as source,
        store.writing(),
        counting("importing", quiet=quiet) as show,
    ):
        described = archive.choose(source, within, str(path))
        total = sum(blob.size for blob in reading.documents(source, described))
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            show(done, total)

        called = name or reading.head(source, described).analysis.name
        capsule = archive.bring(store.layout, source, described, name=called, told=told)
    known = writing.full_name(called, capsule).removeprefix(writing.NAMES)
    if as_json:
        click.echo(json.dumps({"name": known, "digest": described.digest}, indent=2))
    elif not quiet:
        click.echo(f"{known} is {described.digest}")
    return ExitCode.OK


def _no_place(text: str) -> tuple[Path, str | None]:
    raise InputError(
        f"{text} can't be imported",
        expected="a capsule's .tar file, or the folder of an OCI layout",
        found="neither",
        next_step="check the name",
    )
