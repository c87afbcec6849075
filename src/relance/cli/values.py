"""What `--config` and `--set` mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import yaml

from relance import document
from relance.errors import InputError


def configuration(given: str, analysis: Path, here: Path) -> Path:
    """Return the configuration file that is meant: a path, or the name of one that the analysis brings.

    Raises:
        InputError: there is no such file, or two analyses in the folder have one of this name; or it isn't
            YAML with keys, of which Snakemake wouldn't say the line.
    """
    found = _found(given, analysis, here)
    _check(found)
    return found


def _found(given: str, analysis: Path, here: Path) -> Path:
    for folder in (here, analysis):
        if (folder / given).is_file():
            return (folder / given).resolve()
    brought = sorted([*analysis.glob("workflows/*/config/*.yaml"), *analysis.glob("config/*.yaml")])
    named = [path for path in brought if path.stem == given]
    if len(named) == 1:
        return named[0].resolve()
    names = sorted({path.stem for path in brought})
    nearest = difflib.get_close_matches(given, names, n=1)
    raise InputError(
        f"configuration '{given}'",
        expected=f"a file, or one of {', '.join(names)}" if names else "a file",
        found=" and ".join(map(str, named)) or "neither",
        next_step=f"write '--config {nearest[0]}'" if nearest else "give the file's path",
    )


def _check(path: Path) -> None:
    try:
        node = yaml.compose(path.read_bytes(), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            f"{path}:{1 if mark is None else mark.line + 1}: not YAML",
            expected="correct YAML (look at indentation, quotes and colons)",
            found=getattr(error, "problem", None) or "text that isn't UTF-8",
            next_step="correct this line or the one before",
        ) from error
    if not isinstance(node, yaml.MappingNode):
        raise InputError(
            f"{path}:{1 if node is None else node.start_mark.line + 1}: a configuration",
            expected="keys with values, such as 'seed: 1'",
            found="nothing" if node is None else "a list" if isinstance(node, yaml.SequenceNode) else "text",
            next_step="write them, or give another file",
        )


def settings(assignments: Iterable[str]) -> dict[str, object]:
    """Return the nested values that `KEY=VALUE` assignments set, as `{"signal": {"mass": 2500}}`.

    A value is read as YAML: a number, true, text, a list.

    Raises:
        InputError: one isn't an assignment, or two contradict each other.
    """
    nested: dict[str, object] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        parts = key.split(".")
        if not equals or not all(part.strip() == part != "" for part in parts):
            raise InputError(
                f"--set {assignment}",
                expected="KEY=VALUE, such as signal.mass=2500",
                found="no '='" if not equals else f"the key {key!r}",
                next_step="write both, without spaces around '='",
            )
        level = nested
        for part in parts[:-1]:
            inner = level.setdefault(part, {})
            if not isinstance(inner, dict):
                raise _contradiction(assignment, part)
            level = inner
        if parts[-1] in level:
            raise _contradiction(assignment, key)
        level[parts[-1]] = document.value(text, Path("--set"))
    return nested


def _contradiction(assignment: str, key: str) -> InputError:
    return InputError(
        f"--set {assignment}", expected="each key once", found=f"'{key}' set twice", next_step="keep one"
    )
