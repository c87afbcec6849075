"""YAML 1.2 with the line of every part, by the parser that the language's own programs use.

Ours takes no `type: string?` within braces, which stands in many documents.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from relance.document import Document
from relance.errors import InputError, MissingPartError

_MOST_VALUES = 1_000_000
_Keys = tuple[str | int, ...]


def parse(text: str, shown: Path) -> tuple[Document, Any]:
    """Return a text's plain values with their lines, and what the parser made of it.

    Raises:
        InputError: it isn't YAML, or has more in it than values.
        MissingPartError: the parser isn't installed.
    """
    try:
        from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415 - a part of its own
        from schema_salad.utils import yaml_no_ts  # noqa: PLC0415
    except ImportError as error:
        raise missing() from error
    try:
        content = yaml_no_ts().load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        raise InputError(
            f"{shown}:{mark.line + 1 if mark else 1}: not YAML",
            expected="correct YAML (look at indentation, quotes and colons)",
            found=getattr(error, "problem", None) or type(error).__name__,
            next_step="correct this line or the one before",
        ) from error
    plain = _Plain(shown)
    value = plain.value(content, (), (), 1)
    return Document(shown, value, plain.lines), content


def missing() -> MissingPartError:
    """Return the error that tells what reads the language."""
    return MissingPartError(
        "workflows in CWL can't be read",
        expected="the Python library cwl-utils",
        found="none",
        next_step="install it: pip install 'relance[cwl]'",
    )


class _Plain:
    """Makes plain values, and notes their lines."""

    def __init__(self, shown: Path) -> None:
        self.lines: dict[_Keys, int] = {}
        self._shown = shown
        self._count = 0

    def value(self, node: Any, keys: _Keys, above: tuple[int, ...], line: int) -> Any:
        from ruamel.yaml.comments import CommentedMap, CommentedSeq  # noqa: PLC0415

        self.lines.setdefault(keys, line)
        self._count += 1
        if id(node) in above or self._count > _MOST_VALUES:
            raise self._refusal(line, "an alias that has no end")
        if isinstance(node, CommentedMap):
            inner = (*above, id(node))
            return {
                self._key(key, line): self.value(one, (*keys, key), inner, node.lc.key(key)[0] + 1)
                for key, one in node.items()
            }
        if isinstance(node, CommentedSeq):
            inner = (*above, id(node))
            return [
                self.value(one, (*keys, index), inner, node.lc.item(index)[0] + 1)
                for index, one in enumerate(node)
            ]
        return self._scalar(node, line)

    def _key(self, key: Any, line: int) -> str:
        if isinstance(key, str):
            return str(key)
        raise self._refusal(line, f"the key {key!r}")

    def _scalar(self, node: Any, line: int) -> str | int | float | bool | None:
        if node is None or isinstance(node, bool):
            return node
        if isinstance(node, str):
            return str(node)
        if isinstance(node, int):
            return int(node)
        if isinstance(node, float) and math.isfinite(node):
            return float(node)
        raise self._refusal(line, type(node).__name__)

    def _refusal(self, line: int, found: str) -> InputError:
        return InputError(
            f"{self._shown}:{line}: a value can't be used",
            expected="text, a number, a boolean, a list or a mapping",
            found=found,
            next_step="correct this line",
        )
