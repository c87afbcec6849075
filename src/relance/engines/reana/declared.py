"""An analysis as its reana.yaml declares it: what is sent, what comes back, which parameters there are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from relance import document
from relance.document import Document
from relance.engines.reana import paths
from relance.engines.reana.ignoring import ignored
from relance.errors import InputError
from relance.store import images

NAME = "reana.yaml"

_NOT_SENT = frozenset({".git", ".snakemake", ".relance", "__pycache__"})
"""Folders that hold what programs keep for themselves."""

_OF_THIS_MACHINE = frozenset({images.LOCAL.as_posix()})
"""Files of folders that mean nothing to a server: the list names files here, and would be preferred there."""


class Language(StrEnum):
    """What a workflow is written in."""

    SNAKEMAKE = "snakemake"
    SERIAL = "serial"
    YADAGE = "yadage"
    CWL = "cwl"


@dataclass(frozen=True)
class Declared:
    """What a reana.yaml says; files are paths relative to its folder."""

    folder: Path
    content: Mapping[str, Any]
    language: Language
    file: str | None
    """The workflow's; None if it is written in reana.yaml itself."""
    parameters: Mapping[str, Any]
    options: Mapping[str, Any]
    definition: tuple[str, ...]
    """Files that a server needs in order to read the workflow; reana.yaml is one."""
    inputs: tuple[str, ...]
    """Files that go into the workspace."""
    outputs: tuple[str, ...]
    """Files and folders that are fetched."""
    ignored: tuple[str, ...] = ()
    """Files of folders that .gitignore or .reanaignore leave out, or that mean nothing to a server."""
    empty: tuple[str, ...] = ()
    """Folders of which no file is sent: a workspace doesn't have them."""
    instead: Mapping[str, Path] = field(default_factory=dict)
    """Files that are sent in place of those of the folder, by the path that they take."""

    def place(self, path: str) -> Path:
        """Return where a file that is sent lies on this machine."""
        return self.instead.get(path, self.folder / path)


def read(folder: Path) -> Declared:
    """Read the reana.yaml of a folder and look for all that it names.

    Raises:
        InputError: it isn't there or wrong, or names what isn't there, lies elsewhere, or overlaps.
    """
    return _Reader(folder.resolve(), document.read(folder / NAME)).declared()


def serial(declared: Declared) -> Any:
    """Return the steps of a serial workflow, from reana.yaml or the file that it names."""
    if declared.file is not None:
        return document.read(declared.place(declared.file)).value
    return declared.content["workflow"].get("specification")


