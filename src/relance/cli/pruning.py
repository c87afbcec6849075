"""`relance images prune`: forget images that were built for repositories that use them no more."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from relance.cli import places
from relance.store import builders, built
from relance.store.built import Unused
from relance.store.store import Store


@click.command()
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be forgotten; forget nothing.")
@places.STORE
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def prune(dry_run: bool, chosen_store: Path | None, as_json: bool, quiet: bool) -> None:
    """Forget images that were built here and that no repository uses any more.

    A repository uses what its containers/images.local.yaml names. Podman and Docker lose their copies, too.
    What capsules hold stays. 'relance store gc' then frees the space.
    """
    store = Store(places.store(os.environ, chosen_store))
    found, unknown = built.unused(store), built.unknown(store)
    if found and not dry_run:
        built.forget(store, [one.name for one in found])
        _unload(found)
    if as_json:
        rows = [{"name": one.name, "built_for": [str(place) for place in one.built_for]} for one in found]
        click.echo(json.dumps({"dry_run": dry_run, "images": rows, "unknown": unknown}, indent=2))
    elif not quiet:
        _tell(found, unknown, dry_run=dry_run)


def _unload(found: tuple[Unused, ...]) -> None:
    for engine in builders.loading_engines() if found else ():
        if engine.available():
            for one in found:
                engine.unload(one.reference)


def _tell(found: tuple[Unused, ...], unknown: tuple[str, ...], *, dry_run: bool) -> None:
    for one in found:
        whom = ", ".join(str(place) for place in one.built_for)
        click.echo(f"{one.name}: {'would be forgotten' if dry_run else 'forgotten'}; built for {whom}")
    if unknown:
        click.echo(
            f"{', '.join(unknown)}: nobody noted for which repository; type 'relance images build' in those "
            "that use it, or 'relance store forget NAME'"
        )
    if not found and not unknown:
        click.echo("every image that was built here is used")
    if found and not dry_run:
        click.echo("next: relance store gc")
