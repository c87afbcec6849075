"""Patterns of paths in a specification: `*` in a name, `**` across folders, `{key}` of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from relance.errors import InputError

_TOKENS = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|[^*?]")
_WRITTEN = {"**/": r"(?:.*/)?", "/**": r"/.*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def filled(text: str, configuration: Mapping[str, Any]) -> str:
    """Return a path with each `{key}` replaced by that value of the configuration; `a.b` names a nested one.

    Raises:
        InputError: there is no such key, or its value is neither text nor a number.
    """

    def value(match: re.Match[str]) -> str:
        found: Any = configuration
        for part in match[1].split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if isinstance(found, bool) or not isinstance(found, (str, int, float)):
            raise InputError(
                f"the path {text!r} of the specification",
                expected=f"{match[1]!r} in the configuration, as text or a number",
                found="none" if found is None else repr(found),
                next_step="name a key that the configuration has",
            )
        return str(found)

    return _PLACEHOLDER.sub(value, text)


def matcher(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return what matches, as a whole, the paths that any of these patterns means; nothing if there are none.

    A pattern that names a folder means all that is in it.
    """
    expressions = [
        "".join(_WRITTEN.get(token, re.escape(token)) for token in _TOKENS.findall(pattern.rstrip("/")))
        for pattern in patterns
    ]
    return re.compile("|".join(f"(?:{part})(?:/.*)?" for part in expressions) or r"(?!)", re.DOTALL)
