"""Workflows of the Common Workflow Language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from relance.conversion.model import Converted, Copied
from relance.drafting.converted import GivenValue, Known, Need, Product
from relance.languages.cwl import compiling
from relance.languages.cwl import whole as one_rule
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
        values=tuple(_values(made.parameters, made.copies)),
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


def whole(toplevel: Path, file: str, given: Iterable[Parameters], name: str) -> Converted:
    """Return the analysis of one step, in which cwltool runs a workflow; arguments as of `converted`.

    Raises:
        InputError: something of it can't be read, or isn't there.
        MissingPartError: the library that reads the language isn't installed.
    """
    made = one_rule.whole(toplevel, file, given)
    known = Known(
        name=name,
        written_in=file,
        values=tuple(_values(made.parameters, made.copies)),
        products=(Product("outputs", "outputs.json"), Product("files", "outputs", folder=True)),
        needs=(Need("other", "cwltool and the images that it fetches", (one_rule.RULE,)),),
        bare=(one_rule.RULE,),
        sources=("Snakefile", "config.yaml", f"{one_rule.PLACE}/**"),
    )
    copies = tuple(Copied(source, place) for place, source in made.copies.items())
    note = (
        f"{file}: cwltool runs it as one: its steps are neither recorded nor reused, its images not captured"
    )
    return Converted(file, made.texts, known, copies, notes=(note,))


def _values(parameters: Mapping[str, Json], copies: Mapping[str, Path]) -> Iterator[GivenValue]:
    for name, value in parameters.items():
        if isinstance(value, dict) and value.get("class") == "File":
            path = value["path"]
            yield GivenValue(name, f"parameters.{name}.path", path, copies.get(path))
        else:
            yield GivenValue(name, f"parameters.{name}", value)
