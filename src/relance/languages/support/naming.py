"""What the folders of stages are called: like the stages, with `%20` for a space and so on.

No other stage's folder is called the same, and letters, digits, `_`, `.` and `-` stay as they are.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_PLAIN = re.compile(r"\w[\w.-]*")
_KEPT = re.compile(r"[\w.-]")


def folder(name: str) -> str:
    """Return what the folder of a stage, or of a job of it, is called."""
    if _PLAIN.fullmatch(name):
        return name
    first = name[:1] if re.match(r"\w", name) else _signs(name[:1])
    return first + "".join(one if _KEPT.match(one) else _signs(one) for one in name[1:])


def stage(called: str) -> str:
    """Return the name of the stage whose folder is called so."""
    return unquote(called)


def _signs(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode())