class _Reader:
    def __init__(self, folder: Path, found: Document) -> None:
        self._folder = folder
        self._document = found
        if not isinstance(found.value, dict):
            raise self._wrong(
                (),
                NAME,
                "a mapping",
                "nothing" if found.value is None else "something else",
                "write 'workflow:' and below it 'type:'",
            )
        self._content: dict[str, Any] = found.value
        self._ignored: set[str] = set()
        self._empty: set[str] = set()

    def declared(self) -> Declared:
        workflow = self._mapping("workflow")
        inputs = self._mapping("inputs")
        parameters = self._mapping("inputs", "parameters")
        outputs = self._mapping("outputs")
        try:
            language = Language(str(workflow.get("type")))
        except ValueError:
            known = ", ".join(Language)
            raise self._wrong(
                ("workflow", "type"),
                "type of the workflow",
                known,
                repr(workflow["type"]) if "type" in workflow else "none",
                "write one",
            ) from None
        file = workflow.get("file")
        if file is not None and not isinstance(file, str):
            raise self._wrong(("workflow", "file"), "file of the workflow", "a path", repr(file), "write it")
        if file is None and "specification" not in workflow:
            raise self._wrong(
                ("workflow",), "the workflow", "'file' or 'specification'", "neither", "add 'file: …'"
            )
        uploaded = self._files(("inputs", "files"), inputs) + self._files(("inputs", "directories"), inputs)
        seen: set[str] = set()
        for path in uploaded:
            if path in seen:
                raise self._wrong(
                    ("inputs",), f"input {path}", "each file once", "it in two places", "remove one"
                )
            seen.add(path)
        definition = self._definition(workflow, file, language, uploaded, parameters)
        return Declared(
            folder=self._folder,
            content=self._content,
            language=language,
            file=file,
            parameters=parameters,
            options=self._mapping("inputs", "options"),
            definition=definition,
            ignored=tuple(sorted(self._ignored)),
            empty=tuple(sorted(self._empty)),
            inputs=tuple(sorted(seen)),
            outputs=tuple(
                path for kind in ("files", "directories") for path in self._paths(("outputs", kind), outputs)
            ),
        )

    def _definition(
        self,
        workflow: Mapping[str, Any],
        file: str | None,
        language: Language,
        uploaded: Iterable[str],
        parameters: Mapping[str, Any],
    ) -> tuple[str, ...]:
        """Return what a bundle holds; inputs count only where the workflow declares nothing of its own."""
        found = {NAME}
        if file is not None:
            local = file.partition("#")[0] if language is Language.CWL else file
            found.update(self._walked(("workflow", "file"), local))
        own = ("files" in workflow, "directories" in workflow)
        for kind in ("files", "directories"):
            found.update(self._files(("workflow", kind), workflow))
        if file is not None and not any(own):
            found.update(uploaded)
        given = parameters.get("input") if language in {Language.CWL, Language.SNAKEMAKE} else None
        other = workflow.get("parameters")
        for path in (given, other.get("file") if isinstance(other, dict) else None):
            if isinstance(path, str):
                found.update(self._walked(("inputs", "parameters", "input"), path))
        return tuple(sorted(found))

    def _mapping(self, *keys: str) -> dict[str, Any]:
        level: Any = self._content
        for key in keys:
            level = level.get(key) if isinstance(level, dict) else None
        if level is None:
            return {}
        if not isinstance(level, dict):
            raise self._wrong(keys, ".".join(keys), "a mapping", type(level).__name__, "write 'key: value'")
        return level

    def _paths(self, keys: tuple[str, str], section: Mapping[str, Any]) -> tuple[str, ...]:
        listed = section.get(keys[1]) or []
        if not isinstance(listed, list) or not all(isinstance(path, str) for path in listed):
            raise self._wrong(keys, ".".join(keys), "a list of paths", "something else", "write '- PATH'")
        found = []
        for index, path in enumerate(listed):
            plain = path.removeprefix("./").rstrip("/")
            if not paths.is_safe(plain):
                raise self._wrong(
                    (*keys, index),
                    f"path {path!r}",
                    "one inside the analysis, without '..'",
                    "a path that REANA refuses",
                    "write it relative to this file",
                )
            found.append(plain)
        return tuple(found)

    def _files(self, keys: tuple[str, str], section: Mapping[str, Any]) -> list[str]:
        found = [
            path
            for index, named in enumerate(self._paths(keys, section))
            for path in self._walked((*keys, index), named, folder=keys[1] == "directories")
        ]
        if keys[1] == "directories":
            left_out = ignored(self._folder, found) | (_OF_THIS_MACHINE & set(found))
            self._ignored |= left_out
            found = [path for path in found if path not in left_out]
            sent = {path[:end] for path in found for end, one in enumerate(path) if one == "/"}
            self._empty |= set(self._paths(keys, section)) - sent
        return found

    def _walked(
        self, keys: tuple[str | int, ...], named: str, *, folder: bool | None = False
    ) -> Iterator[str]:
        """Give the files that a path names: itself, or those below it."""
        if not paths.is_safe(named):
            raise self._wrong(
                keys,
                f"path {named!r}",
                "one inside the analysis, of letters that can be shown, without '\\' and '..'",
                "another",
                "give the file another name, or write its path relative to this file",
            )
        place = self._folder / named
        if not place.exists():
            raise self._wrong(
                keys,
                f"path {named!r}",
                "a file or folder of the analysis",
                "none",
                "correct it, or remove it",
            )
        if not place.resolve().is_relative_to(self._folder):
            raise self._wrong(
                keys,
                f"path {named!r}",
                "a file of the analysis",
                "a link that leads out of it",
                "copy the file",
            )
        if place.is_dir() != bool(folder):
            raise self._wrong(
                keys,
                f"path {named!r}",
                "a folder" if folder else "a file",
                "a file" if folder else "a folder",
                f"write it below '{'files' if folder else 'directories'}'",
            )
        if not folder and not place.is_file():
            raise self._wrong(
                keys, f"path {named!r}", "a file", "a pipe, a socket or a device", "remove it, or name a file"
            )
        if not folder:
            yield named
            return
        for root, folders, files in os.walk(place):
            folders[:] = sorted(name for name in folders if name not in _NOT_SENT)
            for name in sorted(files):
                path = (Path(root) / name).relative_to(self._folder).as_posix()
                yield from self._walked(keys, path)
            for name in folders:
                if (Path(root) / name).is_symlink():
                    linked = (Path(root) / name).relative_to(self._folder).as_posix()
                    raise self._wrong(
                        keys,
                        f"folder {linked}",
                        "a folder itself",
                        "a link to one",
                        "name its files one by one",
                    )

    def _wrong(
        self, keys: tuple[str | int, ...], what: str, expected: str, found: str, next_step: str
    ) -> InputError:
        return InputError(
            f"{self._document.where(*keys)}: {what}", expected=expected, found=found, next_step=next_step
        )
