"""`relance compare`: two files or folders, by what is in them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from relance.compare import folders
from relance.compare.folders import Pair
from relance.compare.model import Comparison, Tier
from relance.errors import ExitCode, InputError
from relance.specification import reading
from relance.specification.model import Tolerance


@click.command()
@click.argument("expected", type=click.Path(path_type=Path))
@click.argument("found", type=click.Path(path_type=Path))
@click.option("--relative", type=click.FloatRange(min=0), metavar="X",
              help="Numbers may differ by this share of the larger one.")  # fmt: skip
@click.option(
    "--absolute", type=click.FloatRange(min=0), metavar="X", help="Numbers may differ by this much."
)
@click.option("--p-value", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="P",
              help="Histograms agree whose χ² has at least this p-value.")  # fmt: skip
@click.option("--spec", "specification", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Tolerances as this specification declares them; they come before the rest.")  # fmt: skip
@click.option("--cores", "--jobs", "-j", type=click.IntRange(min=1), show_default="all",
              help="Files to compare at once.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def compare(  # noqa: PLR0917 - click passes each by name
    expected: Path,
    found: Path,
    relative: float | None,
    absolute: float | None,
    p_value: float | None,
    specification: Path | None,
    cores: int | None,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Compare FOUND with EXPECTED, two files or two folders, and say how far they are the same.

    \b
    bytes       bit for bit
    content     the same content, whatever its dates, compression or layout
    unordered   the same rows in another order
    tolerance   within what is allowed; the differences are told
    different   where, and both values

    Exit status: 0 if everything is the same so far, 1 if something differs, 2 if it can't be read, 3 if only
    a missing library keeps that from being told.
    """
    from relance.cli import comparing

    tolerances = reading.load(specification).products.tolerances if specification else ()
    if relative is not None or absolute is not None or p_value is not None:
        given = Tolerance("**", "given on the command line", None, relative, absolute, p_value)
        tolerances = (*tolerances, given)
    results = folders.compare(_pairs(expected, found, tolerances), cores or len(os.sched_getaffinity(0)))
    if as_json:
        from relance.capsule.encoding import encode

        click.echo(json.dumps([encode(result) for result in results], indent=2, ensure_ascii=False))
    elif not quiet:
        for line in comparing.lines(results):
            click.echo(line)
        click.echo(f"{len(results)} files: {comparing.counted(result.tier for result in results)}")
    return _conclusion(results)


def _pairs(expected: Path, found: Path, tolerances: tuple[Tolerance, ...]) -> tuple[Pair, ...]:
    for path in (expected, found):
        if not path.exists():
            raise InputError(
                str(path), expected="a file or a folder", found="no such file", next_step="check its name"
            )
    if expected.is_dir() and found.is_dir():
        return folders.pairs(expected, found, tolerances)
    if expected.is_dir() or found.is_dir():
        raise InputError(
            f"{expected} and {found}",
            expected="two files or two folders",
            found="one of each",
            next_step="name the file in the folder",
        )
    return (Pair(found.name, expected, found, folders.rules_for(found.name, tolerances)),)


def _conclusion(results: tuple[Comparison, ...]) -> ExitCode:
    disagreeing = {result.tier for result in results if not result.tier.agrees}
    if not disagreeing:
        return ExitCode.OK
    return ExitCode.MISSING_PART if disagreeing == {Tier.UNDECIDED} else ExitCode.FAILED
