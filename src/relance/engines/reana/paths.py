"""Paths of a workspace: what neither a server nor a reana.yaml may say."""

from __future__ import annotations

from itertools import chain

_LONGEST = 4000  # bytes
_LONGEST_PART = 255  # bytes
_KEPT = frozenset({".git", ".snakemake", ".relance"})
_GLOB = frozenset("*?[]")


def is_safe(path: str) -> bool:
    """Tell whether a path is relative, stays inside, is written in its shortest form and can be shown."""
    parts = path.split("/")
    return (
        path.isprintable()
        and "\\" not in path
        and len(path.encode("utf-8", "surrogatepass")) <= _LONGEST
        and all(
            part not in {"", ".", ".."} and len(part.encode("utf-8", "surrogatepass")) <= _LONGEST_PART
            for part in parts
        )
    )


def is_pattern(path: str) -> bool:
    """Tell whether a server would take a path for a pattern of several."""
    return bool(_GLOB & set(path))


def is_kept(path: str) -> bool:
    """Tell whether a program of this machine would take a file for its own, and do as it says."""
    return not _KEPT.isdisjoint(path.split("/"))


def declared(section: object) -> tuple[str, ...]:
    """Return the paths of `inputs` or `outputs` as a server tells them, which may tell anything."""
    kinds = [section.get(kind) for kind in ("files", "directories")] if isinstance(section, dict) else []
    listed = chain.from_iterable(kind for kind in kinds if isinstance(kind, list))
    return tuple(path for path in listed if isinstance(path, str))
