"""Files and folders of the machine that containers are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relance.engines import roots
from relance.errors import InputError


@dataclass(frozen=True)
class Mount:
    """A file or folder of the machine that a container is shown, read-only unless `writable`."""

    source: Path
    target: Path
    writable: bool = False


def check(paths: Sequence[Path]) -> None:
    """Raise an InputError if a path can't be told to every engine: their options have separators."""
    for path in paths:
        if any(character in str(path) for character in ':,\t\n"\\'):
            raise InputError(
                "what the capsule needs can't be mounted into a container",
                expected="paths without colon, comma, quote, backslash, tab or line break",
                found=repr(str(path)),
                next_step="choose another work folder, or give --trust",
            )


def make_points(scratch: Path, mounts: Sequence[Mount]) -> None:
    """Make what a container's mounts are laid over, where that lies in `scratch`: `home`, `tmp` or `root`.

    What rootless Podman makes itself, as another user of the container, nobody here could remove.
    """
    for mount in mounts:
        if any(mount.target != one.target and mount.target.is_relative_to(one.target) for one in mounts):
            continue
        place = _place(scratch, mount.target)
        if not place.is_relative_to(scratch / "root") or (scratch / "root").exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            if mount.source.is_dir():
                place.mkdir(exist_ok=True)
            else:
                place.touch()


def _place(scratch: Path, target: Path) -> Path:
    """Return where a path of the container lies on this machine, under nothing that is mounted."""
    for name, inside in (("home", roots.HOME), ("tmp", roots.TEMPORARY)):
        if target.is_relative_to(inside):
            return scratch / name / target.relative_to(inside)
    return scratch / "root" / target.relative_to("/")
