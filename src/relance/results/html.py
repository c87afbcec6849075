"""HTML for notebooks. All text is escaped: titles and names come from whoever wrote the analysis."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Return a table of text; nothing in it is taken for HTML."""
    top = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    head = f"<tr>{_cells('th', header)}</tr>"
    return f"<table>{top}<thead>{head}</thead><tbody>{body}</tbody></table>"


def paragraph(text: str) -> str:
    """Return a paragraph of text."""
    return f"<p>{html.escape(text)}</p>"


def image(png: bytes, alternative: str) -> str:
    """Return a picture, inside the text, so that the notebook needs no other file."""
    import base64  # noqa: PLC0415 - only a shown picture needs it

    data = base64.b64encode(png).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(alternative)}">'


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "".join(f"<{tag} style='text-align:left'>{html.escape(text)}</{tag}>" for text in texts)
