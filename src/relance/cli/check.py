"""`relance check`: what would go wrong in an analysis, said before it runs."""

from __future__ import annotations

import os
from pathlib import Path

import click

from relance.cli import places
from relance.errors import ExitCode


@click.command()
@click.argument("path", metavar="[PATH]", default=".", type=click.Path(path_type=Path))
@click.option("--for", "target", type=click.Choice(["reana"]), help="Check also what is different there.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How to print it; github: as annotations of a workflow of GitHub's.",
)
@click.option(
    "--level",
    type=click.Choice(["error", "warning", "note"]),
    default="warning",
    show_default=True,
    help="The least that is shown; JSON has all.",
)
@click.option("--strict", is_flag=True, help="Warnings, too, make the exit status 1.")
@click.option("--no-parse", is_flag=True, help="Read Snakefiles as text only: no Python of theirs is run.")
@click.option(
    "--toplevel",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that a yadage workflow's references start from; that of PATH if left out.",
)
@places.STORE
def check(  # noqa: PLR0917 - click passes each by name
    path: Path,
    target: str | None,
    form: str,
    level: str,
    strict: bool,
    no_parse: bool,
    toplevel: Path | None,
    chosen_store: Path | None,
) -> ExitCode:
    """Say what yadage, Snakemake and REANA would pass over in silence, before anything runs.

    PATH is the folder of an analysis (default: here), or one of its specifications: a Snakefile, a yadage
    workflow, recast.yml, reana.yaml. Exit status: 0 nothing is wrong (warnings don't count unless --strict
    is given), 1 something is, 2 there is nothing to check.

    \b
    relance check                                 what would fail anywhere
    relance check --for reana                     and what would fail on REANA
    relance check --format github --no-parse      in continuous integration, of somebody else's analysis

    docs/check.md has the codes of findings, and how to silence one.
    """
    from relance.checks import checking, report, subject
    from relance.checks.finding import Severity, Target
    from relance.cli import check_jobs

    found = subject.find(path, toplevel)
    chosen = Target.REANA if target or _is_reana(found.reana, path) else None
    ask = check_jobs.recorded(found.root) if no_parse else check_jobs.graph(found.root, os.environ)
    user_of = check_jobs.users(places.store(os.environ, chosen_store))
    made = checking.check(found, chosen, ask, user_of)

    def shown(file: str) -> str:
        whole, here = found.root / file, Path.cwd()
        return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)

    match form:
        case "json":
            click.echo(report.as_json(made))
        case "github":
            click.echo(report.as_github(made, Severity(level), shown))
        case _:
            click.echo(report.as_text(made, Severity(level), shown))
    return ExitCode.FAILED if made.fails(strict=strict) else ExitCode.OK


def _is_reana(reana: str | None, path: Path) -> bool:
    """Return whether PATH itself is a reana.yaml: then it is for REANA."""
    return reana is not None and path.is_file()
