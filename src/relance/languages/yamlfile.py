"""YAML as workflow languages read it: version 1.1, merge keys allowed, a repeated key's last value counts.

`relance.document` is for our own files, and stricter: there `1e-3` is a number and `yes` is text.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import yaml

from relance.document import Document
from relance.errors import InputError

_MOST_VALUES = 1_000_000
_Keys = tuple[str | int, ...]


def read(path: Path, shown: Path) -> Document:
    """Read a YAML (or JSON) file into what JSON can say; `shown` is its name in messages.

    Raises:
        InputError: the file can't be read or isn't such YAML; the line is told.
    """
    text = text_of(path, shown)
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(
            f"{shown}:{line}: not YAML",
            expected="text that can be shown",
            found=f"the character U+{ord(text[error.position]):04X}",
            next_step="take it out",
        ) from error
    try:
        root = loader.get_single_node()
        lines: dict[_Keys, int] = {}
        value = None if root is None else _Reader(loader, shown, lines).value(root, (), ())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            f"{shown}:{mark.line + 1 if mark else 1}: not YAML",
            expected="correct YAML without tags of its own",
            found=getattr(error, "problem", None) or str(error),
            next_step="correct this line or the one before",
        ) from error
    except RecursionError as error:
        raise InputError(
            f"{shown} can't be read",
            expected="YAML for people",
            found="lists nested too deep",
            next_step="check the file",
        ) from error
    finally:
        loader.dispose()
    return Document(shown, value, lines)


def text_of(path: Path, shown: Path) -> str:
    """Return the text of a file; `shown` is its name in messages.

    Raises:
        InputError: it can't be read, or isn't text.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{shown} can't be read",
            expected="a text file in UTF-8",
            found=getattr(error, "strerror", None) or "other bytes",
            next_step="check the name, the permissions and the content",
        ) from error


class _Reader:
    """Turns YAML nodes into plain values and notes the line of each."""

    def __init__(self, loader: yaml.SafeLoader, path: Path, lines: dict[_Keys, int]) -> None:
        self._loader = loader
        self._path = path
        self._lines = lines
        self._count = 0

    def value(self, node: yaml.Node, keys: _Keys, above: tuple[int, ...]) -> Any:
        self._lines.setdefault(keys, node.start_mark.line + 1)
        self._count += 1
        if id(node) in above or self._count > _MOST_VALUES:
            raise self._refusal(node, "an alias that has no end")
        above = (*above, id(node))
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(item, (*keys, index), above) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            self._loader.flatten_mapping(node)
            mapping = {}
            for key_node, value_node in node.value:
                key = self._key(key_node)
                self._lines[*keys, key] = key_node.start_mark.line + 1
                mapping[key] = self.value(value_node, (*keys, key), above)
            return mapping
        return self._scalar(node)

    def _key(self, node: yaml.Node) -> str:
        value = self._scalar(node)
        if isinstance(value, bool) or value is None:
            return {True: "true", False: "false", None: "null"}[value]
        return str(value)

    def _scalar(self, node: yaml.Node) -> str | int | float | bool | None:
        try:
            value = self._loader.construct_object(node) if isinstance(node, yaml.ScalarNode) else node
        except ValueError:
            value = node
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        raise self._refusal(
            node, getattr(node, "value", None) if isinstance(node, yaml.ScalarNode) else node.tag
        )

    def _refusal(self, node: yaml.Node, found: Any) -> InputError:
        return InputError(
            f"{self._path}:{node.start_mark.line + 1}: a value can't be used",
            expected="text, a number, a boolean, a list or a mapping (dates in quotes)",
            found=repr(found),
            next_step="correct this line",
        )
