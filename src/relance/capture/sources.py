"""Which files of a folder come with the analysis."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from relance.capsule.model import CapsuleLink
from relance.errors import InputError
from relance.specification import patterns

LEFT_OUT = frozenset({".git", ".snakemake", "__pycache__", ".venv", ".envs", ".ipynb_checkpoints"})
"""Names of what programs leave beside an analysis, which no analysis consists of."""
_RECAST = ("recast.json", "work")
"""What lies in the folder of a recast: an analysis of its own, though it may be made in this one."""


@dataclass(frozen=True)
class Listed:
    """What was found, relative to the analysis; each sorted."""

    files: tuple[str, ...]
    links: tuple[CapsuleLink, ...]
    folders: tuple[str, ...]
    """Empty ones."""


def listed(analysis: Path, wanted: Sequence[str], made: Set[str]) -> Listed:
    """Return what of a folder comes with the analysis.

    Args:
        analysis: the folder.
        wanted: patterns of the specification; without any, what git tracks or would track, or where there is
            no git, everything.
        made: paths that jobs made, and the folders among them; they are products, wherever they lie.

    Raises:
        InputError: a symbolic link leads out of the analysis, or something is neither file, folder nor link.
    """
    chosen = patterns.matcher(wanted) if wanted else None
    known = None if chosen else _known_to_git(analysis)
    files, links, folders = [], [], []
    for name, entry in _below(analysis, ""):
        if within(name, made):
            continue
        if chosen is not None and not chosen.fullmatch(name):
            continue
        if entry.is_symlink():
            if known is None or name in known:
                links.append(CapsuleLink(name, _target(analysis, Path(entry.path))))
        elif entry.is_dir():
            if known is None and not any(Path(entry.path).iterdir()):
                folders.append(name)
        elif not entry.is_file():
            raise InputError(
                f"{name} can't be preserved",
                expected="files, folders and symbolic links",
                found="a socket, pipe or device",
                next_step="remove it from the folder",
            )
        elif known is None or name in known:
            files.append(name)
    return Listed(tuple(files), tuple(links), tuple(folders))


def within(path: str, folders: Set[str]) -> bool:
    """Return whether a path is one of these, or lies in one of them."""
    end = len(path)
    while end > 0:
        if path[:end] in folders:
            return True
        end = path.rfind("/", 0, end)
    return "." in folders


def places(path: str) -> Iterator[str]:
    """Yield a relative path and each folder that it lies in, the innermost first."""
    end = len(path)
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)
    yield "."


def _below(folder: Path, name: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield what lies in a folder, each after the folder that it is in, under its path from the first."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name in LEFT_OUT:
            continue
        path = f"{name}{entry.name}"
        yield path, entry
        if entry.is_dir(follow_symlinks=False) and not _is_recast(Path(entry.path)):
            yield from _below(Path(entry.path), f"{path}/")


def _is_recast(folder: Path) -> bool:
    return all((folder / name).exists() for name in _RECAST)


def _known_to_git(analysis: Path) -> frozenset[str] | None:
    command = ["git", "-C", str(analysis), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        return None
    if done.returncode != 0:
        return None
    return frozenset(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)


def _target(analysis: Path, link: Path) -> str:
    target = link.readlink()
    resolved = link.resolve()
    if target.is_absolute() or not resolved.is_relative_to(analysis.resolve()):
        raise InputError(
            f"the link {link.relative_to(analysis)} can't be preserved",
            expected="it to lead to a place in the analysis, by a relative path",
            found=str(target),
            next_step="put the file itself there, or leave the link out with 'workflow.sources'",
        )
    return target.as_posix()
