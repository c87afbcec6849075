"""The user's folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def store(environment: Mapping[str, str]) -> Path:
    """Return where images are kept: `$RELANCE_STORE`, else `relance` below the user's data folder."""
    chosen = environment.get("RELANCE_STORE")
    if chosen:
        return Path(chosen).absolute()
    data = environment.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "relance"


def cache(environment: Mapping[str, str]) -> Path:
    """Return where things are kept that can be made again."""
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
