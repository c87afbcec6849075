"""Text as a Snakefile writes it."""

from __future__ import annotations

import json
import re


def literal(text: str) -> str:
    """Return a text as Python would write it, on lines of its own if it has several."""
    plain = text.isprintable() or not re.search(r"[^\n\t -~\u00a0-\uffff]", text)
    if "\n" in text and plain and '"""' not in text and not re.search(r'["\\]$', text):
        return f'r"""{text}"""'
    return quoted(text)


def quoted(text: str) -> str:
    """Return a text in quotes, on one line."""
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else repr(text)


def line(text: str) -> str:
    """Return a text on one line, fit for a comment."""
    return " ".join(text.split())
