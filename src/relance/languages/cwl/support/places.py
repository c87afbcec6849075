"""Paths of a compiled workflow. They begin with a sign for its folder, so that no job tells where that is."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path

from relance.languages.model import PlanError

ROOT = "/@work@"
"""Stands for the compiled workflow's folder until a job runs."""
TEMPORARY = "/@tmp@"
"""Stands for a job's own folder of temporary files."""


@dataclass(frozen=True)
class Places:
    """The folder that paths with the sign lie in."""

    folder: Path

    def real(self, path: str) -> Path:
        """Return where a path leads that has the sign or is absolute.

        Raises:
            PlanError: it leads out of the folder, or is neither.
        """
        if not path.startswith("/") or ".." in path.split("/"):
            raise PlanError(f"the file {path!r} isn't in the compiled workflow's folder")
        return self.folder / path.removeprefix(f"{ROOT}/")

    def matches(self, folder: str, pattern: str) -> list[str]:
        """Return the paths in a folder that a pattern matches, sorted.

        Raises:
            PlanError: the pattern leads out of the folder.
        """
        if pattern.startswith("/") or ".." in pattern.split("/"):
            raise PlanError(f"the pattern {pattern!r} leads out of the job's folder")
        base = self.real(folder)
        if pattern in {"", "."}:
            return [folder]
        found = glob.glob(pattern, root_dir=base)  # noqa: PTH207 - Path.glob takes hidden files too
        return [f"{folder}/{os.path.normpath(name)}" for name in sorted(found)]
