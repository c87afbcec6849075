"""`relance convert`: make a workflow of another language an analysis that `relance run` runs."""

from __future__ import annotations

from pathlib import Path

import click

from relance.cli import workflow_options
from relance.conversion import cwl, reana, writing, yadage
from relance.conversion import entry as entry_conversion
from relance.conversion.model import Converted
from relance.drafting import draft
from relance.errors import ExitCode, InputError
from relance.languages import parameters, recast_atlas, yamlfile
from relance.languages import reana as reana_files
from relance.languages.cwl import documents as cwl_files
from relance.languages.cwl import parameters as cwl_parameters
from relance.languages.model import Json


@click.command()
@click.argument("specification", metavar="SPEC", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.argument("files", metavar="[PARAMETERS.yml]...", nargs=-1, type=click.Path(path_type=Path))
@workflow_options.TOPLEVEL
@workflow_options.PARAMETERS
@workflow_options.INITDIR
@workflow_options.EXAMPLE
@click.option(
    "--engine",
    type=click.Choice(["snakemake", "cwltool"]),
    default="snakemake",
    show_default=True,
    help="What runs the steps; cwltool takes a whole workflow of CWL, also one that can't be compiled.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def convert(  # noqa: PLR0917 - click passes each by name
    specification: Path,
    folder: Path,
    files: tuple[Path, ...],
    toplevel: Path | None,
    assignments: tuple[str, ...],
    initdir: Path | None,
    example: str | None,
    engine: str,
    quiet: bool,
) -> ExitCode:
    """Compile a workflow to Snakemake, into a new folder: of yadage, CWL, a recast.yml or reana.yaml.

    One rule for each step, with the step's own command and container; `relance run DIR` runs it. Its
    specification is drafted beside it, so that `relance capture DIR` works once it ran.
    """
    source, mark, process = str(specification).partition("#")  # FILE#PROCESS, where CWL has several in a file
    if cwl_files.is_cwl(Path(source)):
        _refuse("a workflow of CWL", initdir=initdir, example=example)
        base = toplevel or Path(source).parent
        said = [*map(cwl_parameters.of_file, files), cwl_parameters.of_assignments(assignments)]
        file = _within(Path(source), base) + mark + process
        convert_it = cwl.whole if engine == "cwltool" else cwl.converted
        _finish(convert_it(base, file, said, folder.resolve().name), folder, quiet=quiet)
        return ExitCode.OK
    given = parameters.gathered(files, assignments)
    content = yamlfile.read(specification, specification).value
    recast_atlas.refuse_index(specification, content)
    if reana_files.is_analysis(content) or reana_files.is_called_so(specification, content):
        _refuse("a reana.yaml, which says it itself", toplevel=toplevel, initdir=initdir, example=example)
        analysis = reana_files.read(specification)
        whole = engine == "cwltool" and analysis.language is reana_files.Language.CWL
        made = reana.converted(analysis, specification.name, given, folder.resolve().name, whole=whole)
        engine = "snakemake" if whole else engine
    elif recast_atlas.is_entry(content):
        entry = recast_atlas.read(specification, toplevel)
        made = entry_conversion.recast(
            entry, specification.parent, given, chosen=example, files=initdir, toplevel=toplevel
        )
    else:
        _refuse("a workflow, which has no examples", example=example)
        made = _workflow(specification, toplevel, given, initdir, folder)
    _refuse("what isn't CWL", engine=None if engine == "snakemake" else engine)
    _finish(made, folder, quiet=quiet)
    return ExitCode.OK


def _workflow(
    specification: Path, toplevel: Path | None, given: dict[str, Json], initdir: Path | None, folder: Path
) -> Converted:
    base = toplevel or specification.parent
    source = yadage.Source(base, _within(specification, base), given, folder.resolve().name, initdir)
    return yadage.converted(source)


def _finish(made: Converted, folder: Path, *, quiet: bool) -> None:
    drafted = writing.write(made, folder)
    if quiet:
        return
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
    left = len(draft.decisions(drafted.read_text("utf-8")))
    run = f"relance run {folder}" + (f" --config {made.configuration}" if made.configuration else "")
    click.echo(f"{folder} has {made.source} for Snakemake; run it with '{run}'")
    click.echo(f"{drafted} is its specification; {left} places are left to decide")


def _refuse(what: str, **options: object) -> None:
    for name, given in options.items():
        if given is not None:
            raise InputError(
                f"--{name}",
                expected="none",
                found=f"it together with {what}",
                next_step=f"leave --{name} out",
            )


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
