"""Where the user's folders are; who calls gives the environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


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
