"""The user's folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

STORE = click.option(
    "--store",
    "chosen_store",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where images, capsules and results are kept (default: $RELANCE_STORE, else "
    "~/.local/share/relance).",
)
"""The option of every command that uses the store; it goes to `store` as `chosen`."""


def store(environment: Mapping[str, str], chosen: Path | None = None) -> Path:
    """Return the store's folder: the chosen one, else `$RELANCE_STORE`, else in the user's data folder."""
    given = chosen or environment.get("RELANCE_STORE")
    if given:
        return Path(given).absolute()
    data = environment.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "relance"


def cache(environment: Mapping[str, str]) -> Path:
    """Return where things are kept that can be made again."""
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
