"""`relance images`: build, load, pin and list the container images of a repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from relance.cli import places, registries
from relance.cli.display import duration
from relance.cli.importing import import_
from relance.cli.pruning import prune
from relance.errors import MissingPartError
from relance.store import base as bases
from relance.store import build as building
from relance.store import builders, built, loading, runtime_images
from relance.store import images as known_images
from relance.store.build import PipSettings, Plan
from relance.store.images import LocalImage, PublishedImage
from relance.store.importing import remote
from relance.store.registry.reference import Reference
from relance.store.store import Store

_DIRECTORY = click.option(
    "-C",
    "--directory",
    "repository",
    metavar="DIR",
    default=".",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The repository (default: here).",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")


@click.group()
def images() -> None:
    """Build, load, pin, list and forget the container images in containers/, and take in others."""


images.add_command(import_)
images.add_command(prune)


@images.command(short_help="Build what is missing or out of date.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--builder",
    type=click.Choice(["auto", *(builder.name for builder in builders.all_builders())]),
    default="auto",
    help="What runs the build; the first that is there if left out.",
)
@click.option(
    "--base",
    metavar="REF|debian|auto",
    default="auto",
    help="Base image: HOST/REPOSITORY@sha256:…; debian: made from Debian's packages; auto: the "
    "Containerfile's, or debian where its registry does not answer.",
)
@click.option("-f", "--force", is_flag=True, help="Build what is current too.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be built; build nothing.")
@_DIRECTORY
@places.STORE
@_JSON
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def build(  # noqa: PLR0917 - click passes each by name
    names: tuple[str, ...],
    builder: str,
    base: str,
    force: bool,
    dry_run: bool,
    repository: Path,
    chosen_store: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Build the images NAME, or all, that are missing or out of date.

    What was built is written to containers/images.local.yaml and used from then on in place of published
    images. The files lie in the store.
    """
    say = _speaker(quiet)
    plans = building.plan(repository, names)
    if base not in {"auto", "debian"}:
        Reference.pinned(base)
    # Another base than the one it was built on is asked for by name, so that it is built anew.
    todo = [plan for plan in plans if force or not plan.current or base != "auto"]
    if dry_run:
        _tell_plan(plans, todo, as_json=as_json)
        return
    done: list[str] = []
    store = Store(places.store(os.environ, chosen_store))
    if todo:
        chosen = builders.choose(builder, builders.all_builders())
        pip = _pip_settings()
        for plan in todo:
            started = time.monotonic()
            found = bases.obtain(store.layout, base, plan.recipe.base, say)
            if _fits(plan, found.config.digest) and not force:
                continue
            say(f"building {plan.name} with {chosen.name}")
            image = building.build(repository, store, found, plan, chosen, pip, _indented(say))
            _record(repository, plan.name, image)
            done.append(plan.name)
            took = duration(time.monotonic() - started)
            say(f"{plan.name} is built: {took}, {image.runtime.size / 1e6:.0f} MB, {image.config}")
    local = known_images.known(repository).local
    built.note(store, repository, local)
    if as_json:
        shown = {plan.name: local[plan.name].to_json() for plan in plans}
        click.echo(json.dumps({"built": done, "images": shown}, indent=2))
    elif not done:
        say("every image is built and up to date")
    else:
        say(f"written to {repository / known_images.LOCAL}")


@images.command("list", short_help="Show what is there of each image.")
@_DIRECTORY
@_JSON
def list_(repository: Path, as_json: bool) -> None:
    """Show each image: built here or published, its digest, size and place."""
    published = known_images.known(repository).published
    rows = [_row(plan, published.get(plan.name)) for plan in building.plan(repository, ())]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    widths = (12, 10, 21, 8)
    click.echo(_line(("NAME", "STATE", "IMAGE", "SIZE", "WHERE"), widths))
    for row in rows:
        image = str(row["config"])[:19] + "…" if row["config"] else "-"
        size = f"{int(str(row['size'])) / 1e6:.0f} MB" if row["size"] else "-"
        click.echo(
            _line((str(row["name"]), str(row["state"]), image, size, str(row["where"] or "-")), widths)
        )
    if any(row["state"] in {"missing", "outdated"} for row in rows):
        click.echo("type 'relance images build' to build what is missing or outdated", err=True)


