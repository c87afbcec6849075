"""A reana.yaml as it is written, read without refusing what is wrong in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from relance.checks.finding import Place
from relance.document import Document
from relance.languages import yamlfile

_NOT_SENT = frozenset((".git", ".snakemake", ".relance", "__pycache__"))
_MOST_FILES = 20_000
SENT = (("inputs", "files"), ("inputs", "directories"), ("workflow", "files"), ("workflow", "directories"))
"""The lists that name what is sent."""


@dataclass(frozen=True)
class Listed:
    """A path in one of the lists of a reana.yaml."""

    keys: tuple[str, str]
    """Which list: such as inputs, files."""
    path: str
    """As it is written."""
    place: Place

    @property
    def plain(self) -> str:
        """The path without what says nothing."""
        return os.path.normpath(self.path) if self.path else ""

    @property
    def folder(self) -> bool:
        """Whether it is to be a folder."""
        return self.keys[1] == "directories"


@dataclass(frozen=True)
class SerialStep:
    """A step of a serial workflow."""

    name: str
    image: str
    commands: tuple[tuple[str, Place], ...]
    place: Place
    image_place: Place
    content: Mapping[str, Any]
    place_of: Mapping[str, Place]
    """Where each of its keys stands."""


@dataclass(frozen=True)
class ReanaFile:
    """A reana.yaml; paths in it are relative to its folder, which is what is checked."""

    root: Path
    file: str
    document: Document

    @property
    def content(self) -> Mapping[str, Any]:
        """The mapping that it is; empty if it is none."""
        return self.document.value if isinstance(self.document.value, dict) else {}

    def part(self, *keys: str) -> Any:
        """Return what stands under keys; None if nothing does."""
        level: Any = self.content
        for key in keys:
            level = level.get(key) if isinstance(level, dict) else None
        return level

    def mapping(self, *keys: str) -> Mapping[str, Any]:
        """Return the mapping under keys; empty if there is none."""
        found = self.part(*keys)
        return found if isinstance(found, dict) else {}

    def place(self, *keys: str | int) -> Place:
        """Return where something stands, else what is around it."""
        return Place(self.file, line(self.document, *keys))

    @property
    def language(self) -> str:
        """What the workflow is written in; empty if it doesn't say."""
        return str(self.part("workflow", "type") or "")

    @property
    def workflow(self) -> str | None:
        """The workflow's file, if it has one; without the part of CWL that is meant."""
        named = self.part("workflow", "file")
        return named.partition("#")[0] if isinstance(named, str) else None

    def listed(self, *keys: str) -> Iterator[Listed]:
        """Give the paths of a list."""
        found = self.part(*keys)
        for index, path in enumerate(found if isinstance(found, list) else ()):
            if isinstance(path, str):
                yield Listed((keys[0], keys[1]), path, self.place(*keys, index))

    @cached_property
    def sent(self) -> frozenset[str]:
        """Every file and folder that is in the workspace when the workflow begins."""
        found: set[str] = set()
        for keys in SENT:
            for listed in self.listed(*keys):
                found |= _with_parents(listed.plain)
                if listed.folder:
                    found.update(_below(self.root, listed.plain))
        for named in (self.workflow, self.part("inputs", "parameters", "input")):
            if isinstance(named, str):
                found |= _with_parents(os.path.normpath(named))
        return frozenset(found)

    @cached_property
    def steps(self) -> tuple[SerialStep, ...]:
        """The steps of a serial workflow that is written in it."""
        if self.language != "serial":
            return ()
        return steps(self.document, self.file, "workflow", "specification")


def read(root: Path, file: str) -> ReanaFile:
    """Read a reana.yaml of the folder that is checked.

    Raises:
        InputError: it isn't YAML.
    """
    return ReanaFile(root, file, yamlfile.read(root / file, Path(file)))


def steps(document: Document, file: str, *keys: str) -> tuple[SerialStep, ...]:
    """Return the steps of a serial workflow that stands in a document under keys."""
    level: Any = document.value
    for key in (*keys, "steps"):
        level = level.get(key) if isinstance(level, dict) else None
    if not isinstance(level, list):
        return ()

    def place(*further: str | int) -> Place:
        return Place(file, line(document, *keys, "steps", *further))

    found = []
    for index, step in enumerate(level):
        if not isinstance(step, dict):
            continue
        commands = step.get("commands")
        found.append(
            SerialStep(
                name=str(step.get("name", index)),
                image=str(step.get("environment") or ""),
                commands=tuple(
                    (command, place(index, "commands", number))
                    for number, command in enumerate(commands if isinstance(commands, list) else ())
                    if isinstance(command, str)
                ),
                place=place(index),
                image_place=place(index, "environment"),
                content=step,
                place_of={str(key): place(index, str(key)) for key in step},
            )
        )
    return tuple(found)


def line(document: Document, *keys: str | int) -> int:
    """Return the line where something of a document stands, else that of what is around it."""
    while keys and keys not in document.lines:
        keys = keys[:-1]
    return document.lines.get(keys, 1)


def _with_parents(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}


def _below(root: Path, folder: str) -> Iterator[str]:
    if folder.startswith(("/", "..")):
        return
    count = 0
    for place, folders, files in os.walk(root / folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_SENT)
        here = Path(place).relative_to(root)
        for name in (*folders, *files):
            yield (here / name).as_posix()
            count += 1
        if count > _MOST_FILES:
            return
