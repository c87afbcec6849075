"""`relance init`: draft the specification of an analysis that has none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from relance.cli import values
from relance.drafting import draft, graph, history
from relance.engines import snakemake
from relance.errors import InputError
from relance.specification import reading
from relance.store import atomic


@click.command()
@click.argument("analysis", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Where to write it; specs/NAME.yaml in DIR if left out.")  # fmt: skip
@click.option("--config", metavar="FILE|NAME", help="Configuration: a file, or one the analysis brings.")
@click.option("-n", "--dry-run", is_flag=True, help="Print the draft; write nothing.")
@click.option("--force", is_flag=True, help="Replace a specification that is there.")
def init(analysis: Path, output: Path | None, config: str | None, dry_run: bool, force: bool) -> None:
    """Draft the specification of the analysis in DIR (default: here) and say what is left to decide.

    Snakemake reads the Snakefile, whose Python runs; no step does. What can't be found out is marked in the
    draft with '# decide: …'.
    """
    analysis = analysis.resolve()
    snakefile = snakemake.snakefile(analysis)
    given = values.configuration(config, analysis, Path.cwd()) if config else None
    found = graph.read(analysis, snakefile, given, os.environ)
    path = output or _known(analysis) or analysis / "specs" / f"{draft.name(analysis, found)}.yaml"
    text = draft.text(analysis, found, history.read(analysis))
    if dry_run:
        click.echo(text, nl=False)
        return
    if path.exists() and not force:
        if output is not None:
            raise InputError(
                _shown(path),
                expected="no such file yet",
                found="one",
                next_step="name another with -o, or type the command with --force (what is in it is lost)",
            )
        _tell_left(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(path, text)
    reading.load(path)
    questions = draft.decisions(text)
    click.echo(f"{_shown(path)} is drafted; {len(questions)} places are left to decide:")
    _tell_decisions(path, questions)


def _known(analysis: Path) -> Path | None:
    """Return the specification that the analysis has, whatever it is called: a second would be in the way."""
    found = [path for path in sorted((analysis / "specs").glob("*.yaml")) if reading.is_specification(path)]
    return found[0] if len(found) == 1 else None


def _tell_left(path: Path) -> None:
    """Say what is left to decide in a specification that is there, which is kept.

    Raises:
        InputError: it is wrong; all of it is told.
    """
    reading.load(path)
    left = draft.decisions(path.read_text(encoding="utf-8"))
    again = "--force drafts it anew (what is in it is lost)"
    if not left:
        click.echo(f"{_shown(path)} is finished; go on with 'relance run' and 'relance capture'; {again}")
        return
    click.echo(f"{_shown(path)} is there, and kept; {len(left)} places are left to decide:")
    _tell_decisions(path, left)
    click.echo(again)


def _tell_decisions(path: Path, left: Sequence[tuple[int, str]]) -> None:
    for line, question in left:
        click.echo(f"    {_shown(path)}:{line}: {question}")
    click.echo("answer each in the file and remove its comment; docs/specification.md explains the keys")


def _shown(path: Path) -> str:
    here = Path.cwd()
    absolute = path.absolute()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)
