"""The source files that a job's code may reach, found from its command and scripts: too many, not too few.

A step is run again when one of them changes, and a capsule holds them all. Nothing is executed. Followed
are imports of Python (from the script's folder, the analysis, `PYTHONPATH=` and `sys.path`), files that a
program, a shell script or a source of any other language names, and folders that they name, whole. Where a
program computes what it loads, all files of its folder count. What a program reads by a path that stands in
no file of the analysis can't be found.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from relance.model import UNKNOWN, CodeKind, Unknown
from relance.recording import python_source, words
from relance.recording.python_source import Import, PythonFacts
from relance.specification import reading

_MOST_FILES = 20_000
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


@dataclass(frozen=True)
class Parsed:
    """What Snakemake itself read of an analysis: the code of `run:` is in it."""

    snakefiles: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobCode:
    """Where the search begins for one job. Paths as the workflow writes them."""

    kind: CodeKind
    command: str | None
    script: str | None = None
    inputs: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    """Texts that may name files, such as parameters."""
    environment: str | None = None
    """The file of `conda:`."""
    needs_snakefile: bool = False
    """Whether what the Snakefile says is part of a command besides the command itself."""


class _TooManyError(Exception):
    """More files than it is sensible to count."""


@dataclass
class _Reached:
    """What is found so far for one job."""

    files: set[str] = field(default_factory=set)
    waiting: list[str] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    """Folders that modules are sought in."""
    quiet: set[str] = field(default_factory=set)
    """Files that count, and are not followed."""

    def add(self, files: Iterable[str]) -> None:
        for file in files:
            if file not in self.files:
                self.files.add(file)
                self.waiting.append(file)
        if len(self.files) > _MOST_FILES:
            raise _TooManyError

    def look_in(self, folder: str) -> None:
        """Seek modules in one more folder: those seen before may import from there."""
        if folder not in self.search:
            self.search.append(folder)
            self.waiting = sorted(self.files)

    def all(self) -> tuple[str, ...]:
        """Return what is found, sorted."""
        return tuple(sorted(self.files | self.quiet))


class SourceTree:
    """The source files of one analysis. Each is read once, however many jobs reach it."""

    def __init__(self, analysis: Path, made: Iterable[str], parsed: Parsed = Parsed()) -> None:
        """Look at an analysis.

        Args:
            analysis: absolute path of its folder.
            made: files and folders that jobs write (outputs, logs, benchmarks): never source.
            parsed: what Snakemake read.
        """
        self._root = os.path.normpath(analysis)
        self._parsed = parsed
        self._made = {path for path in map(self._relative, made) if path}
        self._above_made = {parent for path in self._made for parent in _parents(path)}
        self._python: dict[str, PythonFacts] = {}
        self._words: dict[str, tuple[str, ...]] = {}
        self._folders: dict[str, tuple[str, ...]] = {}
        self._kinds: dict[str, str] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._answers: dict[object, tuple[str, ...] | Unknown] = {}
        self._modules: dict[tuple[str, Import], tuple[str, ...]] = {}

    def of_job(self, job: JobCode) -> tuple[str, ...] | Unknown:
        """Return the files that a job's code may reach, sorted, relative to the analysis.

        `unknown` if the job's code itself can't be seen (a wrapper, or nothing is known), or there are more
        than 20,000.
        """
        if job.kind in {"other", "unknown"} or (job.kind == "shell" and job.command is None):
            return UNKNOWN
        reached = _Reached()
        try:
            self._begin(job, reached)
            key = (frozenset(reached.files), tuple(reached.search), frozenset(reached.quiet))
            if key not in self._answers:
                self._follow(reached)
                self._answers[key] = reached.all()
            return self._answers[key]
        except _TooManyError:
            return UNKNOWN

    def _begin(self, job: JobCode, reached: _Reached) -> None:
        inputs = {path for path in map(self._relative, job.inputs) if path is not None}
        sources = {path for path in inputs if self._is_source(path)}
        data = inputs - sources
        reached.look_in("")
        if job.environment is not None:
            reached.quiet.update(self._existing([job.environment]))
        if job.script is not None:
            self._add_words([job.script], ("",), reached, folders=False)
        reached.add(sorted(sources - self._made))
        for text in job.texts:
            self._add_words(words.of_text(text), ("",), reached, folders=False, but=data)
        if job.command is not None:
            self._command(job.command, "", reached, data)
        if job.needs_snakefile or job.kind in {"run", "script", "notebook"}:
            reached.quiet.update(self._existing([*self._parsed.snakefiles, *self._parsed.read]))
        if job.kind == "run":
            self._snakefiles(reached, data)

    def _snakefiles(self, reached: _Reached, data: Iterable[str]) -> None:
        """Add what the code of `run:` may reach: it stands in a Snakefile and may use all that this has."""
        snakefiles = self._existing(self._parsed.snakefiles)
        modules = [path for path in self._existing(self._parsed.read) if self._kind(path) == "python"]
        reached.add(path for path in modules if path not in snakefiles)
        for path in snakefiles:
            text = self._text(path)
            bases = ("", _folder(path))
            self._add_words(
                words.words(words.without_comments(text)), bases, reached, folders=False, but=data
            )
            for found in python_source.imports_of_text(text):
                reached.add(self._import(found, path, reached.search))

    def _follow(self, reached: _Reached) -> None:
        while reached.waiting:
            path = reached.waiting.pop()
            kind = self._kind(path)
            if kind == "python":
                self._follow_python(path, reached)
            elif kind == "shell":
                self._command(words.without_comments(self._text(path)), _folder(path), reached, frozenset())
            elif kind in {"program", "text"}:
                self._follow_text(path, reached, folders=kind == "program")

    def _follow_python(self, path: str, reached: _Reached) -> None:
        facts = self._facts(path)
        folder = _folder(path)
        for parent in (folder, *_parents(folder)):
            package = _join(parent, "__init__.py")
            if not self._is_file(package):
                break
            reached.add([package])
        for text in facts.search:
            for base in ("", folder):
                where = self._relative(_join(base, text))
                if where is not None and self._is_folder(where):
                    reached.look_in(where)
        for found in facts.imports:
            reached.add(self._import(found, path, reached.search))
        for place in facts.places:
            reached.add(self._found(place, ("",)))
        for text in facts.files:
            self._add_words(words.of_text(text), (folder, ""), reached, folders=False)
        for text in facts.folders:
            self._add_words([text], (folder, ""), reached, folders=True)
        if facts.dynamic:
            reached.add(self._whole(folder))

    def _follow_text(self, path: str, reached: _Reached, *, folders: bool) -> None:
        suffix = os.path.splitext(path)[1]
        bases = (_folder(path), *reached.search)
        for word in self._words_of(path):
            found = self._found(word, bases, folders=folders and "/" in word.strip("/"))
            reached.add(found or (self._found(word + suffix, bases, folders=False) if suffix else ()))

    def _command(self, command: str, folder: str, reached: _Reached, data: Iterable[str]) -> None:
        """Add what a shell's command names."""
        inside = [self._relative(_join(folder, entered)) for entered in words.entered(command)]
        bases = tuple(dict.fromkeys([folder, "", *filter(None, inside)]))
        for text in words.searched(command):
            where = self._relative(_join(folder, text))
            if where is not None:
                reached.look_in(where)
        for module in words.modules(command):
            for name in (module, f"{module}.__main__"):
                reached.add(self._import(Import(name), _join(folder, "-"), [*bases, *reached.search]))
        if words.makes(command):
            reached.add(
                path
                for base in bases
                for path in self._existing(
                    _join(base, name) for name in ("Makefile", "makefile", "GNUmakefile")
                )
            )
        for found in python_source.imports_of_text(command):
            reached.add(self._import(found, _join(folder, "-"), [*bases, *reached.search]))
        self._add_words(words.words(command), bases, reached, folders=True, but=data)

    def _add_words(
        self,
        texts: Sequence[str],
        bases: tuple[str, ...],
        reached: _Reached,
        *,
        folders: bool,
        but: Iterable[str] = frozenset(),
    ) -> None:
        """Add the files and folders among some words; of a program, the folder is one to find modules in."""
        data = set(but)
        for text in texts:
            for path in self._found(text, bases, folders=folders):
                if path not in data:
                    reached.add([path])
                    self._start_of(path, reached)

    def _start_of(self, path: str, reached: _Reached) -> None:
        where = self._relative(path)
        if where is not None and self._is_file(where) and self._kind(where) == "python":
            reached.look_in(_folder(where))

    def _found(self, text: str, bases: Iterable[str], *, folders: bool = True) -> tuple[str, ...]:
        """Return the source files that a word stands for."""
        if not text or "\0" in text or len(text) > 1024:  # no path is longer
            return ()
        found: dict[str, None] = {}
        for base in bases:
            if not self._begins_here(base, text):
                continue
            path = self._relative(_join(base, text))
            if path is None or self._is_excluded(path):
                continue
            if self._is_file(path):
                found[path] = None
            elif folders and self._is_folder(path):
                found.update(dict.fromkeys(self._whole(path)))
        return tuple(found)

    def _begins_here(self, base: str, text: str) -> bool:
        """Return whether the first part of a path is there: most words are no paths, and this is quick."""
        first = text.partition("/")[0]
        if first in {"", ".", ".."}:
            return True
        if base not in self._names:
            try:
                self._names[base] = frozenset(os.listdir(self._at(base)))
            except OSError:
                self._names[base] = frozenset()
        return first in self._names[base]

    def _whole(self, folder: str) -> tuple[str, ...]:
        """Return the files of a folder; only programs and settings if jobs write into it too."""
        if folder not in self._folders:
            mixed = folder in self._above_made or not folder
            found = []
            for place, names, files in os.walk(self._at(folder)):
                here = os.path.relpath(place, self._root)
                names[:] = sorted(
                    name for name in names if name not in _SKIPPED and not self._is_made(_join(here, name))
                )
                for name in sorted(files):
                    path = os.path.normpath(_join(here, name))
                    wanted = self._is_source(path) if mixed else self._is_file(path)
                    if wanted and not self._is_made(path) and not self._is_specification(path):
                        found.append(path)
                if len(found) > _MOST_FILES:
                    raise _TooManyError
            self._folders[folder] = tuple(found)
        return self._folders[folder]

    def _is_specification(self, path: str) -> bool:
        """Return whether a file says of the analysis what no job reads, unless it names the file."""
        return path.endswith((".yaml", ".yml")) and reading.is_specification(Path(self._at(path)))

    def _import(self, found: Import, importer: str, search: Sequence[str]) -> Iterator[str]:
        """Yield the files that an import of the file `importer` may load."""
        if found.level:
            base = _folder(importer)
            for _ in range(found.level - 1):
                base = _folder(base)
            yield from self._module(base, found)
            return
        first = found.name.partition(".")[0]
        own = (_folder(importer), *search)
        local = [self._module(base, found) for base in dict.fromkeys(own)]
        files = list(dict.fromkeys(path for paths in local for path in paths))
        yield from files
        if not files and first not in sys.stdlib_module_names:
            # Whatever makes it importable was not understood.
            for place in self._importable.get(first, ()):
                yield from self._module(place, found)

    def _module(self, base: str, found: Import) -> tuple[str, ...]:
        """Return the files of a module below `base`, its packages' own and those of submodules taken."""
        if (base, found) not in self._modules:
            self._modules[base, found] = tuple(dict.fromkeys(self._files_of(base, found)))
        return self._modules[base, found]

    def _files_of(self, base: str, found: Import) -> list[str]:
        files: list[str] = []
        place = base
        for part in filter(None, found.name.split(".")):
            place = _join(place, part)
            files += self._existing(
                [f"{place}.py", _join(place, "__init__.py"), *self._compiled(place)],
            )
        if "*" in found.names and (files or found.level) and self._is_folder(place):
            files += self._whole(place)
        for name in found.names:
            taken = _join(place, name)
            files += self._existing([f"{taken}.py", _join(taken, "__init__.py"), *self._compiled(taken)])
        if found.level and not found.name:
            files += self._existing([_join(base, "__init__.py")])
        return files

    def _compiled(self, place: str) -> Iterator[str]:
        """Yield the extension modules of a name."""
        folder, name = os.path.split(place)
        for file in self._extensions.get(folder, ()):
            if os.path.basename(file).partition(".")[0] == name:
                yield file

    @cached_property
    def _files(self) -> tuple[str, ...]:
        """All files of the analysis that no job makes."""
        found = []
        for place, names, files in os.walk(self._root):
            here = os.path.relpath(place, self._root)
            names[:] = sorted(
                name for name in names if name not in _SKIPPED and not self._is_made(_join(here, name))
            )
            found += [os.path.normpath(_join(here, name)) for name in sorted(files)]
        return tuple(found)

    @cached_property
    def _importable(self) -> dict[str, tuple[str, ...]]:
        """Where a module or package of each name lies."""
        found: dict[str, dict[str, None]] = {}
        for path in self._files:
            folder, name = os.path.split(path)
            stem, suffix = os.path.splitext(name)
            if suffix == ".py":
                place, stem = (folder, stem) if stem != "__init__" else os.path.split(folder)
                found.setdefault(stem, {})[place] = None
        return {name: tuple(places) for name, places in found.items()}

    @cached_property
    def _extensions(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for path in self._files:
            if path.endswith((".so", ".pyd", ".pyx")):
                found.setdefault(_folder(path), []).append(path)
        return {folder: tuple(paths) for folder, paths in found.items()}

    def _facts(self, path: str) -> PythonFacts:
        if path not in self._python:
            self._python[path] = python_source.facts(self._at(path), self._text(path))
        return self._python[path]

    def _words_of(self, path: str) -> tuple[str, ...]:
        if path not in self._words:
            self._words[path] = words.words(words.without_comments(self._text(path)))
        return self._words[path]

    def _text(self, path: str) -> str:
        try:
            return self._at(path).read_text("utf-8", "replace")
        except OSError:
            return ""

    def _kind(self, path: str) -> str:
        """Return how a file is followed: `python`, `shell`, `program`, `text`, or not at all: `data`."""
        if path not in self._kinds:
            self._kinds[path] = self._look(path)
        return self._kinds[path]

    def _look(self, path: str) -> str:
        suffix = os.path.splitext(path)[1].lower()
        try:
            with self._at(path).open("rb") as stream:
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

    def _is_source(self, path: str) -> bool:
        """Return whether a file is a program or settings by its name or its first line."""
        if os.path.splitext(path)[1].lower() in _SETTINGS:
            return self._is_file(path)
        return self._is_file(path) and self._kind(path) in {"python", "shell", "program"}

    def _existing(self, paths: Iterable[str]) -> list[str]:
        found = filter(None, map(self._relative, paths))
        return [path for path in found if self._is_file(path) and not self._is_excluded(path)]

    def _relative(self, path: str) -> str | None:
        """Return a path relative to the analysis, None if it lies elsewhere."""
        absolute = os.path.normpath(os.path.join(self._root, path))
        if absolute == self._root:
            return ""
        inside = absolute.startswith(f"{self._root}/")
        return absolute[len(self._root) + 1 :] if inside else None

    def _at(self, path: str) -> Path:
        return Path(self._root, path)

    def _is_file(self, path: str) -> bool:
        try:
            return os.path.isfile(os.path.join(self._root, path))
        except ValueError:
            return False

    def _is_folder(self, path: str) -> bool:
        return os.path.isdir(os.path.join(self._root, path))

    def _is_made(self, path: str) -> bool:
        return path in self._made or any(parent in self._made for parent in _parents(path))

    def _is_excluded(self, path: str) -> bool:
        return self._is_made(path) or not _SKIPPED.isdisjoint(path.split("/"))


def _parents(path: str) -> Iterator[str]:
    """Yield the folders above a path, the analysis itself (empty) last."""
    while path:
        path = os.path.dirname(path)
        yield path


def _folder(path: str) -> str:
    return os.path.dirname(path)


def _join(folder: str, name: str) -> str:
    return os.path.join(folder, name)
