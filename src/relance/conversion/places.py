"""Paths that a specification names: only what lies beside it is taken."""

from __future__ import annotations

from pathlib import Path

from relance.errors import InputError


def is_below(path: str) -> bool:
    """Return whether a path is relative and leads nowhere but down."""
    return not path.startswith("/") and ".." not in path.split("/") and "\0" not in path


def inside(folder: Path, name: str, what: str = "example's initdir") -> Path:
    """Return a folder that an entry names; `what` it is, for messages.

    Raises:
        InputError: it lies elsewhere, or a link in it leads elsewhere.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_dir():
        raise InputError(
            f"the {what} '{name}' can't be used",
            expected=f"a folder in {folder}",
            found="none",
            next_step="name the folder with --initdir" if "initdir" in what else "correct the path",
        )
    for link in path.rglob("*"):
        if link.is_symlink() and not link.resolve().is_relative_to(folder.resolve()):
            raise InputError(
                f"the {what} '{name}' can't be used",
                expected="files beside the recast.yml",
                found=f"the link {link.relative_to(folder)} to {link.readlink()}",
                next_step="name the folder with --initdir if that is right",
            )
    return path
