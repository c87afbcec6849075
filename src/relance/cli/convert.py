"""`relance convert`: compile a workflow of another language into an analysis that `relance run` runs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from relance.errors import ExitCode, InputError
from relance.languages import parameters, recast_atlas, snakefile, yadage, yamlfile
from relance.languages.model import Json


@click.command()
@click.argument("specification", metavar="SPEC", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.argument("files", metavar="[PARAMETERS.yml]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--toplevel",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that references start from; that of SPEC if left out.",
)
@click.option(
    "-p", "--parameter", "assignments", metavar="KEY=VALUE", multiple=True, help="Set a parameter; YAML."
)
@click.option(
    "--initdir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of input files, copied to DIR/init.",
)
@click.option("--example", metavar="NAME", help="Of a recast.yml: the example to take (default: the first).")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def convert(  # noqa: PLR0917 - click passes each by name
    specification: Path,
    folder: Path,
    files: tuple[Path, ...],
    toplevel: Path | None,
    assignments: tuple[str, ...],
    initdir: Path | None,
    example: str | None,
    quiet: bool,
) -> ExitCode:
    """Compile a yadage workflow, or a recast.yml of recast-atlas, to Snakemake, into a new folder.

    One rule for each step, with the step's own command and container; `relance run DIR` runs it.
    """
    base = toplevel or specification.parent
    given: dict[str, Json] = {}
    if recast_atlas.is_entry(yamlfile.read(specification, specification).value):
        entry = recast_atlas.read(specification)
        base, file = toplevel or entry.toplevel, entry.workflow
        if entry.examples or example:
            chosen = recast_atlas.example(entry, example or next(iter(entry.examples)))
            given = dict(chosen.parameters)
            if chosen.archive and not initdir:
                click.echo(
                    f"note: the example's files are at {chosen.archive}; put them in DIR/init", err=True
                )
            if chosen.inputs and not initdir:
                initdir = _inside(specification.parent, chosen.inputs)
    else:
        if example:
            raise InputError(
                f"{specification} has no examples",
                expected="a recast.yml with --example",
                found="a workflow",
                next_step="leave --example out",
            )
        file = _within(specification, base)
    reading = yadage.read(base, file)
    given |= parameters.gathered(files, assignments)
    _write(snakefile.compiled(reading.workflow, file, given), folder, initdir)
    if not quiet:
        for note in reading.notes:
            click.echo(f"note: {note.where}: {note.text}", err=True)
        click.echo(f"{folder} has {file} for Snakemake; run it with 'relance run {folder}'")
    return ExitCode.OK


def _write(analysis: snakefile.Compiled, folder: Path, initdir: Path | None) -> None:
    """Write the analysis whole, or nothing."""
    snakefile.check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / "analysis"
        snakefile.write(analysis, made)
        if initdir is not None:
            shutil.copytree(initdir, made / "init")
        if folder.exists():
            folder.rmdir()
        made.replace(folder)


def _within(specification: Path, base: Path) -> str:
    file, top = specification.resolve(), base.resolve()
    if not file.is_relative_to(top):
        raise InputError(
            f"{specification} isn't in the toplevel",
            expected=f"a file in {base}",
            found="another place",
            next_step="name its toplevel with --toplevel",
        )
    return str(file.relative_to(top))


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_dir():
        raise InputError(
            f"the example's initdir '{name}' can't be used",
            expected=f"a folder in {folder}",
            found="none",
            next_step="name the folder with --initdir",
        )
    for link in path.rglob("*"):
        if link.is_symlink() and not link.resolve().is_relative_to(folder.resolve()):
            raise InputError(
                f"the example's initdir '{name}' can't be used",
                expected="files beside the recast.yml",
                found=f"the link {link.relative_to(folder)} to {link.readlink()}",
                next_step="name the folder with --initdir if that is right",
            )
    return path
