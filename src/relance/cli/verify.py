"""`relance verify`."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relance.cli import display, limiting, places, signals
from relance.cli.elsewhere import Elsewhere
from relance.cli.elsewhere import options as elsewhere_options
from relance.cli.progress import counting
from relance.errors import ExitCode, InputError
from relance.model import RuntimeKind

if TYPE_CHECKING:
    from relance.capsule.checkout import Fetch
    from relance.capsule.model import CapsuleFile
    from relance.engines.base import Watch
    from relance.engines.limits import Limits
    from relance.rerun.execution import Settings
    from relance.rerun.folder import Work
    from relance.store.descriptors import Descriptor
    from relance.verify.model import Report
    from relance.verify.reproduction import Ran


@click.command()
@click.argument("capsule")
@click.option("--rerun", is_flag=True, help="Run it again from the capsule alone and compare every product.")
@click.option("--case", metavar="NAME", help="Run a validation case and compare with its reference values.")
@click.option("--runtime", type=click.Choice([kind.value for kind in RuntimeKind]),
              help="What jobs run in; the first that works if left out.")  # fmt: skip
@click.option("--cores", "--jobs", "-j", type=click.IntRange(min=1), show_default="all",
              help="Most processor cores to use at once.")  # fmt: skip
@click.option("--keep", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Run it in this new folder, and keep that.")  # fmt: skip
@click.option("--fetch", is_flag=True, help="Bring inputs that are kept by reference, by the network, first.")
@click.option("--trust", is_flag=True, help="Run the capsule's Snakefile without a sandbox, as your own.")
@limiting.LIMIT
@click.option("--report/--no-report", default=True,
              help="Keep the report of a rerun in the store, beside the capsule (default: yes).")  # fmt: skip
@elsewhere_options
@places.STORE
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def verify(  # noqa: PLR0917 - click passes each by name
    capsule: str,
    rerun: bool,
    case: str | None,
    runtime: str | None,
    cores: int | None,
    keep: Path | None,
    fetch: bool,
    trust: bool,
    limits: tuple[str, ...],
    report: bool,
    elsewhere: Elsewhere | None,
    chosen_store: Path | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Check that CAPSULE is whole: every file, image and document against its digest; nothing runs.

    The folder of an RO-Crate may stand for it: then its files are compared with what the crate declares.

    With --rerun it is run again in its own images, with no network and nothing of this machine but its
    processor and a scratch folder, and each product is compared with the captured one.

    \b
    relance verify dilepton
    relance verify dilepton --rerun
    relance verify dilepton --rerun --case quick
    relance verify dilepton --rerun --on reana --image-registry registry.example.org/group

    Exit status: 0 whole, or reproduced; 1 something differs, or a job failed; 2 damaged, or no capsule; 3
    not closed, or this machine lacks a part.
    """
    from relance.cli import capsules, reports
    from relance.publish import rocrate
    from relance.verify import artifacts, verifying
    from relance.verify.reproduction import Effects, Request

    for option, given in (("--case", case), ("--keep", keep), ("--on", elsewhere)):
        if given and not rerun:
            raise InputError(option, expected="--rerun with it", found="none", next_step="add --rerun")
    if not rerun and (Path(capsule) / rocrate.METADATA).is_file():
        return _crate_checked(Path(capsule), as_json=as_json, quiet=quiet)
    usable = cores or len(os.sched_getaffinity(0))
    bounds = limiting.read(limits)

    def say(text: str) -> None:
        if not quiet:
            click.echo(f"relance: {text}", err=True)

    kept = None
    with signals.raising(), counting("reading", quiet=quiet) as told:
        # What lies elsewhere is read there first, so that nothing damaged is brought into the store.
        if not rerun or capsules.lies_elsewhere(capsule):
            made = _checked(capsule, chosen_store, told)
        if rerun and (not capsules.lies_elsewhere(capsule) or made.integrity.holds):
            store, described = capsules.in_store(capsule, os.environ, chosen_store)
            with _folder(keep) as folder:
                settings = _settings(runtime, usable, say, trusted=trust, bounds=bounds)
                bring = _fetch if fetch else None
                there = _elsewhere(described, elsewhere, quiet=quiet)
                request = Request(folder, settings, case, usable, bring, there)
                effects = Effects(_watching(usable, say, quiet=quiet), say)
                made = verifying.verify(store, described, request, effects, told=told)
            if made.reran and report:
                with store.writing():
                    kept = artifacts.attach(store.layout, described, made)
    if as_json:
        click.echo(reports.as_json(made))
    elif not quiet:
        reports.tell(made, kept)
    return reports.conclusion(made)


def _crate_checked(folder: Path, *, as_json: bool, quiet: bool) -> ExitCode:
    from relance.publish import crate

    faults = crate.check(folder)
    if as_json:
        click.echo(
            json.dumps({"crate": str(folder), "faults": [dataclasses.asdict(fault) for fault in faults]})
        )
    for fault in () if as_json else faults:
        click.echo(f"{fault.path}: found {fault.found}, expected {fault.expected}", err=True)
    if not faults and not quiet and not as_json:
        click.echo(f"{folder} is whole: every file is declared and as it was")
    return ExitCode.BAD_INPUT if faults else ExitCode.OK


def _checked(text: str, chosen_store: Path | None, told: Callable[[int, int], None]) -> Report:
    """Check a capsule where it lies."""
    from relance.capsule import archive, sources
    from relance.cli import capsules
    from relance.verify import integrity, verifying

    place = capsules.file_or_layout(text) if capsules.lies_elsewhere(text) else None
    if place is None:
        store, described = capsules.in_store(text, os.environ, chosen_store)
        return verifying.check(integrity.Kept(store.layout), described, told=told)
    path, name = place
    with sources.opened(path) as source:
        return verifying.check(source, archive.choose(source, name, str(path)), told=told)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Give the folder to run in: the chosen one, or one that is removed afterwards."""
    if keep is not None:
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="relance-verify-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _settings(
    runtime: str | None, cores: int, say: Callable[[str], None], *, trusted: bool, bounds: Limits
) -> Settings:
    from relance.rerun.execution import Settings

    return Settings(
        outer=dict(os.environ),
        runtime=RuntimeKind(runtime) if runtime else None,
        trusted=trusted,
        cores=cores,
        limits=bounds,
        cache=places.cache(os.environ),
        say=say,
    )


def _elsewhere(
    described: Descriptor, way: Elsewhere | None, *, quiet: bool
) -> Callable[[Work, Settings], Ran] | None:
    from relance.cli.reana import rerunning

    return None if way is None else rerunning.elsewhere(described.digest, way, dict(os.environ), quiet=quiet)


def _fetch(files: Iterable[CapsuleFile]) -> Fetch:
    from relance.capsule import fetching

    return fetching.fetcher(files, places.cache(os.environ))


def _watching(
    cores: int, say: Callable[[str], None], *, quiet: bool
) -> Callable[[], AbstractContextManager[Watch]]:
    from relance.engines.base import Watch

    @contextmanager
    def watching() -> Iterator[Watch]:
        with (
            signals.noting(lambda: say("stopping")) as noted,
            display.showing(sys.stderr, cores, quiet=quiet) as show,
        ):
            yield Watch(show, lambda: noted.first)
        if noted.exit_code is ExitCode.TERMINATED:
            raise signals.Terminated

    return watching
