"""YAML files read safely into plain values, remembering on which line each part stands."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from relance.errors import InputError

_Keys = tuple[str | int, ...]
_MOST_VALUES = 1_000_000


@dataclass(frozen=True)
class Document:
    """A file's content with the line of every part of it.

    `value` holds what JSON can say, nothing else. `lines` maps a path of keys and indices, such as
    `("images", "fit")` or `("samples", 0)`, to the line (from 1) where that key or item stands.
    """

    path: Path
    value: Any
    lines: Mapping[tuple[str | int, ...], int]

    def where(self, *keys: str | int) -> str:
        """Return `file:line` of the part that `keys` lead to, or of the nearest part around it."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return f"{self.path}:{self.lines.get(keys, 1)}"


def read(path: Path) -> Document:
    """Read a YAML (or JSON) file, with no schema.

    YAML is understood as version 1.2 does: `1e-3` is a number; `yes`, `on` and dates are text. Keys are
    text. Tags, merge keys, repeated keys and aliases that unfold to something huge are refused.

    Raises:
        InputError: the file can't be read or isn't such YAML; the line is told.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    return parse(data, path)


def parse(data: bytes, path: Path) -> Document:
    """Read a YAML (or JSON) text as `read` does; `path` is for messages.

    Raises:
        InputError: it isn't such YAML; the line is told.
    """
    try:
        # Line ends of any system, as `open` reads them.
        text = data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise _unreadable(path, "bytes that aren't UTF-8") from error
    return _parsed(text, path)


def value(text: str, path: Path) -> Any:
    """Return the value that a short text says in YAML, as in `--set mass=2500`; `path` is for messages.

    Raises:
        InputError: it isn't such YAML as `read` takes.
    """
    return _parsed(text, path).value


def _parsed(text: str, path: Path) -> Document:
    lines: dict[_Keys, int] = {}
    try:
        root = yaml.compose(text, Loader=_Loader)
        content = None if root is None else _Reader(path, lines).value(root, (), ())
    except yaml.YAMLError as error:
        raise _syntax_error(path, error) from error
    except RecursionError as error:
        raise _unreadable(path, "lists nested too deep") from error
    return Document(path, content, lines)


class _Loader(yaml.SafeLoader):
    """A YAML reader that tells numbers, booleans and null from text as YAML 1.2 does."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.inf$|^\.nan$"),
    list("-+.0123456789"),
)


class _Reader:
    """Turns YAML nodes into plain values and notes the line of each."""

    def __init__(self, path: Path, lines: dict[_Keys, int]) -> None:
        self._path = path
        self._lines = lines
        self._count = 0

    def value(self, node: yaml.Node, keys: _Keys, above: tuple[int, ...]) -> Any:
        self._lines.setdefault(keys, node.start_mark.line + 1)
        self._count += 1
        if id(node) in above or self._count > _MOST_VALUES:
            raise self._refusal(node, "an alias can't be used", found="no end of values", expected="a tree")
        above = (*above, id(node))
        if node.tag == "tag:yaml.org,2002:map" and isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys, above)
        if node.tag == "tag:yaml.org,2002:seq" and isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*keys, index), above) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        raise self._refusal(node, "a tag isn't allowed", found=node.tag, expected="plain YAML")

    def _mapping(self, node: yaml.MappingNode, keys: _Keys, above: tuple[int, ...]) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._refusal(key_node, "a key isn't text", found="a list or mapping", expected="text")
            key = self._text(key_node)
            if key in mapping:
                first = self._lines[*keys, key]
                raise self._refusal(
                    key_node,
                    f"the key {key!r} is repeated",
                    found=f"it on line {first} too",
                    expected="one",
                )
            if key == "<<" and key_node.style is None:
                raise self._refusal(
                    key_node, "merge keys aren't allowed", found="'<<'", expected="every key written out"
                )
            self._lines[*keys, key] = key_node.start_mark.line + 1
            mapping[key] = self.value(value_node, (*keys, key), above)
        return mapping

    def _scalar(self, node: yaml.ScalarNode) -> str | int | float | bool | None:
        text: str = node.value
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "str":
                return self._text(node)
            case "null":
                return None
            case "bool" if text in {"true", "false"}:
                return text == "true"
            case "int" if re.fullmatch(r"[-+]?[0-9]+", text):
                return int(text)
            case "float" if not re.search(r"[^-+.0-9eE]", text) and math.isfinite(float(text)):
                return float(text)
        raise self._refusal(
            node, "a value can't be used", found=repr(text), expected="text or a finite number"
        )

    def _text(self, node: yaml.ScalarNode) -> str:
        """Return a scalar's text; JSON's escapes may write one character as two surrogates."""
        try:
            return str(node.value).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as error:
            raise self._refusal(node, "not text", found="half a character", expected="Unicode") from error

    def _refusal(self, node: yaml.Node, what: str, *, found: str, expected: str) -> InputError:
        return InputError(
            f"{self._path}:{node.start_mark.line + 1}: {what}",
            expected=expected,
            found=found,
            next_step="correct this line",
        )


def _unreadable(path: Path, found: str) -> InputError:
    return InputError(
        f"{path} can't be read",
        expected="a text file in UTF-8",
        found=found,
        next_step="check the name, the permissions and the content",
    )


def _syntax_error(path: Path, error: yaml.YAMLError) -> InputError:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    return InputError(
        f"{path}:{line}: not YAML",
        expected="correct YAML (look at indentation, quotes and colons)",
        found=getattr(error, "problem", None) or str(error),
        next_step="correct this line or the one before",
    )
