"""A work folder: a capsule's sources, inputs and images made ready to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from relance.capsule.model import Capsule
from relance.engines.sandbox import Mount
from relance.model import ImageRef
from relance.store.store import Store


@dataclass(frozen=True)
class Work:
    """A folder in which a capsule runs.

    Only `analysis` can be written to by what the capsule brings; all else of the folder is relance's own.
    """

    folder: Path
    store: Store
    capsule: Capsule
    images: tuple[ImageRef, ...]
    """The captured images, with what rules write for each, and their runtime images."""
    outside: tuple[Mount, ...] = ()
    """Raw inputs that lay outside the analysis, read-only at the paths that rules write."""

    @property
    def analysis(self) -> Path:
        """The sources and inputs as they were captured; the run's products come here too."""
        return self.folder / "analysis"

    @property
    def runs(self) -> Path:
        """Folder of the runs' own folders, out of reach of what runs."""
        return self.folder / "runs"


def prepare(store: Store, capsule: Capsule, folder: Path, say: Callable[[str], None]) -> Work:
    """Check sources and inputs of a capsule out into a new or empty folder and make its images ready.

    Runtime images are made from the images' layers, each verified, and kept in the store.

    Raises:
        InputError: the folder isn't empty, or something of the capsule is missing, damaged or hostile.
        MissingPartError: a program that makes runtime images is missing.
    """
    raise NotImplementedError
