"""The user's folders."""

from __future__ import annotations

from pathlib import Path

import click

from relance.store.place import cache, store

__all__ = ["MAPPING", "STORE", "cache", "store"]

STORE = click.option(
    "--store",
    "chosen_store",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where images, capsules and results are kept (default: $RELANCE_STORE, else "
    "~/.local/share/relance).",
)
"""The option of every command that uses the store; it goes to `store` as `chosen`."""

MAPPING = click.option(
    "--mapping",
    "mapping_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Images that stand in for names that can't be pulled any more.",
)
"""The option of every command that runs or captures jobs in images."""
