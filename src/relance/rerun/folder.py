"""A work folder: a capsule's sources and inputs made ready to run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from relance.capsule.checkout import OUTSIDE, Fetch, checkout
from relance.capsule.model import Capsule, CapsuleFile, Role
from relance.engines.mounts import Mount
from relance.errors import InputError
from relance.store.store import Store

_FORBIDDEN = (
    "bin",
    "boot",
    "dev",
    "etc",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "proc",
    "run",
    "sbin",
    "sys",
    "usr",
)


@dataclass(frozen=True)
class Work:
    """A folder in which a capsule runs.

    Only `analysis` can be written to by what the capsule brings; all else of the folder is relance's own.
    """

    folder: Path
    store: Store
    capsule: Capsule
    outside: tuple[Mount, ...] = ()
    """Raw inputs that lay outside the analysis, read-only at the paths that rules write."""
    missing: tuple[CapsuleFile, ...] = ()
    """Inputs that the capsule knows but doesn't hold, and that were not fetched: who reads them will fail."""

    @property
    def analysis(self) -> Path:
        """The sources and inputs as they were captured; the run's products come here too."""
        return self.folder / "analysis"

    @property
    def runs(self) -> Path:
        """Folder of the runs' own folders, out of reach of what runs."""
        return self.folder / "runs"

    @property
    def digests(self) -> Path:
        """File that remembers digests of the analysis's files, out of reach of what runs."""
        return self.folder / "digests.json"

    def lies(self, path: str) -> Path | None:
        """Return where a path, as rules write it, lies on this machine; None if no run could see it there.

        What it returns is in this work folder also by where its links lead: no other file is to be read
        because a run named it.
        """
        place = self.analysis / path
        for mount in self.outside:
            if Path(path).is_relative_to(mount.target):
                place = mount.source / Path(path).relative_to(mount.target)
        whole, root = os.path.realpath(place), os.path.realpath(self.folder)
        return place if whole.startswith(f"{root}/") else None


def prepare(
    store: Store,
    capsule: Capsule,
    folder: Path,
    say: Callable[[str], None] = lambda _: None,
    *,
    fetch: Fetch | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Work:
    """Check sources and inputs of a capsule out into a new or empty folder.

    Args:
        store: holds the capsule.
        capsule: what is to run.
        folder: gets the folder `analysis`, and `runs` later.
        say: hears of inputs that the capsule doesn't hold.
        fetch: brings those that are kept by reference; see `capsule.checkout`.
        told: hears the bytes as they are written, from several threads.

    Raises:
        InputError: the folder isn't empty, or something of the capsule is missing, damaged or hostile.
    """
    folder = folder.resolve()  # what runs there is told where it is, without ..
    _require_place(folder)
    absolute = [file.path for file in capsule.files if file.path.startswith("/")]
    for path in absolute:
        _require_mountable(path, folder)
    made = checkout(
        store.layout,
        capsule,
        folder / "analysis",
        roles=(Role.SOURCE, Role.INPUT),
        say=say,
        told=told,
        fetch=fetch,
        papers=False,
    )
    outside: tuple[Mount, ...] = ()
    if absolute:
        (made.folder / OUTSIDE).rename(folder / "outside")
        outside = tuple(_mounts(absolute, folder / "outside", folder))
    (folder / "runs").mkdir()
    return Work(folder, store, capsule, outside, made.missing)


def _require_place(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"{folder} can't take a capsule to run",
            expected="a new or empty folder",
            found="other files in it" if folder.is_dir() else "a file",
            next_step="name another folder",
        )


def _require_mountable(path: str, folder: Path) -> None:
    """Raise an InputError if an input's path can't be shown to a container without hiding what it needs."""
    parts = Path(path).parts
    harmless = len(parts) > 2 and parts[1] not in _FORBIDDEN and not Path(path).is_relative_to(folder)
    if not harmless or any(character in path for character in ":,") or folder.is_relative_to(path):
        raise InputError(
            f"input {path} of the capsule can't be put where rules expect it",
            expected="a path below another folder than the system's, without colon and comma",
            found=repr(path),
            next_step="capture the analysis with this input inside of its folder",
        )


def _mounts(paths: Iterable[str], place: Path, folder: Path) -> Iterable[Mount]:
    """Show each folder that holds an input as a whole, but files alone where a folder would hide the work."""
    done: list[Path] = []
    for path in sorted(map(Path, paths)):
        if any(path.is_relative_to(known) for known in done):
            continue
        hides = folder.is_relative_to(path.parent) or len(path.parts) < 4 or path.parts[1] in {"tmp", "home"}
        target = path if hides else path.parent
        done.append(target)
        source = place / target.relative_to("/")
        if source.exists():
            yield Mount(source, target)
