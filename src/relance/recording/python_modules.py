"""The files of an analysis that an import of Python may load."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property

from relance.recording.python_source import Import
from relance.recording.source_files import SourceFiles


class Modules:
    """The modules and packages of an analysis."""

    def __init__(self, files: SourceFiles) -> None:
        self._files = files
        self._known: dict[tuple[str, Import], tuple[str, ...]] = {}

    def imported(self, found: Import, importer: str, search: Sequence[str]) -> Iterator[str]:
        """Yield the files that an import of the file `importer` may load."""
        if found.level:
            base = os.path.dirname(importer)
            for _ in range(found.level - 1):
                base = os.path.dirname(base)
            yield from self._module(base, found)
            return
        first = found.name.partition(".")[0]
        own = (os.path.dirname(importer), *search)
        local = [self._module(base, found) for base in dict.fromkeys(own)]
        files = list(dict.fromkeys(path for paths in local for path in paths))
        yield from files
        if not files and first not in sys.stdlib_module_names:
            # Whatever makes it importable was not understood.
            for place in self._importable.get(first, ()):
                yield from self._module(place, found)

    def _module(self, base: str, found: Import) -> tuple[str, ...]:
        """Return the files of a module below `base`, its packages' own and those of submodules taken."""
        if (base, found) not in self._known:
            self._known[base, found] = tuple(dict.fromkeys(self._files_of(base, found)))
        return self._known[base, found]

    def _files_of(self, base: str, found: Import) -> list[str]:
        files: list[str] = []
        place = base
        for part in filter(None, found.name.split(".")):
            place = os.path.join(place, part)
            files += self._files.existing(
                [f"{place}.py", os.path.join(place, "__init__.py"), *self._compiled(place)],
            )
        if "*" in found.names and (files or found.level) and self._files.is_folder(place):
            files += self._files.whole(place)
        for name in found.names:
            taken = os.path.join(place, name)
            files += self._files.existing(
                [f"{taken}.py", os.path.join(taken, "__init__.py"), *self._compiled(taken)]
            )
        if found.level and not found.name:
            files += self._files.existing([os.path.join(base, "__init__.py")])
        return files

    def _compiled(self, place: str) -> Iterator[str]:
        """Yield the extension modules of a name."""
        folder, name = os.path.split(place)
        for file in self._extensions.get(folder, ()):
            if os.path.basename(file).partition(".")[0] == name:
                yield file

    @cached_property
    def _importable(self) -> dict[str, tuple[str, ...]]:
        """Where a module or package of each name lies."""
        found: dict[str, dict[str, None]] = {}
        for path in self._files.all:
            folder, name = os.path.split(path)
            stem, suffix = os.path.splitext(name)
            if suffix == ".py":
                place, stem = (folder, stem) if stem != "__init__" else os.path.split(folder)
                found.setdefault(stem, {})[place] = None
        return {name: tuple(places) for name, places in found.items()}

    @cached_property
    def _extensions(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for path in self._files.all:
            if path.endswith((".so", ".pyd", ".pyx")):
                found.setdefault(os.path.dirname(path), []).append(path)
        return {folder: tuple(paths) for folder, paths in found.items()}
