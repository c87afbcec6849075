"""Workflows of yadage, alone or in a recast.yml of recast-atlas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from relance.conversion import telling
from relance.conversion.model import Converted, Copied, Unpacked
from relance.drafting.converted import GivenValue, Known, Product, input_names, parameter_names
from relance.drafting.words import slug
from relance.errors import InputError
from relance.languages import recast_atlas, snakefile, yadage
from relance.languages.model import Json
from relance.languages.recast_atlas import Entry, Example

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


@dataclass(frozen=True)
class Exemplified:
    """The workflow of a recast.yml with what an example of it gives it."""

    source: Source
    archive: Unpacked | None = None
    """Has the given files."""
    elsewhere: str | None = None
    """Address of an archive with them, which isn't fetched."""


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


def recast(
    entry: Entry,
    folder: Path,
    given: Mapping[str, Json],
    *,
    chosen: str | None = None,
    files: Path | None = None,
    toplevel: Path | None = None,
) -> Converted:
    """Return the analysis that a recast.yml becomes.

    Args:
        entry: as it was read.
        folder: where it lies.
        given: parameters that replace those of the example.
        chosen: the example to take; None: the first.
        files: folder of given files in place of the example's.
        toplevel: where references start from, in place of what the entry says.

    Raises:
        InputError: something of it can't be read, or there is no such example.
    """
    name = chosen or next(iter(entry.examples), None)
    own = example(entry, folder, given, chosen=name, files=files, toplevel=toplevel)
    made = converted(own.source)
    notes = [*made.notes, *entry.ignored]
    if own.elsewhere:
        notes.append(f"the example's files are at {own.elsewhere}; put them in DIR/{INIT}")
    values = made.known.values
    others = {other: one for other, one in entry.examples.items() if other != name}
    cases = {f"cases/{slug(other)}.yaml": _case(one, values) for other, one in others.items()}
    known = replace(
        made.known,
        title=entry.title,
        author=entry.author,
        products=tuple(Product(one.name, f"workdir/{one.path}") for one in entry.results)
        or made.known.products,
        cases=tuple(others),
        tests=tuple(f"{test.name}: {test.step}" for test in entry.tests),
    )
    return replace(
        made,
        known=known,
        archives=() if own.archive is None else (own.archive,),
        notes=tuple(notes),
        cases=cases,
        copies=(*made.copies, *_case_files(others, values, folder)),
    )


def example(
    entry: Entry,
    folder: Path,
    given: Mapping[str, Json],
    *,
    chosen: str | None,
    files: Path | None = None,
    toplevel: Path | None = None,
) -> Exemplified:
    """Return the workflow of a recast.yml with what an example gives it; arguments as of `recast`.

    Raises:
        InputError: there is no such example, or its files aren't where it says.
    """
    one = recast_atlas.example(entry, chosen) if chosen else Example({})
    place = files
    if place is None and one.inputs and not one.archive:  # beside an archive it only names where to
        place = inside(folder, one.inputs)
    source = Source(
        toplevel or entry.toplevel, entry.workflow, {**one.parameters, **given}, slug(entry.name), place
    )
    if not one.archive or files is not None:
        return Exemplified(source)
    archive = _local(folder, one.archive)
    if archive is None:
        return Exemplified(source, elsewhere=one.archive)
    return Exemplified(source, Unpacked(archive, INIT, one.match))


def is_below(path: str) -> bool:
    """Return whether a path is relative and leads nowhere but down."""
    return not path.startswith("/") and ".." not in path.split("/") and "\0" not in path


def inside(folder: Path, name: str) -> Path:
    """Return a folder that an entry names.

    Raises:
        InputError: it lies elsewhere, or a link in it leads elsewhere.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_dir():
        raise InputError(
            f"the example's initdir '{name}' can't be used",
            expected=f"a folder in {folder}",
            found="none",
            next_step="name the folder with --initdir",
        )
    for link in path.rglob("*"):
        if link.is_symlink() and not link.resolve().is_relative_to(folder.resolve()):
            raise InputError(
                f"the example's initdir '{name}' can't be used",
                expected="files beside the recast.yml",
                found=f"the link {link.relative_to(folder)} to {link.readlink()}",
                next_step="name the folder with --initdir if that is right",
            )
    return path


def _local(folder: Path, name: str) -> Path | None:
    """Return an archive beside the entry; None if the name is an address."""
    if "://" in name:
        return None
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise InputError(
            f"the example's inputarchive '{name}' can't be used",
            expected=f"a ZIP archive in {folder}",
            found="none",
            next_step="put it there, or unpack it and name the folder with --initdir",
        )
    return path


def _case(example: Example, values: tuple[GivenValue, ...]) -> str:
    """Return an example as a file of changes."""
    settable, swappable = parameter_names(values), input_names(values)
    said = example.parameters
    content: dict[str, Json] = {"format": "recast", "version": 1}
    content["parameters"] = {settable[name]: value for name, value in said.items() if name in settable}
    content["inputs"] = {swappable[name]: str(value) for name, value in said.items() if name in swappable}
    return str(yaml.safe_dump({key: one for key, one in content.items() if one != {}}, sort_keys=False))


def _case_files(
    examples: Mapping[str, Example], values: tuple[GivenValue, ...], folder: Path
) -> tuple[Copied, ...]:
    """Return the files that other examples name in place of those of the chosen one."""
    found: dict[str, Copied] = {}
    for example in examples.values():
        place = inside(folder, example.inputs) if example.inputs and not example.archive else None
        for name in input_names(values):
            value = example.parameters.get(name)
            if place is None or not isinstance(value, str) or not is_below(value):
                continue
            path = place / value
            if path.resolve().is_relative_to(place.resolve()) and path.is_file():
                found.setdefault(value, Copied(path, f"cases/{value}"))
    return tuple(found.values())
