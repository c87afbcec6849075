"""Patterns of paths in a specification: `*` in a name, `**` across folders."""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKENS = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|[^*?]")
_WRITTEN = {"**/": r"(?:.*/)?", "/**": r"/.*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}


def matcher(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return what matches, as a whole, the paths that any of these patterns means; nothing if there are none.

    A pattern that names a folder means all that is in it.
    """
    expressions = [
        "".join(_WRITTEN.get(token, re.escape(token)) for token in _TOKENS.findall(pattern.rstrip("/")))
        for pattern in patterns
    ]
    return re.compile("|".join(f"(?:{part})(?:/.*)?" for part in expressions) or r"(?!)", re.DOTALL)
