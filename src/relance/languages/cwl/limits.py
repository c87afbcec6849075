"""What can't be compiled, told by file and line."""

from __future__ import annotations

from relance.errors import InputError
from relance.languages.cwl.support import expressions
from relance.languages.model import Json, PlanError
from relance.languages.references import Part

_SAYING = ("label", "doc", "id", "name", "intent")


class UnsupportedError(InputError):
    """Something is CWL, and can't be compiled."""


def unsupported(part: Part, what: str, *, found: str, expected: str) -> UnsupportedError:
    """Return the error that tells what can't be compiled, and where it stands."""
    return UnsupportedError(
        f"{part.where}: {what}",
        expected=expected,
        found=found,
        next_step="write it without, or let cwltool run the workflow: 'relance convert --engine cwltool'",
    )


def only(part: Part, what: str, *keys: str) -> None:
    """Refuse keys that can't be compiled; what is for readers and of other name spaces isn't looked at.

    Raises:
        UnsupportedError: there is one.
    """
    for key in part.mapping():
        known = key in keys or key in _SAYING or ":" in key or key.startswith("$")
        if not known:
            here = part.get(key) or part
            raise unsupported(here, f"{what} has '{key}'", found=key, expected=f"one of {', '.join(keys)}")


def text(part: Part, version: str) -> str:
    """Return text whose expressions are parameter references.

    Raises:
        UnsupportedError: there is JavaScript in it.
    """
    found = simple(part, version)
    return found if isinstance(found, str) else str(found)


def simple(part: Part, version: str) -> Json:
    """Return a value that may be text with parameter references.

    Raises:
        UnsupportedError: there is JavaScript in it.
    """
    value = _included(part) if isinstance(part.value, dict) and "$include" in part.value else part.value
    try:
        allowed = expressions.simple(value, version)
    except PlanError as error:
        raise unsupported(
            part, str(error), found=brief(value), expected="a bracket that closes it"
        ) from error
    if not allowed:
        raise unsupported(
            part, "JavaScript can't be compiled", found=brief(value), expected="parameter references"
        )
    if expressions.needed(value) and any(
        name in piece.text
        for piece in expressions.pieces(value, version)
        if piece.expression
        for name in (".size", ".checksum", ".listing", "exitCode")
    ):
        raise unsupported(
            part,
            "a reference can't be compiled",
            found=brief(value),
            expected="one to path, basename, nameroot, nameext, dirname or contents",
        )
    return value


def _included(part: Part) -> str:
    """Return the text of the file that stands for a text."""
    name = part.mapping()["$include"]
    top = part.sources.toplevel.resolve()
    path = (part.folder / str(name)).resolve()
    if not path.is_relative_to(top) or not path.is_file():
        raise part.refusal("a text can't be included", found=repr(name), expected=f"a file in {top}")
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise part.refusal("a text can't be included", found=str(error), expected="UTF-8") from error


def brief(value: Json) -> str:
    """Return a value on one line, for a message."""
    shown = " ".join(str(value).split())
    return repr(shown if len(shown) <= 60 else f"{shown[:57]}...")
