"""Workflows of the Common Workflow Language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from relance.conversion.model import Converted, Copied
from relance.drafting.converted import GivenValue, Known, Product
from relance.languages.cwl import compiling
from relance.languages.cwl.compiling import Compiled
from relance.languages.cwl.parameters import Parameters
from relance.languages.model import Json

SOURCES = ("Snakefile", "config.yaml", "workflow.json", "support/**")
"""Patterns of the files that come with a compiled workflow."""


def converted(toplevel: Path, file: str, given: Iterable[Parameters], name: str) -> Converted:
    """Return the analysis that a workflow becomes.

    Args:
        toplevel: Folder that holds all that is read.
        file: Name of the specification, relative to it.
        given: Parameters; the later ones count.
        name: What the analysis is called.

    Raises:
        InputError: something of it can't be read or compiled; file and line are told.
        MissingPartError: the library that reads the language isn't installed.
    """
    made = compiling.compiled(toplevel, file, given)
    images: dict[str, tuple[str, ...]] = {}
    for rule, image in made.images.items():
        if image is not None:
            images[image] = (*images.get(image, ()), rule)
    known = Known(
        name=name,
        written_in=file,
        values=tuple(_values(made.parameters, made)),
        products=(Product("outputs", "outputs.json"), Product("files", "outputs", folder=True)),
        images=images,
        bare=tuple(rule for rule, image in made.images.items() if image is None),
        sources=SOURCES,
    )
    return Converted(
        source=file,
        texts=made.texts,
        known=known,
        copies=tuple(Copied(source, place) for place, source in made.copies.items()),
        notes=tuple(f"{where}: {text}" for where, text in made.notes),
    )


def _values(parameters: Mapping[str, Json], made: Compiled) -> Iterator[GivenValue]:
    for name, value in parameters.items():
        if isinstance(value, dict) and value.get("class") == "File":
            path = value["path"]
            yield GivenValue(name, f"parameters.{name}.path", path, made.copies.get(path))
        else:
            yield GivenValue(name, f"parameters.{name}", value)
