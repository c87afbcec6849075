"""Entries of recast-atlas: a recast.yml with its examples, tests and results."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from relance.conversion import telling
from relance.conversion.entry_tests import place, tested
from relance.conversion.model import Converted, Copied, Unpacked
from relance.conversion.places import inside, is_below
from relance.conversion.yadage import INIT, Source, converted
from relance.drafting.converted import (
    GivenValue,
    KnownCase,
    KnownTest,
    Product,
    input_names,
    parameter_names,
)
from relance.drafting.words import slug
from relance.errors import InputError
from relance.languages import recast_atlas
from relance.languages.model import Json
from relance.languages.recast_atlas import Entry, Example

_CASES = ("cases/**",)
_TESTS = tuple(f"tests/*/{one}" for one in (*telling.SOURCES, f"{INIT}/**", "specs/**"))


@dataclass(frozen=True)
class Exemplified:
    """The workflow of a recast.yml with what an example of it gives it."""

    source: Source
    archive: Unpacked | None = None
    """Has the given files."""
    elsewhere: str | None = None
    """Address of an archive with them, which isn't fetched."""


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
    values, unfit = made.known.values, list[str]()
    others = {other: one for other, one in entry.examples.items() if other != name}
    files_of_cases = _case_files(others, values, folder)
    cases = tuple(_case(other, one, values) for other, one in others.items())
    there = {copied.place for copied in files_of_cases}
    for case in cases:
        if why := _unfit(others[case.name], case, values, there):
            notes.append(f"the example '{case.name}' is no validation case: {why}")
            unfit.append(case.name)
    tests, said = tested(entry, folder, own.source.toplevel)
    known = replace(
        made.known,
        title=entry.title,
        author=entry.author,
        products=tuple(Product(one.name, f"workdir/{one.path}") for one in entry.results)
        or made.known.products,
        cases=tuple(case for case in cases if case.name not in unfit),
        tests=tuple(
            KnownTest(test.name, f"{test.description} ({test.step})".strip(), folder_of_it)
            for test in entry.tests
            for folder_of_it in [place(test)]
            if folder_of_it in tests
        ),
        sources=(*made.known.sources, *_CASES[: 1 if cases else 0], *(_TESTS if tests else ())),
    )
    return replace(
        made,
        known=known,
        archives=() if own.archive is None else (own.archive,),
        notes=(*notes, *said),
        cases={f"cases/{slug(one.name)}.yaml": _changes(one) for one in cases},
        copies=(*made.copies, *files_of_cases),
        tests=tests,
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


def _case(name: str, example: Example, values: tuple[GivenValue, ...]) -> KnownCase:
    settable, swappable = parameter_names(values), input_names(values)
    said = example.parameters
    return KnownCase(
        name,
        {settable[one]: value for one, value in said.items() if one in settable and _is_single(value)},
        {swappable[one]: f"cases/{value}" for one, value in said.items() if one in swappable},
    )


def _unfit(
    example: Example, case: KnownCase, values: tuple[GivenValue, ...], there: Collection[str]
) -> str | None:
    """Return why an example can't be run by changing what the interface lets one change; None if it can."""
    said = {one.name: one.value for one in values}
    settable, swappable = parameter_names(values), input_names(values)
    for name, value in example.parameters.items():
        if name in swappable:
            if case.inputs[swappable[name]] not in there:
                return f"the file {value!r} of '{name}' isn't beside it"
        elif name not in settable:
            if name not in said or said[name] != value:
                return f"'{name}' isn't a parameter that can be set"
        elif not _alike(said[name], value):
            return f"'{name}' is {value!r}, and {said[name]!r} in the first"
    left_out = [name for name in said if name not in example.parameters]
    return f"it doesn't say {', '.join(left_out)}" if left_out else None


def _alike(one: Json, other: Json) -> bool:
    """Return whether a parameter that has one value may have the other."""
    if isinstance(one, float):
        return isinstance(other, (int, float)) and not isinstance(other, bool)
    return type(one) is type(other)


def _is_single(value: Json) -> bool:
    return isinstance(value, (str, int, float))


def _changes(case: KnownCase) -> str:
    """Return a case as a file of changes, which lies where its files do."""
    content: dict[str, Json] = {"format": "recast", "version": 1}
    content["parameters"] = dict(case.parameters)
    content["inputs"] = {name: path.removeprefix("cases/") for name, path in case.inputs.items()}
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
