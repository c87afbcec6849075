"""Options of the commands that take a workflow of yadage."""

from __future__ import annotations

from pathlib import Path

import click

TOPLEVEL = click.option(
    "--toplevel",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that references start from; that of SPEC if left out.",
)
PARAMETERS = click.option(
    "-p", "--parameter", "assignments", metavar="KEY=VALUE", multiple=True, help="Set a parameter; YAML."
)
INITDIR = click.option(
    "--initdir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of input files, copied to DIR/init.",
)
EXAMPLE = click.option(
    "--example", metavar="NAME", help="Of a recast.yml: the example to take (default: the first)."
)
