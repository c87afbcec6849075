"""The files of an analysis that may be source: where they lie, of what kind they are, what jobs make."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

from relance.specification import reading

MOST_FILES = 20_000
"""More are not counted."""

SourceKind = Literal["python", "shell", "program", "text", "data"]
"""How a file is followed; data not at all."""

_LARGEST_TEXT = 1 << 20  # bytes; what is larger is data, and names nothing
_SKIPPED = frozenset(
    (
        *(
            ".git",
            ".snakemake",
            ".envs",
            ".venv",
            ".tox",
            "__pycache__",
            "node_modules",
            ".ipynb_checkpoints",
        ),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"),
    )
)
_PYTHON = frozenset((".py", ".pyw", ".ipynb"))
_SHELL = frozenset((".sh", ".bash", ".zsh", ".csh", ".ksh"))
_PROGRAMS = frozenset(
    (
        *(*_PYTHON, *_SHELL, ".pyx", ".pxd", ".r", ".rmd", ".qmd", ".jl", ".pl", ".pm", ".lua", ".rb", ".m"),
        *(".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".icc", ".ipp", ".inl", ".cu", ".cuh"),
        *(".f", ".f90", ".f95", ".for", ".java", ".go", ".rs", ".js", ".ts", ".cmake", ".mk", ".smk", ".awk"),
    )
)
_SETTINGS = frozenset((".yaml", ".yml", ".json", ".toml", ".ini", ".cfg", ".conf"))
_NAMED_PROGRAMS = frozenset(("Makefile", "makefile", "GNUmakefile", "CMakeLists.txt", "Snakefile"))


class TooManyError(Exception):
    """More files than it is sensible to count."""


class SourceFiles:
    """What lies in one analysis. Paths are relative to it; each file is looked at once."""

    def __init__(self, analysis: Path, made: Iterable[str]) -> None:
        """Look at an analysis.

        Args:
            analysis: absolute path of its folder.
            made: files and folders that jobs write (outputs, logs, benchmarks): never source.
        """
        self._root = os.path.normpath(analysis)
        self.made = frozenset(path for path in map(self.relative, made) if path)
        self._above_made = {parent for path in self.made for parent in parents(path)}
        self._folders: dict[str, tuple[str, ...]] = {}
        self._kinds: dict[str, SourceKind] = {}
        self._names: dict[str, frozenset[str]] = {}

    def begins_here(self, base: str, text: str) -> bool:
        """Return whether the first part of a path is there: most words are no paths, and this is quick."""
        first = text.partition("/")[0]
        if first in {"", ".", ".."}:
            return True
        if base not in self._names:
            try:
                self._names[base] = frozenset(os.listdir(self.at(base)))
            except OSError:
                self._names[base] = frozenset()
        return first in self._names[base]

    def whole(self, folder: str) -> tuple[str, ...]:
        """Return the files of a folder; only programs and settings if jobs write into it too.

        Raises:
            TooManyError: there are more than `MOST_FILES`.
        """
        if folder not in self._folders:
            mixed = folder in self._above_made or not folder
            found = []
            for path in self._below(folder):
                wanted = self.is_source(path) if mixed else self.is_file(path)
                if wanted and not self.is_made(path) and not self._is_specification(path):
                    found.append(path)
                if len(found) > MOST_FILES:
                    raise TooManyError
            self._folders[folder] = tuple(found)
        return self._folders[folder]

    def _is_specification(self, path: str) -> bool:
        """Return whether a file says of the analysis what no job reads, unless it names the file."""
        return path.endswith((".yaml", ".yml")) and reading.is_specification(Path(self.at(path)))

    @cached_property
    def all(self) -> tuple[str, ...]:
        """Every file, in folders that no job makes."""
        return tuple(self._below(""))

    def _below(self, folder: str) -> Iterator[str]:
        """Yield the files of a folder and of those in it, but for what jobs make and what tools leave."""
        for place, names, files in os.walk(self.at(folder)):
            here = os.path.relpath(place, self._root)
            names[:] = sorted(
                name for name in names if name not in _SKIPPED and not self.is_made(os.path.join(here, name))
            )
            yield from (os.path.normpath(os.path.join(here, name)) for name in sorted(files))

    def text(self, path: str) -> str:
        """Return what a file says; nothing if it can't be read."""
        try:
            return self.at(path).read_text("utf-8", "replace")
        except OSError:
            return ""

    def kind(self, path: str) -> SourceKind:
        """Return of what kind a file is, by its name and its beginning."""
        if path not in self._kinds:
            self._kinds[path] = self._look(path)
        return self._kinds[path]

    def _look(self, path: str) -> SourceKind:
        suffix = os.path.splitext(path)[1].lower()
        try:
            with self.at(path).open("rb") as stream:
                start = stream.read(8192)
                size = os.fstat(stream.fileno()).st_size
        except OSError:
            return "data"
        if size > _LARGEST_TEXT or b"\0" in start:
            return "data"
        called = start.split(b"\n", 1)[0] if start.startswith(b"#!") else b""
        if suffix in _PYTHON or b"python" in called:
            return "python"
        if suffix in _SHELL or called.rstrip().endswith(b"sh"):
            return "shell"
        known = suffix in _PROGRAMS or os.path.basename(path) in _NAMED_PROGRAMS
        return "program" if known or called else "text"

    def is_source(self, path: str) -> bool:
        """Return whether a file is a program or settings by its name or its first line."""
        if os.path.splitext(path)[1].lower() in _SETTINGS:
            return self.is_file(path)
        return self.is_file(path) and self.kind(path) in {"python", "shell", "program"}

    def existing(self, paths: Iterable[str]) -> list[str]:
        """Return those of some paths that are source files of the analysis."""
        found = filter(None, map(self.relative, paths))
        return [path for path in found if self.is_file(path) and not self.is_excluded(path)]

    def relative(self, path: str) -> str | None:
        """Return a path relative to the analysis, None if it lies elsewhere."""
        absolute = os.path.normpath(os.path.join(self._root, path))
        if absolute == self._root:
            return ""
        inside = absolute.startswith(f"{self._root}/")
        return absolute[len(self._root) + 1 :] if inside else None

    def at(self, path: str) -> Path:
        """Return the place of a file."""
        return Path(self._root, path)

    def is_file(self, path: str) -> bool:
        """Return whether a file is there, or a link to one."""
        try:
            return os.path.isfile(os.path.join(self._root, path))
        except ValueError:
            return False

    def is_folder(self, path: str) -> bool:
        """Return whether a folder is there, or a link to one."""
        return os.path.isdir(os.path.join(self._root, path))

    def is_made(self, path: str) -> bool:
        """Return whether a job writes it, or a folder that it is in."""
        return path in self.made or any(parent in self.made for parent in parents(path))

    def is_excluded(self, path: str) -> bool:
        """Return whether it can't be source: a job makes it, or a tool leaves it behind."""
        return self.is_made(path) or not _SKIPPED.isdisjoint(path.split("/"))


def parents(path: str) -> Iterator[str]:
    """Yield the folders above a path, the analysis itself (empty) last."""
    while path:
        path = os.path.dirname(path)
        yield path
