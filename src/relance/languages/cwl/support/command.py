"""The whole text of a job's command: files in its folder first, its environment, its words, its streams."""

from __future__ import annotations

import functools
import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from relance.languages.cwl.model import Tool
from relance.languages.cwl.support import binding, expressions, values
from relance.languages.cwl.support.expressions import Context
from relance.languages.cwl.support.places import TEMPORARY
from relance.languages.model import Json, PlanError


@dataclass(frozen=True)
class Placed:
    """A file or folder to be put into a job's folder."""

    name: str
    """Relative to it."""
    path: str | None = None
    """What is copied."""
    text: str = ""
    """What is written where nothing is copied."""


@dataclass(frozen=True)
class Call:
    """A tool with what a job gives it, and the folder in which it runs."""

    tool: Tool
    given: Mapping[str, Json]
    folder: str

    @functools.cached_property
    def placed(self) -> tuple[Placed, ...]:
        """What lies in the folder before the command runs.

        Raises:
            PlanError: it isn't a file, or would lie elsewhere.
        """
        return tuple(self._placed(self._runtime(Context(self.given))))

    @functools.cached_property
    def about(self) -> Context:
        """What references can name; files that were put into the folder are there.

        Raises:
            PlanError: what the tool asks for doesn't fit.
        """
        moved = {one.path: f"{self.folder}/{one.name}" for one in self.placed if one.path is not None}
        inputs = {name: _moved(value, moved) for name, value in self.given.items()}
        return self._runtime(Context(inputs))

    def text(self) -> str:
        """Return what `sh -c` runs in the folder.

        Raises:
            PlanError: a reference or a value doesn't fit.
        """
        return "\n".join([*self._placing(), *self._exports(), *self._words()])

    def evaluate(self, text: Json) -> Json:
        """Return what a text of the tool's says.

        Raises:
            PlanError: a reference names what isn't there.
        """
        return expressions.evaluate(text, self.about, self.tool.version)

    def _runtime(self, about: Context) -> Context:
        asked = self.tool.resources
        found: dict[str, Json] = {"outdir": self.folder, "tmpdir": TEMPORARY}
        for name, text in (
            ("cores", asked.cores),
            ("ram", asked.ram),
            ("tmpdirSize", asked.tmpdir),
            ("outdirSize", asked.outdir),
        ):
            value = expressions.evaluate(text, about, self.tool.version)
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise PlanError(f"{name}, which is asked for, is {values.brief(value)} and no number")
            found[name] = math.ceil(value)
        return replace(about, runtime=found)

    def _placed(self, about: Context) -> Iterator[Placed]:
        for one in self.tool.staged:
            name = expressions.evaluate(one.name, about, self.tool.version)
            value = expressions.evaluate(one.entry, about, self.tool.version, stripped=False)
            yield from _entries(
                name.removeprefix(f"{self.folder}/") if isinstance(name, str) else name, value
            )

    def _placing(self) -> Iterator[str]:
        for one in self.placed:
            yield from _making_way(one.name)
            name = values.quoted(one.name)
            if one.path is not None:
                yield f"cp -RL {values.quoted(one.path)} {name} || exit"
            else:
                yield f"printf '%s' {values.quoted(one.text)} > {name} || exit"

    def _exports(self) -> Iterator[str]:
        yield f'export HOME="$PWD" TMPDIR={values.quoted(TEMPORARY)}'
        for name, written in self.tool.environment:
            value = self.evaluate(written)
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or not isinstance(value, str):
                raise PlanError(f"the environment variable {name}={values.brief(value)} can't be set")
            yield f"export {name}={values.quoted(value)}"

    def _words(self) -> Iterator[str]:
        words = " ".join(map(values.quoted, binding.words(self.tool, self.about)))
        if not words:
            raise PlanError(
                "a tool has no command: no 'baseCommand', 'arguments' or input with an 'inputBinding'"
            )
        for sign, written in (("<", self.tool.stdin), (">", self.tool.stdout), ("2>", self.tool.stderr)):
            name = self.evaluate(written)
            if name is None:
                continue
            if sign != "<":
                name = _inside(name.removeprefix(f"{self.folder}/") if isinstance(name, str) else name)
                yield from _making_way(name)
            words += f" {sign} {values.quoted(values.word(name))}"
        yield words
        success = "|".join(str(code) for code in self.tool.success if code != 0)
        if success:
            yield f"case $? in 0|{success}) exit 0 ;; *) exit 1 ;; esac"


def _entries(name: Json, value: Json) -> Iterator[Placed]:
    if value is None:
        return
    if isinstance(value, list) and all(map(values.is_entry, value)):
        for item in value:
            yield from _entries(None, item)
    elif values.is_entry(value):
        yield Placed(_inside(name or value["basename"]), value["path"])
        for other in value.get("secondaryFiles") or []:
            yield Placed(_inside(other["basename"]), other["path"])
    elif name is None:
        raise PlanError(f"{values.brief(value)} is no file to put into the job's folder")
    else:
        yield Placed(
            _inside(name), None, value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        )


def _inside(name: Json) -> str:
    plain = isinstance(name, str) and name and not name.startswith("/")
    if not plain or ".." in name.split("/"):
        raise PlanError(f"a file can't be put at {values.brief(name)}, only into the job's folder")
    return str(posixpath.normpath(name))


def _moved(value: Json, placed: dict[str, str]) -> Json:
    """Return a value whose files lie where they were put."""
    if isinstance(value, list):
        return [_moved(item, placed) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _moved(item, placed) for key, item in value.items()}
    if values.is_entry(value) and value["path"] in placed:
        found |= values.entry(placed[value["path"]], folder=value["class"] == "Directory")
    return found


def _making_way(name: str) -> Iterator[str]:
    above = posixpath.dirname(name)
    if above:
        yield f"mkdir -p {values.quoted(above)} || exit"
