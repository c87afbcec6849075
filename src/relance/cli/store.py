"""`relance store`: check, clean and measure the store."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import click

from relance.capsule.writing import NAMES as CAPSULES
from relance.cli import places, signals
from relance.cli.progress import counting
from relance.errors import ExitCode, InputError
from relance.store import collect, fsck
from relance.store import usage as measuring
from relance.store.fsck import Health
from relance.store.layout import NAME
from relance.store.store import Store
from relance.store.usage import Share, Usage

_DAY = 86400.0  # seconds
_MOST_OWNERS = 5
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


@click.group()
def store() -> None:
    """Check, clean and measure the store of images, capsules and results."""


@store.command("fsck")
@click.option("--repair", is_flag=True, help="Move what is damaged out of the way, to STORE/damaged.")
@places.STORE
@_JSON
@_QUIET
def check(repair: bool, chosen_store: Path | None, as_json: bool, quiet: bool) -> ExitCode:
    """Read everything that is kept and compare it with its digest; tell what is damaged and who needs it.

    The exit status is 0 if all that is needed is there and right, else 1.
    """
    with signals.raising(), counting("checking", quiet=quiet) as progress:
        health = fsck.check(_opened(chosen_store), repair=repair, told=progress)
    if as_json:
        _print_json({"sound": health.sound, **dataclasses.asdict(health)})
    else:
        _tell_health(health, quiet=quiet)
    return ExitCode.OK if health.sound else ExitCode.FAILED


@store.command()
@click.option(
    "--steps-older-than",
    "days",
    metavar="DAYS",
    type=click.FloatRange(min=0),
    help="Forget results of steps that nobody used for so long, too.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be removed; remove nothing.")
@places.STORE
@_JSON
@_QUIET
def gc(days: float | None, dry_run: bool, chosen_store: Path | None, as_json: bool, quiet: bool) -> ExitCode:
    """Remove what no name, no report about something named and no step's result needs any more.

    Runtime images go with the images that they were made of.

    It waits for commands that write to the store, and they for it. What is younger than an hour stays.
    """
    with signals.raising():
        done = collect.collect(
            _opened(chosen_store),
            dry_run=dry_run,
            steps_older_than=None if days is None else days * _DAY,
            waiting=lambda: _say("waiting for commands that write to the store", quiet=quiet),
        )
    if as_json:
        _print_json({"dry_run": dry_run, **dataclasses.asdict(done)})
    elif not quiet:
        verb = "would be removed" if dry_run else "removed"
        click.echo(f"{verb}: {_bytes(done.bytes)} in {done.blobs} blobs and {done.leftovers} leftover files")
        if done.runtime_images:
            click.echo(f"{verb}: {done.runtime_images} runtime images of images that are gone")
        if done.unknown_images:
            click.echo(
                f"{done.unknown_images} runtime images stay, since nobody knows what they were made of; "
                "those that no analysis names can be removed by hand"
            )
        if done.steps or done.referrers:
            click.echo(f"{verb}: results of {done.steps} steps, {done.referrers} reports on what is gone")
        if done.young:
            click.echo(f"{done.young} blobs that nothing needs stay: they are younger than an hour")
    return ExitCode.OK


@store.command()
@places.STORE
@_JSON
def usage(chosen_store: Path | None, as_json: bool) -> ExitCode:
    """Show what takes the space."""
    found = measuring.usage(_opened(chosen_store))
    if as_json:
        _print_json(dataclasses.asdict(found))
    else:
        _tell_usage(found)
    return ExitCode.OK


@store.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@places.STORE
@_QUIET
def forget(names: tuple[str, ...], chosen_store: Path | None, quiet: bool) -> ExitCode:
    """Forget each NAME that `relance store usage` shows; `relance store gc` then removes what only it needs.

    A capsule may be named as `relance capsules` does.

    What has no name is forgotten by its digest. If one is unknown, nothing is forgotten.
    """
    layout = _opened(chosen_store).layout
    known = layout.names()
    names = tuple(f"{CAPSULES}{name}" if f"{CAPSULES}{name}" in known else name for name in names)
    unnamed = {entry.digest for entry in layout.index() if NAME not in entry.annotations}
    for name in names:
        if name not in known and name not in unnamed:
            raise InputError(
                f"{name!r} is not in the store",
                expected=", ".join(sorted(known)) or "a name",
                found=repr(name),
                next_step="see 'relance store usage'",
            )
    layout.detach(frozenset(unnamed.intersection(names)))
    for name in names:
        if name in known:
            layout.unname(name)
        _say(f"forgot {name}", quiet=quiet)
    return ExitCode.OK


def _opened(chosen: Path | None) -> Store:
    found = Store(places.store(os.environ, chosen))
    if not (found.content / "oci-layout").is_file():
        raise InputError(
            f"there is no store in {found.folder}",
            expected="a folder that relance keeps images, capsules and results in",
            found="another folder" if found.folder.is_dir() else "no such folder",
            next_step="say --store DIR, or set RELANCE_STORE",
        )
    return found


def _tell_health(health: Health, *, quiet: bool) -> None:
    for damage in health.damages:
        if damage.mended and quiet:
            continue
        owners = list(damage.needed_by[:_MOST_OWNERS])
        if len(damage.needed_by) > _MOST_OWNERS:
            owners.append(f"{len(damage.needed_by) - _MOST_OWNERS} more")
        click.echo(f"damaged: {damage.subject}", err=True)
        click.echo(f"    found {damage.found}, expected {damage.expected}", err=True)
        click.echo(f"    needed by: {', '.join(owners) or 'nothing, or results of steps only'}", err=True)
        if damage.moved is not None:
            click.echo(f"    moved to {damage.moved}", err=True)
        click.echo(f"    {damage.next_step}", err=True)
    if quiet:
        return
    click.echo(
        f"{health.blobs} blobs and {health.runtime_images} runtime images, {_bytes(health.bytes)}; "
        f"{health.names} names, results of {health.steps} steps: "
        f"{'all sound' if not health.damages else f'{len(health.damages)} damaged'}"
    )
    if health.leftovers:
        click.echo(f"{health.leftovers} files that killed commands left; 'relance store gc' removes them")


def _tell_usage(found: Usage) -> None:
    click.echo(f"{'NEEDS':>10}  {'ITS OWN':>10}  WHAT")
    for share in (*found.names, found.steps, found.others):
        if share.all:
            _tell_share(share)
    for size, what in (
        (found.content, "content, what is equal once"),
        (found.shared, "of it needed by several of these"),
        (found.unreachable, "of it needed by nothing ('relance store gc')"),
        (found.runtime, "runtime images"),
        (found.offered, "downloads of builds"),
    ):
        click.echo(f"{_bytes(size):>10}  {'':>10}  {what}")


def _tell_share(share: Share) -> None:
    click.echo(f"{_bytes(share.all):>10}  {_bytes(share.own):>10}  {share.name}")


def _bytes(size: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} B"


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, indent=2, default=str))


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        click.echo(f"relance: {text}", err=True)
