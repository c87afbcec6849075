"""`relance runs`: list recorded runs, and show one."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from relance.cli.record import is_idle
from relance.engines import folders
from relance.errors import ExitCode, InputError
from relance.recording import files
from relance.recording.files import RecordedRun

_DIR = click.option(
    "--dir", "analysis", default=".", type=click.Path(file_okay=False, path_type=Path), help="The analysis."
)


class _Listing(click.Group):
    """A group whose own argument may be a folder: `relance runs DIR` lists that folder's runs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Listing, invoke_without_command=True)
@click.pass_context
def runs(context: click.Context) -> ExitCode | None:
    """List the runs of an analysis (relance runs [DIR]), or show one (relance runs show)."""
    return _list(Path.cwd()) if context.invoked_subcommand is None else None


@runs.command("list")
@click.argument("analysis", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
def list_runs(analysis: Path) -> ExitCode:
    """List the runs of the analysis in DIR (default: here), the oldest first."""
    return _list(analysis.resolve())


@runs.command()
@click.argument("name", metavar="[ID]", required=False)
@_DIR
@click.option("--json", "as_json", is_flag=True, help="Print the record as it is, as JSON.")
def show(name: str | None, analysis: Path, as_json: bool) -> ExitCode:
    """Show the run ID as `relance runs` names it (default: the last that has a record)."""
    known = [run for run in files.runs(analysis.resolve()) if run.record]
    chosen = [run for run in known if name is None or run.name == name]
    if not chosen:
        raise InputError(
            f"no recorded run{f' {name!r}' if name else ''} in {analysis.resolve()}",
            expected=", ".join(run.name for run in known) or "a run that has a record",
            found="none",
            next_step="see 'relance runs', or make one with 'relance record'",
        )
    record = files.read(chosen[-1].folder / files.NAME)
    if as_json:
        click.echo(json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False))
    else:
        _tell(chosen[-1], record)
    return ExitCode.OK


def _list(analysis: Path) -> ExitCode:
    known = files.runs(analysis)
    for run in known:
        if folders.goes_on(run.folder):
            click.echo(f"{run.name}  goes on")
        elif is_idle(run):
            click.echo(f"{run.name}  a dry run, or refused before any job: nothing to record")
        elif run.record and not files.is_current(run.folder / files.NAME):
            click.echo(f"{run.name}  recorded by another version of relance: relance record")
        elif run.record:
            record = files.read(run.folder / files.NAME)
            states = Counter(job["status"] for job in record["jobs"])
            jobs = ", ".join(f"{count} {status}" for status, count in sorted(states.items()))
            click.echo(f"{run.name}  {_date(record['times']['started'])}  {record['run']['status']}: {jobs}")
        else:
            click.echo(f"{run.name}  not recorded yet: relance record")
    if not known:
        click.echo("no runs")
    return ExitCode.OK


def _tell(run: RecordedRun, record: Any) -> None:
    facts = record["run"]
    click.echo(
        f"{run.name}: {facts['status']}, recorded {facts['made']}, {_date(record['times']['started'])}"
    )
    remote = facts.get("remote")
    if remote:
        click.echo(f"on: {remote['engine']} {remote['version']}, {remote['server']}")
        click.echo(f"as: {remote['name']}, {remote['id']}")
    click.echo(f"runtime: {facts['runtime']} {facts['runtime_version']}; Snakemake {facts['snakemake']}")
    click.echo(f"machine: {facts['platform']}, {facts['processor']}, {facts['libc']}")
    found = {file["path"]: file for file in record["files"]}
    for job, times in zip(record["jobs"], record["times"]["jobs"], strict=True):
        wildcards = job["wildcards"] if isinstance(job["wildcards"], dict) else {}
        name = " ".join([job["rule"], *(f"{key}={value}" for key, value in sorted(wildcards.items()))])
        known = "unknown" not in {times["started"], times["ended"]}
        taken = f", {times['ended'] - times['started']:.1f} s" if known else ""
        click.echo(f"{name}: {job['status']}{taken}")
        for path in job["outputs"]:
            file = found[path]
            note = ", altered since" if file["altered"] else ""
            click.echo(f"    {path}  {file['digest']}  ({file['kind']}, {file['size']} bytes{note})")


def _date(time: float | str) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(" ", "seconds") if not isinstance(time, str) else time
