"""Paths of a compiled workflow. They begin with a sign for its folder, so that no job tells where that is."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from relance.languages.model import Json, PlanError

ROOT = "/@work@"
"""Stands for the compiled workflow's folder until a job runs."""
WORK = f"{ROOT}/workdir"
"""Has the folder of every job."""
SWAPPED = "recast/inputs/"
"""Where `relance recast` puts a file that is given in place of another, relative to the workflow's folder."""


class View(Protocol):
    """What is known of files, by paths with the sign."""

    def exists(self, path: str) -> bool:
        """Return whether there is a file or folder."""
        ...

    def matches(self, pattern: str) -> list[str]:
        """Return the files and folders that a pattern matches, sorted."""
        ...

    def text(self, path: str) -> str:
        """Return a file's text."""
        ...


@dataclass(frozen=True)
class Places:
    """The folder that paths with the sign lie in."""

    folder: Path

    def exists(self, path: str) -> bool:
        """Return whether there is a file or folder."""
        return Path(self._real(path)).exists()

    def matches(self, pattern: str) -> list[str]:
        """Return the files and folders that a pattern matches, sorted; hidden ones aren't matched.

        As in yadage `folder/**` has what is in a folder, and not the folder.
        """
        real = self._real(pattern)
        found = glob.glob(real, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute one
        if real.endswith("/**"):
            found = [path for path in found if not path.endswith("/")]
        return sorted(map(self.signed, found))

    def text(self, path: str) -> str:
        """Return a file's text.

        Raises:
            PlanError: it can't be read.
        """
        try:
            return Path(self._real(path)).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError(f"{path} can't be read: {error}") from error

    def is_swapped(self, value: Json) -> bool:
        """Return whether a parameter's value is a file that was given for a recast."""
        return isinstance(value, str) and value.startswith(SWAPPED) and self.exists(f"{ROOT}/{value}")

    def signed(self, path: str) -> str:
        """Return a path with the sign in place of the folder."""
        real = os.path.realpath(self.folder)
        for folder in {str(self.folder), real}:
            if path == folder or path.startswith(f"{folder}/"):
                return ROOT + path.removeprefix(folder)
        return path

    def _real(self, path: str) -> str:
        if path == ROOT or path.startswith(f"{ROOT}/"):
            return str(self.folder) + path.removeprefix(ROOT)
        return path
