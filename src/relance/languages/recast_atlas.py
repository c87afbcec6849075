"""Reads the catalogue entries of recast-atlas: `recast.yml`, with its cases, tests and results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relance.errors import InputError
from relance.languages.model import Json
from relance.languages.references import Part, Sources

_OPTIONS = ("initdir", "inputarchive", "archivematch", "read", "nest", "ensure", "overwrite", "pathbase")


@dataclass(frozen=True)
class Example:
    """Parameters that the entry brings."""

    parameters: Mapping[str, Json]
    inputs: str | None = None
    """Folder of the files that go with them, relative to the entry."""
    archive: str | None = None
    """A ZIP archive with those files: its path relative to the entry, or its address, which isn't fetched."""
    match: str | None = None
    """Pattern of the folder in the archive whose files count; None: all."""


@dataclass(frozen=True)
class Test:
    """One step of the workflow with parameters that it should work with; no values are known for it."""

    name: str
    step: str
    """A reference, such as `steps.yml#/prepare`, relative to the toplevel."""
    parameters: Mapping[str, Json]
    folders: tuple[str, ...] = ()
    """Folders that it may read, relative to the entry; a parameter calls them `{readdir0}` and so on."""
    description: str = ""


@dataclass(frozen=True)
class Result:
    """A file that the analysis is run for."""

    name: str
    path: str
    """Relative to the folder of all jobs."""
    structured: bool
    """Whether it is YAML or JSON."""


@dataclass(frozen=True)
class Entry:
    """A catalogue entry."""

    name: str
    title: str
    author: str | None
    toplevel: Path
    workflow: str
    examples: Mapping[str, Example] = field(default_factory=dict)
    tests: tuple[Test, ...] = ()
    results: tuple[Result, ...] = ()
    ignored: tuple[str, ...] = ()
    """Keys that recast-atlas passes over, each with file and line."""


def is_entry(content: Json) -> bool:
    """Return whether a file's content is a catalogue entry rather than a workflow."""
    return isinstance(content, dict) and "spec" in content and "stages" not in content


def refuse_index(path: Path, content: Json) -> None:
    """Refuse a list of catalogue entries, which is none itself.

    Raises:
        InputError: it is one; its entries are told.
    """
    if isinstance(content, dict) and "recast_catalogue_entries" in content:
        entries = content["recast_catalogue_entries"]
        raise InputError(
            f"{path} lists entries of recast-atlas",
            expected="one of them",
            found=", ".join(map(str, entries)) if isinstance(entries, list) and entries else "none",
            next_step="name the entry's own file",
        )


def read(path: Path, toplevel: Path | None = None) -> Entry:
    """Read a catalogue entry; `toplevel` is where its workflow lies if that isn't beside it.

    Raises:
        InputError: it can't be read, or its workflow isn't on this machine; file and line are told.
    """
    root = Sources(path.parent).root(path.name)
    ignored = list(_ignored(root, "name", "metadata", "spec", "example_inputs", "tests", "results", "labels"))
    name = root.need("name", "a catalogue entry").text()
    metadata = root.get("metadata")
    about = metadata.mapping() if metadata and metadata.value else {}
    spec = root.need("spec", "a catalogue entry")
    ignored += _ignored(spec, "workflow", "toplevel")
    given = root.get("example_inputs")
    for _, one in given.items() if given is not None and given.value else ():
        ignored += _ignored(one, "initdata", "dataopts")
    workflow = spec.need("workflow", "spec").text()
    return Entry(
        name=name,
        title=str(about.get("short_description") or name),
        author=str(about["author"]) if about.get("author") else None,
        toplevel=toplevel or _toplevel(path.parent, spec, workflow),
        workflow=workflow,
        examples=dict(_examples(root.get("example_inputs"))),
        tests=tuple(map(_test, _list(root.get("tests")))),
        results=tuple(map(_result, _list(root.get("results")))),
        ignored=tuple(ignored),
    )


def _ignored(part: Part, *known: str) -> Iterator[str]:
    for key in part.mapping():
        if key not in known:
            yield f"{part.where}: {key!r} has no effect, as in recast-atlas"


def _toplevel(folder: Path, spec: Part, workflow: str) -> Path:
    named = spec.get("toplevel")
    if named is not None and named.value is not None:
        text = named.text()
        if ":" in text:
            raise named.refusal(
                "the workflow isn't on this machine",
                found=f"toplevel: {text}",
                expected="a folder on this machine (clone it at a commit, and name it with --toplevel)",
            )
        toplevel = folder / text
        if not toplevel.resolve().is_relative_to(folder.resolve()):
            raise named.refusal("the toplevel lies outside", found=repr(text), expected="a folder below")
        return toplevel
    # Without a toplevel recast-atlas takes `specs` beside the entry.
    return folder / "specs" if (folder / "specs" / workflow).is_file() else folder


def _examples(part: Part | None) -> list[tuple[str, Example]]:
    if part is None or part.value is None:
        return []
    found = []
    for name, one in part.items():
        options = one.get("dataopts")
        if options is not None and options.value:
            options.only("dataopts", *_OPTIONS)
        given = options.plain() if options is not None and options.value else {}
        data = one.need("initdata", "an example")
        found.append(
            (
                name,
                Example(
                    parameters=data.plain() if data.mapping() else {},
                    inputs=given.get("initdir"),
                    archive=given.get("inputarchive"),
                    match=given.get("archivematch"),
                ),
            )
        )
    return found


def _test(part: Part) -> Test:
    parameters, data = part.get("parameters"), part.get("data")
    said = part.mapping().get("description")
    return Test(
        name=part.need("name", "a test").text(),
        step=part.need("spec", "a test").text(),
        parameters=parameters.plain() if parameters and parameters.mapping() else {},
        folders=tuple(one.text() for one in data.each()) if data and data.value else (),
        description=said if isinstance(said, str) else "",
    )


def _result(part: Part) -> Result:
    part.only("a result", "name", "relpath", "load_yaml", "description")
    path = part.need("relpath", "a result")
    if path.text().startswith("/") or ".." in path.text().split("/"):
        raise path.refusal("a result lies outside", found=repr(path.value), expected="a path of a job's file")
    structured = part.get("load_yaml")
    return Result(part.need("name", "a result").text(), path.text(), bool(structured and structured.flag()))


def _list(part: Part | None) -> list[Part]:
    return list(part.each()) if part is not None and part.value is not None else []


def example(entry: Entry, name: str) -> Example:
    """Return an example by name.

    Raises:
        InputError: the entry has none of this name.
    """
    if name not in entry.examples:
        raise InputError(
            f"'{entry.name}' has no example '{name}'",
            expected=f"one of {', '.join(entry.examples) or 'none'}",
            found=repr(name),
            next_step="choose one",
        )
    return entry.examples[name]
