"""`relance images import`: take an image into the store from wherever it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from relance.cli import places, registries, signals
from relance.cli.progress import counting
from relance.store import base as bases
from relance.store import runtime_images
from relance.store.docker import Docker
from relance.store.importing import entry, mapping
from relance.store.importing.entry import Engine, Entered
from relance.store.importing.mapping import ImageMapping, Mapped
from relance.store.importing.source import Kind
from relance.store.podman import Podman
from relance.store.registry.reference import Reference
from relance.store.squashfs import RuntimeImage
from relance.store.store import Store


@click.command("import", short_help="Take in an image from a registry, engine or file.")
@click.argument("source")
@click.option("--name", metavar="NAME", help="What the store calls it (default: SOURCE).")
@click.option(
    "--mapping",
    "mapping_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="images.mapping.yaml: what to use for names that can't be pulled any more.",
)
@click.option("--runtime", is_flag=True, help="Make the runtime image (squashfs) that Apptainer runs, too.")
@registries.CA_FILE
@click.option("-n", "--dry-run", is_flag=True, help="Say where it would be taken from; take nothing.")
@places.STORE
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def import_(  # noqa: PLR0917 - click passes each by name
    source: str,
    name: str | None,
    mapping_file: Path | None,
    runtime: bool,
    ca_file: Path | None,
    dry_run: bool,
    chosen_store: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Take the image SOURCE into the store, every byte verified, its layers uncompressed.

    SOURCE is HOST/REPOSITORY:TAG or @sha256:…, docker://NAME as in a rule, oci:DIR[:NAME],
    oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], sif:FILE, docker-daemon:NAME, podman:NAME, or the
    path of a layout, archive or SIF file.
    """
    rules = ImageMapping() if mapping_file is None else mapping.read(mapping_file)
    place = entry.find(source, rules, Path.cwd())
    chosen = name or (source if place.by_rule else str(place.source))
    if dry_run:
        _tell_plan(place, chosen, as_json=as_json)
        return
    host = Reference.parse(place.source.name).host if place.source.kind is Kind.REGISTRY else ""
    access = registries.access(os.environ, host, ca_file)
    store = Store(places.store(os.environ, chosen_store))
    engines: dict[Kind, Engine] = {Kind.DOCKER: Docker(), Kind.PODMAN: Podman()}
    with signals.raising(), store.writing(), counting("fetching", quiet=quiet) as show:
        entered = entry.enter(
            store.layout,
            place,
            bases.architecture(),
            access,
            engines,
            lambda moved: show(moved.size, moved.of_size),
        )
        named = entry.name(store.layout, entered.image, chosen)
        made = runtime_images.make(store, entered.image) if runtime else None
    if as_json:
        click.echo(json.dumps(_row(entered, named, made), indent=2))
    elif not quiet:
        _tell(entered, named, made)


def _row(entered: Entered, named: str, made: RuntimeImage | None) -> dict[str, object]:
    image = entered.image
    row: dict[str, object] = {
        "name": named,
        "wanted": entered.wanted,
        "source": str(entered.source),
        "config": image.config.digest,
        "manifest": image.manifest.digest,
        "size": sum(layer.size for layer in image.layers),
        "reference": None if entered.reference is None else str(entered.reference),
        "stands_for": entered.stands_for,
        "remarks": list(entered.remarks),
        "runtime": None,
    }
    if made is not None:
        row["runtime"] = {"path": str(made.path), "digest": made.digest, "size": made.size}
    return row


def _tell(entered: Entered, named: str, made: RuntimeImage | None) -> None:
    size = sum(layer.size for layer in entered.image.layers) / 1e6
    click.echo(f"{named}: {entered.image.config.digest}, {size:.0f} MB, from {entered.source}", err=True)
    if entered.stands_for is not None:
        click.echo(f"it stands in for {entered.stands_for}, as the mapping says", err=True)
    for remark in entered.remarks:
        click.echo(remark, err=True)
    if made is not None:
        click.echo(f"runtime image: {made.path}", err=True)


def _tell_plan(place: Mapped, named: str, *, as_json: bool) -> None:
    if as_json:
        plan = {"name": entry.index_name(named), "source": str(place.source), "mapped": place.by_rule}
        click.echo(json.dumps(plan, indent=2))
    else:
        why = ", as the mapping says" if place.by_rule else ""
        click.echo(f"{entry.index_name(named)} would be taken from {place.source}{why}")
