"""The token left out of all that a server says, should it say that back to us."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

_MOST_WORDS = 500
_SHORTEST_TOKEN = 8
"""Letters; a shorter one would be found in words that aren't it."""


def words(text: str, token: str) -> str:
    """Return a server's words on one line, to be shown in a message; of many only the first."""
    left = text
    for form in _forms(token):
        left = left.replace(form, "…")
    return " ".join("".join(one if one.isprintable() else " " for one in left).split())[:_MOST_WORDS]


def answer(data: bytes, token: str) -> bytes:
    """Return an answer without the token: logs and commands that hold it are shown and recorded."""
    if len(token) >= _SHORTEST_TOKEN:
        for form in _forms(token):
            data = data.replace(form.encode(), "…".encode())
    return data


def _forms(token: str) -> tuple[str, ...]:
    """Return a token as it may be written, in addresses too."""
    return (
        tuple(dict.fromkeys((token, quote_plus(token), quote(token), quote(token, safe="")))) if token else ()
    )
