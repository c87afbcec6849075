"""The declared results read from the files of a run, each found fault told with file and pointer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from relance import digest
from relance.errors import InputError
from relance.results.model import SIGMAS, Bands, Result, ResultFile, Results
from relance.specification import values
from relance.specification.model import ResultField, ResultType, Specification, Visibility

READERS = frozenset({Visibility.PUBLIC, Visibility.COLLABORATION})
"""What an analyst may see: all that isn't blinded."""

_MOST_BYTES = 1 << 28
_SNAKEMAKE_MARK = ".snakemake_timestamp"
"""What Snakemake leaves in each folder that a job makes; no part of what the job made."""
_PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_.-]+)\}")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class Files(Protocol):
    """Where results lie: a folder, or a capsule."""

    def read(self, path: str, most: int) -> bytes:
        """Return a file's content if it has at most so many bytes.

        Raises:
            InputError: there is none, or it is larger.
        """
        ...

    def describe(self, path: str) -> ResultFile:
        """Return what is known of a file or folder.

        Raises:
            InputError: there is none.
        """
        ...


def read(
    specification: Specification,
    folder: Path,
    configuration: Mapping[str, object],
    visible: Collection[Visibility] = READERS,
) -> Results:
    """Read all results that a specification declares from a folder that the analysis ran in.

    Args:
        specification: what says where each result stands, and its unit.
        folder: that of the analysis.
        configuration: the one that the run had; placeholders such as `{output}` are looked up in it.
        visible: a result of another visibility is returned without its value.

    Raises:
        InputError: a file isn't there or isn't what the specification says; file, pointer, what was expected
            and what was found, of all results at once.
    """
    return read_from(Folder(folder), specification, configuration, visible)


def read_from(
    files: Files,
    specification: Specification,
    configuration: Mapping[str, object],
    visible: Collection[Visibility] = READERS,
) -> Results:
    """Read all results from wherever they lie; see `read`."""
    documents = _Documents(files)
    wrong: list[InputError] = []
    found: dict[str, Result] = {}
    for name, declared in specification.interface.results.items():
        try:
            path = placed(declared.file, configuration, f"result '{name}'")
            visibility = specification.visibility_of(name)
            hidden = visibility not in visible
            value = None if hidden else _value(documents, name, declared, path)
            found[name] = Result(
                name=name,
                title=declared.title,
                type=declared.type,
                unit=None if declared.type is ResultType.FILE else declared.unit or "1",
                value=value,
                observed=declared.observed,
                visibility=visibility,
                file=path,
                pointer=declared.pointer,
                hidden=hidden,
            )
        except InputError as error:
            wrong.append(error)
    if wrong:
        raise values.together(wrong)
    return Results(found)


def placed(template: str, configuration: Mapping[str, object], subject: str) -> str:
    """Return a path of the specification with its placeholders replaced.

    Raises:
        InputError: the configuration has no such key, or its value leads out of the analysis's folder.
    """

    def looked_up(match: re.Match[str]) -> str:
        value: object = configuration
        for part in match[1].split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise _refusal(
                f"{subject}: {template}",
                f"'{match[1]}' in the configuration",
                "none" if value is None else repr(value)[:80],
                "correct the specification, or set it",
            )
        return str(value)

    path = _PLACEHOLDER.sub(looked_up, template).removeprefix("./")
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise _refusal(subject, "a path below the analysis's folder", repr(path), "correct the configuration")
    return path


class Folder:
    """Results in a folder; links that lead out of it are refused, since jobs can make them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str, most: int) -> bytes:
        """Return a file's content; see `Files`."""
        place = self._place(path)
        if place.is_dir():
            raise _refusal(str(place), "a JSON file", "a folder", "correct the specification")
        with place.open("rb") as stream:
            data = stream.read(most + 1)
        if len(data) > most:
            raise too_large(str(place), most)
        return data

    def describe(self, path: str) -> ResultFile:
        """Return path, digest and size of a file or folder; see `Files`."""
        place = self._place(path)
        if place.is_dir():
            inside = [file for file in place.rglob("*") if file.is_file() and not file.is_symlink()]
            size = sum(file.stat().st_size for file in inside)
            return ResultFile(path, digest.of_tree(place, leaving_out=(_SNAKEMAKE_MARK,)), size)
        return ResultFile(path, digest.of_file(place), place.stat().st_size)

    def _place(self, path: str) -> Path:
        place = self._folder / path
        if not place.exists():
            raise absent(str(place))
        if not place.resolve().is_relative_to(self._folder.resolve()) or not (
            place.is_file() or place.is_dir()
        ):
            raise _refusal(str(place), "a file of the analysis", "a link or device", "remove it")
        return place


def absent(path: str) -> InputError:
    """Return the error that a result's file isn't there."""
    return _refusal(path, "a result that the specification declares", "no such file", "run the analysis")


def too_large(path: str, most: int) -> InputError:
    """Return the error that a file is larger than any that holds numbers."""
    return _refusal(path, f"at most {most} bytes of JSON", "more", "declare it as a result of type 'file'")


class _Documents:
    """JSON files, each read once."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._read: dict[str, Any] = {}

    def value(self, path: str) -> Any:
        if path not in self._read:
            data = self.files.read(path, _MOST_BYTES)
            try:
                self._read[path] = json.loads(data)
            except (ValueError, RecursionError) as error:
                raise _refusal(path, "JSON", str(error), "make it again") from error
        return self._read[path]


def _value(
    documents: _Documents, name: str, declared: ResultField, path: str
) -> float | Bands | ResultFile | None:
    if declared.type is ResultType.FILE and declared.pointer is None:
        return documents.files.describe(path)
    pointer = declared.pointer or ""
    place = f"result '{name}': {path}#{pointer}"
    found = _at(documents.value(path), pointer, place)
    if declared.type is ResultType.NUMBER:
        return _number(found, place)
    if not isinstance(found, Mapping) or not set(SIGMAS) <= found.keys():
        raise _refusal(place, f"a mapping with {', '.join(SIGMAS)}", _shown(found), "correct the pointer")
    return Bands(*(_number(found[sigma], f"{place}/{sigma}") for sigma in SIGMAS))


def _at(document: Any, pointer: str, place: str) -> Any:
    """Return what a JSON pointer (RFC 6901) leads to."""
    value = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            raise _refusal(place, f"'{key}'", _shown(value), "correct the pointer or make the file again")
    return value


def _number(found: object, place: str) -> float | None:
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise _refusal(place, "a number or null", _shown(found), "correct the pointer or the type")
    try:
        number = float(found)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _refusal(place, "a finite number or null", _shown(number), "correct the program that wrote it")
    return number


def _shown(found: object) -> str:
    match found:
        case Mapping():
            keys = ", ".join(map(str, list(found)[:12]))
            return f"a mapping with {keys}"[:200] if keys else "an empty mapping"
        case list():
            return f"a list of {len(found)}"
        case _:
            return repr(found)[:80]


def _refusal(subject: str, expected: str, found: str, next_step: str) -> InputError:
    return InputError(subject, expected=expected, found=found, next_step=next_step)
