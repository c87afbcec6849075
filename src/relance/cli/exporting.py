"""`relance export` and `relance import`: capsules as single files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from relance.capsule import archive, publicity, reading, sources, writing
from relance.capsule.letter import line
from relance.cli import capsules, places, signals, workflow_options
from relance.cli.inspect import size
from relance.cli.progress import counting
from relance.errors import ExitCode, InputError
from relance.publish import crate
from relance.store.store import Store


@click.command(epilog=capsules.HELP)
@click.argument("capsule", metavar="CAPSULE|ANALYSIS")
@click.argument("target", metavar="FILE.tar|DIR", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "language",
    type=click.Choice(["snakemake", "yadage", "reana"]),
    help="Write the workflow in another language, with the analysis's files.",
)
@click.option("--config", metavar="FILE|NAME", help="With --as, of a folder: its configuration.")
@click.option("--fixed", is_flag=True, help="With --as: leave all parameters as they are; sooner done.")
@click.option(
    "--image",
    "images",
    metavar="IMAGE=NAME",
    multiple=True,
    help="With --as: what an image is called in a registry.",
)
@workflow_options.TOPLEVEL
@click.option(
    "--public", is_flag=True, help="Refuse if anything of it isn't for everybody, as the specification says."
)
@places.STORE
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def export(  # noqa: PLR0917 - click passes each by name
    capsule: str,
    target: Path,
    language: str | None,
    config: str | None,
    fixed: bool,
    images: tuple[str, ...],
    toplevel: Path | None,
    public: bool,
    chosen_store: Path | None,
    quiet: bool,
) -> ExitCode:
    """Write a capsule as one tar file, or its files with their provenance as an RO-Crate into a new folder.

    The tar file is an OCI image layout: `docker load` and `podman load` take its images; unpacked, its
    replay.sh runs the jobs again. The crate is a Provenance Run Crate 0.5. Both are always the same bytes.

    With --as, a capsule, the folder of an analysis, or a workflow of yadage is written in another workflow
    language: `snakemake`, with a rule for each job; `yadage`, expanded; `reana`, as steps of a serial
    workflow.
    """
    if toplevel is not None or Path(capsule).suffix in {".yml", ".yaml"}:
        return _expanded(Path(capsule), language, toplevel, target, quiet=quiet)
    if language is not None:
        if public:
            raise click.UsageError("--public goes without --as")
        return _as(language, capsule, target, config, images, chosen_store, fixed=fixed, quiet=quiet)
    if config is not None or fixed or images:
        raise click.UsageError("--config, --fixed and --image go with --as")
    store, described, opened = capsules.opened(capsule, os.environ, chosen_store)
    layout = store.layout
    if public:
        publicity.refuse_what_is_not_public(opened)
    as_tar = target.name.endswith(".tar")
    held = sum(file.stored.size for file in opened.files if file.stored)
    total = sum(blob.size for blob in reading.documents(layout, described)) if as_tar else held
    with signals.raising(), counting("exporting", quiet=quiet) as show:
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            show(min(done, total), total)

        if as_tar:
            total = archive.export_tar(layout, described, target, told=told)
        else:
            crate.export(layout, opened, described.digest, target, told=told)
    if not quiet:
        click.echo(f"{described.digest} is in {target}, {size(total)}")
        hidden = publicity.blinded(opened)
        if hidden:
            click.echo(f"blinded, so not for everybody: {line(', '.join(hidden))}", err=True)
    return ExitCode.OK


def _as(  # noqa: PLR0917 - what was typed
    language: str,
    text: str,
    target: Path,
    config: str | None,
    images: tuple[str, ...],
    store: Path | None,
    *,
    fixed: bool,
    quiet: bool,
) -> ExitCode:
    from relance.cli import form_sources, forms

    names = dict(map(_renamed, images))
    with signals.raising():
        if not (fixed or quiet) and Path(text).is_dir():
            click.echo("relance: looking which parameters can be set (--fixed leaves it out)", err=True)
        with form_sources.opened(text, config, os.environ, store, fixed=fixed) as source:
            told = forms.write(source, language, names, target)
    if not quiet:
        for line in told:
            click.echo(line, err=True)
        click.echo(f"{target} has {text} for {forms.LANGUAGES[language]}")
    return ExitCode.OK


def _expanded(
    specification: Path, language: str | None, toplevel: Path | None, target: Path, *, quiet: bool
) -> ExitCode:
    from relance.cli import forms

    forms.expand(specification, language, toplevel, target)
    if not quiet:
        click.echo(f"{target} has {specification} in one file")
    return ExitCode.OK


def _renamed(text: str) -> tuple[str, str]:
    image, equals, name = text.rpartition("=")
    if not equals or not image:
        raise InputError(
            f"--image {text}",
            expected="IMAGE=NAME",
            found=repr(text),
            next_step="write both; nothing after '=' for a process of the machine",
        )
    return image, name


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
