"""The source files that a job's code may reach, found from its command and scripts: too many, not too few.

A step is run again when one of them changes, and a capsule holds them all. Nothing is executed. Followed
are imports of Python (from the script's folder, the analysis, `PYTHONPATH=` and `sys.path`), files that a
program, a shell script or a source of any other language names, and folders that they name, whole. Where a
program computes what it loads, all files of its folder count. What a program reads by a path that stands in
no file of the analysis can't be found.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from relance.model import UNKNOWN, CodeKind, Unknown
from relance.recording import python_source, words
from relance.recording.python_modules import Modules
from relance.recording.python_source import Import, PythonFacts
from relance.recording.source_files import MOST_FILES, SourceFiles, TooManyError, parents


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
        if len(self.files) > MOST_FILES:
            raise TooManyError

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
        self._files = SourceFiles(analysis, made)
        self._modules = Modules(self._files)
        self._parsed = parsed
        self._python: dict[str, PythonFacts] = {}
        self._words: dict[str, tuple[str, ...]] = {}
        self._answers: dict[object, tuple[str, ...] | Unknown] = {}

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
        except TooManyError:
            return UNKNOWN

    def _begin(self, job: JobCode, reached: _Reached) -> None:
        inputs = {path for path in map(self._files.relative, job.inputs) if path is not None}
        sources = {path for path in inputs if self._files.is_source(path)}
        data = inputs - sources
        reached.look_in("")
        if job.environment is not None:
            reached.quiet.update(self._files.existing([job.environment]))
        if job.script is not None:
            self._add_words([job.script], ("",), reached, folders=False)
        reached.add(sorted(sources - self._files.made))
        for text in job.texts:
            self._add_words(words.of_text(text), ("",), reached, folders=False, but=data)
        if job.command is not None:
            self._command(job.command, "", reached, data)
        if job.needs_snakefile or job.kind in {"run", "script", "notebook"}:
            reached.quiet.update(self._files.existing([*self._parsed.snakefiles, *self._parsed.read]))
        if job.kind == "run":
            self._snakefiles(reached, data)

    def _snakefiles(self, reached: _Reached, data: Iterable[str]) -> None:
        """Add what the code of `run:` may reach: it stands in a Snakefile and may use all that this has."""
        snakefiles = self._files.existing(self._parsed.snakefiles)
        modules = [
            path for path in self._files.existing(self._parsed.read) if self._files.kind(path) == "python"
        ]
        reached.add(path for path in modules if path not in snakefiles)
        for path in snakefiles:
            text = self._files.text(path)
            bases = ("", os.path.dirname(path))
            self._add_words(
                words.words(words.without_comments(text)), bases, reached, folders=False, but=data
            )
            for found in python_source.imports_of_text(text):
                reached.add(self._modules.imported(found, path, reached.search))

    def _follow(self, reached: _Reached) -> None:
        while reached.waiting:
            path = reached.waiting.pop()
            kind = self._files.kind(path)
            if kind == "python":
                self._follow_python(path, reached)
            elif kind == "shell":
                self._command(
                    words.without_comments(self._files.text(path)),
                    os.path.dirname(path),
                    reached,
                    frozenset(),
                )
            elif kind in {"program", "text"}:
                self._follow_text(path, reached, folders=kind == "program")

    def _follow_python(self, path: str, reached: _Reached) -> None:
        facts = self._facts(path)
        folder = os.path.dirname(path)
        for parent in (folder, *parents(folder)):
            package = os.path.join(parent, "__init__.py")
            if not self._files.is_file(package):
                break
            reached.add([package])
        for text in facts.search:
            for base in ("", folder):
                where = self._files.relative(os.path.join(base, text))
                if where is not None and self._files.is_folder(where):
                    reached.look_in(where)
        for found in facts.imports:
            reached.add(self._modules.imported(found, path, reached.search))
        for place in facts.places:
            reached.add(self._found(place, ("",)))
        for text in facts.files:
            self._add_words(words.of_text(text), (folder, ""), reached, folders=False)
        for text in facts.folders:
            self._add_words([text], (folder, ""), reached, folders=True)
        if facts.dynamic:
            reached.add(self._files.whole(folder))

    def _follow_text(self, path: str, reached: _Reached, *, folders: bool) -> None:
        suffix = os.path.splitext(path)[1]
        bases = (os.path.dirname(path), *reached.search)
        for word in self._words_of(path):
            found = self._found(word, bases, folders=folders and "/" in word.strip("/"))
            reached.add(found or (self._found(word + suffix, bases, folders=False) if suffix else ()))

    def _command(self, command: str, folder: str, reached: _Reached, data: Iterable[str]) -> None:
        """Add what a shell's command names."""
        inside = [self._files.relative(os.path.join(folder, entered)) for entered in words.entered(command)]
        bases = tuple(dict.fromkeys([folder, "", *filter(None, inside)]))
        for text in words.searched(command):
            where = self._files.relative(os.path.join(folder, text))
            if where is not None:
                reached.look_in(where)
        for module in words.modules(command):
            for name in (module, f"{module}.__main__"):
                reached.add(
                    self._modules.imported(Import(name), os.path.join(folder, "-"), [*bases, *reached.search])
                )
        if words.makes(command):
            reached.add(
                path
                for base in bases
                for path in self._files.existing(
                    os.path.join(base, name) for name in ("Makefile", "makefile", "GNUmakefile")
                )
            )
        for found in python_source.imports_of_text(command):
            reached.add(self._modules.imported(found, os.path.join(folder, "-"), [*bases, *reached.search]))
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
        where = self._files.relative(path)
        if where is not None and self._files.is_file(where) and self._files.kind(where) == "python":
            reached.look_in(os.path.dirname(where))

    def _found(self, text: str, bases: Iterable[str], *, folders: bool = True) -> tuple[str, ...]:
        """Return the source files that a word stands for."""
        if not text or "\0" in text or len(text) > 1024:  # no path is longer
            return ()
        found: dict[str, None] = {}
        for base in bases:
            if not self._files.begins_here(base, text):
                continue
            path = self._files.relative(os.path.join(base, text))
            if path is None or self._files.is_excluded(path):
                continue
            if self._files.is_file(path):
                found[path] = None
            elif folders and self._files.is_folder(path):
                found.update(dict.fromkeys(self._files.whole(path)))
        return tuple(found)

    def _facts(self, path: str) -> PythonFacts:
        if path not in self._python:
            self._python[path] = python_source.facts(self._files.at(path), self._files.text(path))
        return self._python[path]

    def _words_of(self, path: str) -> tuple[str, ...]:
        if path not in self._words:
            self._words[path] = words.words(words.without_comments(self._files.text(path)))
        return self._words[path]
