"""What of this machine a Python program of relance's own environment needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from relance.engines import roots
from relance.engines.mounts import Mount
from relance.errors import MissingPartError

SEARCH_PATH = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
"""PATH in a sandbox."""

_PACKAGES = ("relance", "snakemake", "snakemake_logger_plugin_relance", "snakemake_report_plugin_relance")
_SETTINGS = (Path("/etc/ld.so.cache"), Path("/etc/alternatives"))


def mounts(home: Path) -> tuple[Mount, ...]:
    """Return what a Python program of relance's environment needs of this machine, read-only.

    Raises:
        MissingPartError: a folder of it holds the user's home folder.
    """
    folders = [*roots.top_folders(), *map(Path, (sys.prefix, sys.base_prefix)), *_SETTINGS]
    folders += [path.resolve() for path in map(Path, (sys.prefix, sys.base_prefix))]
    folders += _links(Path(sys.executable))
    for name in _PACKAGES:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            package = Path(spec.origin).parent
            folders.append(package if "relance" in name else package.parent)
    chosen: list[Path] = []
    for folder in folders:
        if folder.exists() and not any(folder.is_relative_to(other) for other in chosen):
            chosen.append(folder)
    for folder in chosen:
        if home.is_relative_to(folder):
            raise MissingPartError(
                "there is no sandbox for what isn't trusted",
                expected="Python and relance in folders that hold nothing of yours",
                found=f"{folder}, which holds your home folder",
                next_step="install relance into a virtual environment (python -m venv), or give --trust",
            )
    return tuple(Mount(folder, folder) for folder in sorted(chosen))


def _links(program: Path) -> Iterator[Path]:
    """Yield the links on the way to a program, and the program."""
    for _ in range(40):
        yield program
        if not program.is_symlink():
            return
        program = program.parent / program.readlink()
