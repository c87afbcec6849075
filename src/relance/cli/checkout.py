"""`relance checkout`: a capsule's files as a folder."""

from __future__ import annotations

import os
from pathlib import Path

import click

from relance.capsule import fetching
from relance.capsule.checkout import checkout as check_out
from relance.capsule.model import Role
from relance.cli import capsules, mapped, places, signals
from relance.cli.inspect import size
from relance.cli.progress import counting
from relance.errors import ExitCode


@click.command(epilog=capsules.HELP)
@click.argument("capsule")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Only files of this role; may be given again (default: all).",
)
@click.option("--images", is_flag=True, help="Bring the images too, so that replay.sh can run.")
@click.option("--fetch", is_flag=True, help="Fetch the files that the capsule knows only by reference.")
@places.MAPPING
@places.STORE
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def checkout(  # noqa: PLR0917 - click passes each by name
    capsule: str,
    folder: Path,
    roles: tuple[str, ...],
    images: bool,
    fetch: bool,
    mapping_file: Path | None,
    chosen_store: Path | None,
    quiet: bool,
) -> ExitCode:
    """Write the files of a capsule into DIR, which must be new or empty.

    Every file is verified. DIR gets replay.sh, which runs the jobs again without relance, jobs.json, and
    CAPSULE.md, which says what all this is. Inputs that lay elsewhere come into DIR/.relance/outside.
    """

    def say(text: str) -> None:
        if not quiet:
            click.echo(f"relance: {text}", err=True)

    store, described, found = capsules.opened(capsule, os.environ, chosen_store)
    if mapping_file is not None:
        with signals.raising():
            found = mapped.added(store, found, mapping_file, say)
    wanted = tuple(map(Role, roles)) or tuple(Role)
    files = [file for file in found.files if file.role in wanted]
    coming = [file for file in files if file.stored is None and file.locations] if fetch else []
    total = sum(file.size for file in (*coming, *(file for file in files if file.stored is not None)))
    with signals.raising(), counting("checking out", quiet=quiet) as show:
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            show(done, total)

        bring = fetching.fetcher(coming, places.cache(os.environ), told=told) if fetch else None
        made = check_out(
            store.layout,
            found,
            folder,
            roles=wanted,
            say=say,
            told=told,
            fetch=bring,
            known_as=described.digest,
            with_images=images,
        )
    if not quiet:
        click.echo(f"{made.files} files, {size(made.size)}, in {made.folder}")
    return ExitCode.OK
