"""Parameters for a workflow of yadage: files and assignments, the later ones counting."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from relance.errors import InputError
from relance.languages import yamlfile
from relance.languages.model import Json


def gathered(files: Iterable[Path], assignments: Iterable[str]) -> dict[str, Json]:
    """Return the parameters of files and of `key=value`, where the value is YAML.

    Raises:
        InputError: a file isn't a mapping in YAML, or an assignment isn't one.
    """
    found: dict[str, Json] = {}
    for file in files:
        document = yamlfile.read(file, file)
        if not isinstance(document.value, dict):
            raise InputError(
                f"{document.where()}: no parameters",
                expected="a mapping of parameters",
                found=type(document.value).__name__,
                next_step="correct the file",
            )
        found.update(document.value)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not key or not equals:
            raise _no_assignment(assignment, "no '='")
        try:
            found[key] = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise _no_assignment(assignment, "a value that isn't YAML") from error
    return found


def _no_assignment(text: str, found: str) -> InputError:
    return InputError(
        f"the parameter {text!r} can't be used",
        expected="KEY=VALUE",
        found=found,
        next_step="put quotes around what the shell would change",
    )
