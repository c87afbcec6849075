"""What a workflow is given: files of parameters and assignments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from relance import document
from relance.errors import InputError
from relance.languages.model import Json

_OVERRIDES = ("cwl:requirements", "cwl:overrides")
_IGNORED = ("cwl:tool", "$namespaces", "$schemas")


@dataclass(frozen=True)
class Parameters:
    """Values by the names of inputs."""

    values: Mapping[str, Json]
    folders: tuple[Path, ...]
    """Where files that they name are looked for, one after another."""
    where: str
    """Where they stand, for messages."""


def of_file(path: Path, *further: Path) -> Parameters:
    """Return the parameters of a file; files in them are relative to it, or else to one of further folders.

    Raises:
        InputError: it isn't a mapping in YAML, or says more than values.
    """
    found = document.read(path)
    if not isinstance(found.value, dict):
        raise InputError(
            f"{found.where()}: no parameters",
            expected="a mapping of parameters",
            found=type(found.value).__name__,
            next_step="correct the file",
        )
    for key in _OVERRIDES:
        if key in found.value:
            raise InputError(
                f"{found.where(key)}: parameters have '{key}'",
                expected="inputs alone",
                found="more",
                next_step="write it into the workflow",
            )
    values = {key: one for key, one in found.value.items() if key not in _IGNORED}
    return Parameters(values, (path.parent, *further), str(path))


def of_assignments(assignments: Iterable[str]) -> Parameters:
    """Return the parameters of `key=value`, whose value is YAML; files are relative to the current folder.

    Raises:
        InputError: one isn't an assignment.
    """
    values: dict[str, Json] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not key or not equals:
            raise InputError(
                f"the parameter {assignment!r} can't be used",
                expected="KEY=VALUE",
                found="no '='",
                next_step="put quotes around what the shell would change",
            )
        values[key] = document.value(text, Path(key))
    return Parameters(values, (Path(),), "--parameter")
