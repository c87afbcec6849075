"""Which files a workflow that has run hands out, under which names, and what it says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from relance.languages.cwl.support import values
from relance.languages.cwl.support.places import ROOT
from relance.languages.model import Json

FOLDER = "outputs"
_MARK = ".snakemake_timestamp"


@dataclass
class Collected:
    """Gives files names in one folder; the same one once, and others of the same name names of their own."""

    copies: dict[str, str] = field(default_factory=dict)
    """The names in the folder, by the paths of what is copied."""
    folders: list[str] = field(default_factory=list)
    """Paths of those that are folders."""

    def told(self, value: Json) -> Json:
        """Return a value that names files where they are copied to."""
        if isinstance(value, list):
            return [self.told(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        if not values.is_entry(value):
            return {key: self.told(item) for key, item in value.items()}
        name = self._name(value["path"], value["basename"])
        if value["class"] == "Directory":
            self.folders.append(value["path"])
        found = {"class": value["class"], "basename": value["basename"], "location": f"{FOLDER}/{name}"}
        if value.get("secondaryFiles"):
            found["secondaryFiles"] = self.told(value["secondaryFiles"])
        return found

    def commands(self) -> str:
        """Return what copies the files, for a shell in the compiled workflow's folder."""
        lines = [
            f"cp -RL {values.quoted(path.removeprefix(f'{ROOT}/'))} {values.quoted(f'{FOLDER}/{name}')}"
            for path, name in self.copies.items()
        ]
        # Snakemake's mark of its own, in a job's folder that is an output as a whole.
        marks = [values.quoted(f"{FOLDER}/{self.copies[path]}/{_MARK}") for path in self.folders]
        return "\n".join([*lines, *(f"rm -f {mark}" for mark in marks)]) or "true"

    def _name(self, path: str, basename: str) -> str:
        if path not in self.copies:
            name, number = basename, 1
            whole = PurePosixPath(basename)
            while name in self.copies.values():
                number += 1
                name = f"{whole.stem}_{number}{whole.suffix}"
            self.copies[path] = name
        return self.copies[path]