@images.command(short_help="Give built images to Podman or Docker.")
@click.argument(
    "engines",
    metavar="[podman|docker]...",
    nargs=-1,
    type=click.Choice([engine.name for engine in builders.loading_engines()]),
)
@_DIRECTORY
@places.STORE
@_JSON
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def load(
    engines: tuple[str, ...], repository: Path, chosen_store: Path | None, as_json: bool, quiet: bool
) -> None:
    """Give the images built here to Podman, Docker, or every one of them that answers.

    The engine that built an image has it already, and 'relance run' loads what is missing by itself.
    Apptainer runs images from their files.
    """
    say = _speaker(quiet)
    local = known_images.known(repository).local
    if not local:
        raise MissingPartError(
            "no image can be loaded",
            expected=f"images in {repository / known_images.LOCAL}",
            found="none",
            next_step="type 'relance images build'",
        )
    rows: list[dict[str, object]] = []
    store = Store(places.store(os.environ, chosen_store))
    for engine in loading.answering(engines, builders.loading_engines()):
        for name, image in sorted(local.items()):
            new = loading.load(store.content, image, engine)
            say(f"{engine.name} {'has now' if new else 'had already'} {name}, {image.config}")
            rows.append({"engine": engine.name, "name": name, "config": image.config, "loaded": new})
    if as_json:
        click.echo(json.dumps(rows, indent=2))


@images.command(short_help="Pin published images by digest.")
@click.argument("references", metavar="NAME=REF...", nargs=-1, required=True)
@_DIRECTORY
@registries.CA_FILE
@places.STORE
@_JSON
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def lock(  # noqa: PLR0917 - click passes each by name
    references: tuple[str, ...],
    repository: Path,
    ca_file: Path | None,
    chosen_store: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Pin published images: pull each REF (HOST/REPOSITORY@sha256:…) and write its digests.

    The digests of manifest, configuration and runtime image go to containers/images.lock.yaml. Images that
    are not named keep their entry.
    """
    say = _speaker(quiet)
    store = Store(places.store(os.environ, chosen_store))
    pinned = dict(known_images.known(repository).published)
    for text in references:
        name, equals, reference_text = text.partition("=")
        if not equals or name not in building.names(repository):
            raise click.BadParameter(
                f"found '{text}', expected NAME=REF with NAME one of {', '.join(building.names(repository))}"
            )
        reference = Reference.pinned(reference_text)
        say(f"pulling {reference}")
        access = registries.access(os.environ, reference.host, ca_file)
        image = remote.pull(store.layout, reference, bases.architecture(), access).image
        runtime = runtime_images.make(store, image)
        pinned[name] = PublishedImage(
            str(reference), reference.pin, image.config.digest, runtime.digest, runtime.size
        )
    known_images.write_lock(repository, pinned)
    if as_json:
        click.echo(json.dumps({name: image.to_json() for name, image in sorted(pinned.items())}, indent=2))
    say(f"{len(pinned)} published image(s) in {repository / known_images.LOCK}")


def _fits(plan: Plan, base: str) -> bool:
    return plan.current and plan.local is not None and plan.local.base == base


def _record(repository: Path, name: str, image: LocalImage) -> None:
    # Read again: another build may have ended meanwhile.
    local = dict(known_images.known(repository).local)
    known_images.write_local(repository, local | {name: image})


def _row(plan: Plan, published: PublishedImage | None) -> dict[str, object]:
    if plan.local is not None:
        local = plan.local
        return {
            "name": plan.name,
            "state": "built" if plan.current else "outdated",
            "config": local.config,
            "manifest": local.manifest,
            "runtime": local.runtime.digest,
            "size": local.runtime.size,
            "where": str(local.runtime.path),
        }
    if published is not None:
        return {
            "name": plan.name,
            "state": "published",
            "config": published.config,
            "manifest": published.manifest,
            "runtime": published.runtime,
            "size": published.runtime_size,
            "where": published.reference,
        }
    nothing = dict.fromkeys(("config", "manifest", "runtime", "size", "where"))
    return {"name": plan.name, "state": "missing", **nothing}


def _tell_plan(plans: tuple[Plan, ...], todo: list[Plan], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"would_build": [plan.name for plan in todo]}, indent=2))
        return
    for plan in plans:
        reason = "missing" if plan.local is None else "asked for" if plan.current else "out of date"
        click.echo(f"{plan.name}: {f'would be built ({reason})' if plan in todo else 'up to date'}")


def _line(cells: tuple[str, ...], widths: tuple[int, ...]) -> str:
    fixed = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return " ".join([*fixed, cells[-1]])


def _speaker(quiet: bool) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not quiet:
            click.echo(f"relance: {text}", err=True)

    return say


def _indented(say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: say(f"  {text}") if text.strip() else None


def _pip_settings() -> PipSettings:
    """Return how this machine's pip reaches its index; local wheels and further indexes are left out."""
    index = os.environ.get("PIP_INDEX_URL") or _pip_option("global.index-url")
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        given = os.environ.get(name)
        if given and Path(given).is_file():
            return PipSettings(index, Path(given))
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    return PipSettings(index, system if system.is_file() else None)


def _pip_option(name: str) -> str | None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", name], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None if done.returncode == 0 else None
