"""`relance run --engine yadage`: a workflow of yadage in yadage itself."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import click

from relance.cli import signals, workflow_options
from relance.cli.reuse import digests
from relance.conversion import entry as converting
from relance.conversion import writing
from relance.conversion.model import Unpacked
from relance.conversion.yadage import Source
from relance.engines import folders
from relance.engines.yadage import containers, installation, running
from relance.engines.yadage.containers import Containers
from relance.engines.yadage.running import Outcome, Request
from relance.errors import AnalysisError, ExitCode, InputError, RelanceError
from relance.languages import parameters, recast_atlas, yamlfile
from relance.languages import reana as reana_files
from relance.languages.model import Container, Json, Workflow
from relance.languages.snakefile import check_free
from relance.languages.yadage import workflows as yadage
from relance.model import Runtime, RuntimeKind
from relance.recording import files
from relance.recording import yadage as recording


@click.command()
@click.argument("specification", metavar="SPEC", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.argument("given", metavar="[PARAMETERS.yml]...", nargs=-1, type=click.Path(path_type=Path))
@workflow_options.TOPLEVEL
@workflow_options.PARAMETERS
@workflow_options.INITDIR
@workflow_options.EXAMPLE
@click.option(
    "--runtime",
    type=click.Choice([RuntimeKind.DOCKER.value, RuntimeKind.PODMAN.value, RuntimeKind.APPTAINER.value]),
    help="What containers run in; the first that works if left out.",
)
@click.option("--cores", type=click.IntRange(min=1), show_default="all", help="Most jobs at once.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of each job as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def run_yadage(  # noqa: PLR0917 - click passes each by name
    specification: Path,
    folder: Path,
    given: tuple[Path, ...],
    toplevel: Path | None,
    assignments: tuple[str, ...],
    initdir: Path | None,
    example: str | None,
    runtime: str | None,
    cores: int | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Run a workflow of yadage, or of a recast.yml, in yadage itself, in the new folder DIR, and record it.

    yadage must be in an environment of its own, which RELANCE_YADAGE names. A stage that made no job, or a
    job that failed, is exit status 1, whatever yadage says of it.
    """
    python, version = installation.found(os.environ)
    source, archive = _chosen(
        specification, toplevel, parameters.gathered(given, assignments), initdir, example
    )
    workflow = yadage.read(source.toplevel, source.file).workflow
    check_free(folder)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder.resolve()
    held = _containers(workflow, RuntimeKind(runtime) if runtime else None, place)
    if source.files is not None:
        shutil.copytree(source.files, place / "init")
    if archive is not None:
        writing.unpack(archive, place)
    usable = cores or len(os.sched_getaffinity(0))
    request = Request(
        source.toplevel.resolve(), source.file, source.parameters, place, place / "init", usable
    )
    record = folders.new(place / ".snakemake" / "relance", str(folder))
    with (
        folders.held(record.path),
        signals.noting(lambda: click.echo("relance: stopping", err=True)) as noted,
    ):
        outcome = running.run(
            request,
            python=python,
            containers=held,
            environment=os.environ,
            console=record.console,
            stop=lambda: noted.first,
        )
    _record(request, outcome, held.runtime, version, record.path)
    if as_json:
        click.echo(json.dumps([asdict(job) for job in outcome.jobs], indent=2, default=str))
    if outcome.stopped_by is not None:
        click.echo("error: interrupted", err=True)
        return noted.exit_code
    _refuse_what_is_not_done(outcome, request, record.console)
    if not quiet and not as_json:
        click.echo(f"{len(outcome.jobs)} jobs of {len(workflow.stages)} stages are done, in {folder}")
    return ExitCode.OK


def _chosen(
    specification: Path,
    toplevel: Path | None,
    given: dict[str, Json],
    initdir: Path | None,
    example: str | None,
) -> tuple[Source, Unpacked | None]:
    """Return the workflow with what it is given, and an archive that has files for it."""
    content = yamlfile.read(specification, specification).value
    if reana_files.is_analysis(content):
        raise InputError(
            f"{specification} can't be run in yadage",
            expected="a workflow of yadage, or a recast.yml",
            found="a reana.yaml",
            next_step=f"name {content['workflow'].get('file') or 'the workflow'} and its parameters instead",
        )
    if recast_atlas.is_entry(content):
        entry = recast_atlas.read(specification, toplevel)
        chosen = example or next(iter(entry.examples), None)
        one = converting.example(
            entry, specification.parent, given, chosen=chosen, files=initdir, toplevel=toplevel
        )
        if one.elsewhere:
            raise InputError(
                f"the files of the example '{chosen}' aren't on this machine",
                expected="a folder or a ZIP archive beside the recast.yml",
                found=one.elsewhere,
                next_step="fetch and unpack them, and name the folder with --initdir",
            )
        return one.source, one.archive
    if example is not None:
        raise InputError(
            "--example",
            expected="none",
            found="it together with a workflow, which has no examples",
            next_step="leave --example out, or name the recast.yml",
        )
    base = toplevel or specification.parent
    file = os.path.relpath(specification, base)
    return Source(base, file, given, specification.stem, initdir), None


def _containers(workflow: Workflow, wanted: RuntimeKind | None, folder: Path) -> Containers:
    if not _contained(workflow):
        wanted = RuntimeKind.PLAIN
    return containers.chosen(wanted, folder)


def _contained(workflow: Workflow) -> bool:
    return any(
        _contained(case.workflow)
        if case.workflow is not None
        else case.step is not None and isinstance(case.step.environment, Container)
        for stage in workflow.stages
        for case in stage.cases
    )


def _record(request: Request, outcome: Outcome, runtime: Runtime, version: str, folder: Path) -> None:
    try:
        made = recording.record(request, outcome, runtime, version, digests(request.folder))
        files.write(made, folder)
    except (RelanceError, OSError) as error:
        click.echo(f"warning: the run was not recorded: {error}", err=True)


def _refuse_what_is_not_done(outcome: Outcome, request: Request, console: Path) -> None:
    """Raise an AnalysisError that says why, if something isn't done."""
    if outcome.done:
        return
    failed = [job for job in outcome.jobs if job.status == "failed"]
    if failed:
        names = ", ".join(f"'{job.folder}'" for job in failed)
        raise AnalysisError(
            f"job {names} failed",
            expected="exit status 0",
            found=running.reason(failed[0], request.folder),
            next_step=f"read {request.folder / failed[0].folder / '_packtivity'}",
        )
    if outcome.waiting and not outcome.error:
        first = outcome.waiting[0]
        names = ", ".join(f"'{one.stage}'" for one in outcome.waiting)
        raise AnalysisError(
            f"stage {names} made no job",
            expected="what it waits for to be there",
            found=f"'{first.stage}' still waiting for {', '.join(first.dependencies) or 'nothing'}; "
            "yadage itself ended with success",
            next_step="correct the dependency; 'relance check' finds such",
        )
    if outcome.empty and not outcome.error:
        names = ", ".join(f"'{name}'" for name in outcome.empty)
        raise AnalysisError(
            f"stage {names} made no job",
            expected="something to scatter",
            found="empty lists; yadage itself ended with success",
            next_step="correct what it scatters; compiled, 'may_be_empty' allows it",
        )
    names = ", ".join(f"'{one.stage}'" for one in outcome.waiting)
    raise AnalysisError(
        f"yadage broke off before stage {names}" if names else "yadage failed",
        expected="every stage done",
        found=outcome.error or "jobs that did not run",
        next_step=f"read {console}",
    )
