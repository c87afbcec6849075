"""What a job leaves: known before it runs where its file's name is, else looked up once it has run."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace

from relance.languages.cwl.model import Output, Plain, Tool, Union
from relance.languages.cwl.support import expressions, values
from relance.languages.cwl.support.expressions import Context
from relance.languages.cwl.support.places import Places
from relance.languages.model import Json, PlanError

_PATTERN = frozenset("*?[")
_WITHOUT = "let cwltool run the workflow: 'relance convert --engine cwltool'"


@dataclass(frozen=True)
class Left:
    """A job's outputs, in its folder."""

    tool: Tool
    context: Context
    folder: str
    places: Places

    def value(self, output: Output) -> Json:
        """Return an output: a file by its name alone if that says all, else what the job has left.

        Raises:
            PlanError: it isn't there, or isn't what the tool says.
        """
        return self.predicted(output) if predictable(output, self.tool.version) else self.found(output)

    def predicted(self, output: Output) -> Json:
        """Return an output that is one file or folder, whose name is known.

        Raises:
            PlanError: the name is a pattern.
        """
        names = list(self._patterns(output))
        if len(names) != 1 or _PATTERN & set(names[0]):
            raise PlanError(
                f"the output '{output.name}' is {names}; a pattern must stand in the tool, not in a value; "
                f"else {_WITHOUT}"
            )
        path = self.folder if names[0] in {"", "."} else f"{self.folder}/{os.path.normpath(names[0])}"
        assert isinstance(output.type, Plain)  # noqa: S101 - what can be predicted is one file or folder
        return values.entry(path, folder=output.type.name == "Directory")

    def promised(self, output: Output) -> str:
        """Return the path of an output that must be there when the job ends."""
        return str(self.predicted(output)["path"])

    def found(self, output: Output) -> Json:
        """Return an output as the job has left it.

        Raises:
            PlanError: it isn't there, or isn't what the tool says.
        """
        if self.places.real(f"{self.folder}/cwl.output.json").exists():
            raise PlanError(f"{self.folder} has a cwl.output.json, which isn't supported: {_WITHOUT}")
        matches = [
            values.entry(path, folder=self.places.real(path).is_dir())
            for pattern in self._patterns(output)
            for path in self.places.matches(self.folder, pattern)
        ]
        for one in matches:
            if one["class"] == "File":
                one["size"] = self.places.real(one["path"]).stat().st_size
        result: Json = values.with_contents(matches, self.places) if output.contents else matches
        if output.evaluated is not None:
            context = replace(self.context, self=result)
            result = expressions.evaluate(output.evaluated, context, self.tool.version)
        if _single(output) and isinstance(result, list):
            if len(result) > 1:
                names = ", ".join(one["basename"] for one in result)
                raise PlanError(
                    f"the output '{output.name}' of {self.folder} is one file, and there are {names}"
                )
            result = result[0] if result else None
        if not result and values.fits(output.type, None) and isinstance(result, list):
            result = None
        result = self._with_secondary(result, output)
        if not values.fits(output.type, result):
            kind = values.shown(output.type)
            found = "nothing" if result is None else values.brief(result)
            raise PlanError(f"the output '{output.name}' of {self.folder} is {found}, not {kind}")
        return result

    def _patterns(self, output: Output) -> Iterator[str]:
        for glob in output.globs:
            value = expressions.evaluate(glob, self.context, self.tool.version)
            for one in value if isinstance(value, list) else [value]:
                if not isinstance(one, str):
                    raise PlanError(
                        f"the output '{output.name}' is looked for as {values.brief(one)}, not text"
                    )
                name = one.removeprefix(f"{self.folder}/")
                if name.startswith("/") or ".." in name.split("/"):
                    raise PlanError(f"the output '{output.name}' is looked for outside of its job: {name!r}")
                yield name

    def _with_secondary(self, value: Json, output: Output) -> Json:
        if isinstance(value, list):
            return [self._with_secondary(item, output) for item in value]
        if not values.is_entry(value) or not output.secondary:
            return value
        found = []
        for pattern in output.secondary:
            path = f"{posixpath.dirname(value['path'])}/{values.beside(value['basename'], pattern.pattern)}"
            real = self.places.real(path)
            if real.exists():
                found.append(values.entry(path, folder=real.is_dir()))
            elif pattern.required:
                raise PlanError(f"{path} isn't there beside the output '{output.name}'")
        return {**value, "secondaryFiles": found}


def predictable(output: Output, version: str) -> bool:
    """Return whether an output is known by its name before the job has run."""
    if not (isinstance(output.type, Plain) and output.type.name in {"File", "Directory"}):
        return False
    if len(output.globs) != 1 or output.evaluated is not None or output.contents or output.secondary:
        return False
    glob = output.globs[0]
    if not expressions.needed(glob):
        return not _PATTERN & set(glob)
    plain = [piece.text for piece in expressions.pieces(glob, version) if not piece.expression]
    return not _PATTERN & set("".join(plain))


def _single(output: Output) -> bool:
    among = output.type.among if isinstance(output.type, Union) else (output.type,)
    return any(isinstance(one, Plain) and one.name in {"File", "Directory"} for one in among)
