"""The part of the Containerfile language that every builder here understands the same way.

ARG, FROM (one stage), ENV, LABEL, WORKDIR, COPY of files, RUN in shell form, CMD in list form. Anything else
is refused by name and line rather than guessed. Podman builds from the Containerfile itself; Docker and
Apptainer follow the steps read here.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relance.errors import InputError

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_KNOWN = ("ARG", "FROM", "ENV", "LABEL", "WORKDIR", "COPY", "RUN", "CMD")


@dataclass(frozen=True)
class Run:
    """A shell command, with the variables and the working folder in force."""

    command: str
    environment: Mapping[str, str]
    working_folder: str


@dataclass(frozen=True)
class Copy:
    """A file of the repository put at an absolute path of the image."""

    source: str
    target: str


@dataclass(frozen=True)
class Recipe:
    """What a Containerfile says; environment and labels in order, without the base's."""

    path: Path
    base: str
    steps: tuple[Run | Copy, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    working_folder: str = "/"
    command: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the repository that the image is made from, besides the Containerfile."""
        return tuple(step.source for step in self.steps if isinstance(step, Copy))


def read(path: Path) -> Recipe:
    """Read a Containerfile.

    Raises:
        InputError: it can't be read, or says something outside the part of the language told above; the line
            is told.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} can't be read",
            expected="a Containerfile",
            found=getattr(error, "strerror", None) or "bytes that aren't UTF-8",
            next_step="check the name of the image",
        ) from error
    reader = _Reader(path)
    for line, word, rest in _instructions(text):
        reader.take(line, word, rest)
    return reader.recipe()


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    gathered, start = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#") or (not gathered and not line.strip()):
            continue
        start = start if gathered else number
        gathered += line
        if gathered.endswith("\\"):
            gathered = gathered[:-1]
            continue
        word, _, rest = gathered.strip().partition(" ")
        yield start, word.upper(), rest.strip()
        gathered = ""


class _Reader:
    """Follows the instructions of one Containerfile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._base: str | None = None
        self._arguments: dict[str, str] = {}
        self._environment: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._folder = "/"
        self._command: tuple[str, ...] = ()
        self._steps: list[Run | Copy] = []

    def take(self, line: int, word: str, rest: str) -> None:
        if word not in _KNOWN:
            raise self._refusal(line, f"one of {', '.join(_KNOWN)}", word)
        if self._base is None and word not in {"ARG", "FROM"}:
            raise self._refusal(line, "FROM before it", word)
        match word:
            case "ARG":
                self._argument(line, rest)
            case "FROM":
                self._from(line, rest)
            case "ENV":
                self._environment |= self._pairs(line, rest)
            case "LABEL":
                self._labels |= self._pairs(line, rest)
            case "WORKDIR":
                self._folder = self._absolute(line, self._filled(line, rest))
            case "COPY":
                self._copy(line, rest)
            case "RUN":
                self._run(line, rest)
            case _:
                self._command = self._list(line, rest)

    def recipe(self) -> Recipe:
        if self._base is None:
            raise self._refusal(1, "FROM", "none")
        return Recipe(
            self._path,
            self._base,
            tuple(self._steps),
            self._environment,
            self._labels,
            self._folder,
            self._command,
        )

    def _argument(self, line: int, rest: str) -> None:
        name, found, value = rest.partition("=")
        if not found:
            raise self._refusal(line, "a default value", f"ARG {rest}")
        self._arguments[name] = self._filled(line, value)

    def _from(self, line: int, rest: str) -> None:
        if self._base is not None or len(rest.split()) != 1:
            raise self._refusal(line, "one stage: FROM and a base image", f"FROM {rest}")
        self._base = self._filled(line, rest)
        self._arguments = {}  # those before FROM are known to FROM only

    def _copy(self, line: int, rest: str) -> None:
        words = [self._filled(line, word) for word in rest.split()]
        if len(words) != 2 or words[0].startswith("-"):
            raise self._refusal(line, "COPY FILE /ABSOLUTE/PATH", f"COPY {rest}")
        source, target = words
        if source.startswith("/") or ".." in Path(source).parts:
            raise self._refusal(line, "a file of the repository", source)
        if target.endswith("/"):
            raise self._refusal(line, "the whole name of the copy", target)
        self._steps.append(Copy(source, self._absolute(line, target)))

    def _run(self, line: int, rest: str) -> None:
        if rest.startswith(("[", "-", "<")):
            raise self._refusal(line, "RUN and a shell command", f"RUN {rest}")
        self._steps.append(Run(rest, {**self._arguments, **self._environment}, self._folder))

    def _pairs(self, line: int, rest: str) -> dict[str, str]:
        try:
            words = shlex.split(rest)
        except ValueError as error:
            raise self._refusal(line, "NAME=VALUE with closed quotes", rest) from error
        if not all("=" in word for word in words):
            raise self._refusal(line, "NAME=VALUE", rest)
        return {name: self._filled(line, value) for name, _, value in (word.partition("=") for word in words)}

    def _list(self, line: int, rest: str) -> tuple[str, ...]:
        try:
            value = json.loads(rest)
        except ValueError:
            value = None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._refusal(line, 'a list such as ["bash"]', rest)
        return tuple(value)

    def _absolute(self, line: int, path: str) -> str:
        if not path.startswith("/") or ".." in Path(path).parts:
            raise self._refusal(line, "an absolute path", path)
        return path

    def _filled(self, line: int, text: str) -> str:
        known = {**self._arguments, **self._environment}

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name not in known:
                raise self._refusal(line, "a variable set above by ARG or ENV", f"${name}")
            return known[name]

        return _VARIABLE.sub(value, text)

    def _refusal(self, line: int, expected: str, found: str) -> InputError:
        return InputError(
            f"{self._path}:{line}: this can't be built everywhere",
            expected=expected,
            found=found,
            next_step="write it with these",
        )
