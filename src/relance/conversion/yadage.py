"""Workflows of yadage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from relance.conversion import telling
from relance.conversion.model import Converted, Copied
from relance.drafting.converted import (
    Known,
)
from relance.languages import snakefile
from relance.languages.model import Json
from relance.languages.yadage import workflows as yadage

INIT = "init"
"""Folder of given files."""


@dataclass(frozen=True)
class Source:
    """A workflow of yadage and what it is run with."""

    toplevel: Path
    file: str
    parameters: dict[str, Json]
    name: str
    """What the analysis is called."""
    files: Path | None = None
    """Folder of given files."""


def converted(source: Source) -> Converted:
    """Return the analysis that a workflow becomes.

    Raises:
        InputError: something of it can't be read; file and line are told.
    """
    reading = yadage.read(source.toplevel, source.file)
    compiled = snakefile.compiled(reading.workflow, source.file, source.parameters)
    images, bare = telling.images(reading.workflow)
    known = Known(
        name=source.name,
        written_in=source.file,
        values=telling.values(source.parameters, source.files),
        products=telling.products(reading.workflow),
        needs=telling.needs(reading.workflow, source.parameters),
        images=images,
        bare=bare,
        sources=telling.SOURCES,
        kept=telling.kept(reading.workflow),
        between=telling.between(reading.workflow),
    )
    return Converted(
        source=source.file,
        texts=compiled.files,
        known=known,
        copies=(Copied(source.files, INIT),) if source.files is not None else (),
        notes=tuple(f"{note.where}: {note.text}" for note in reading.notes),
    )
