"""What a submission is called and given, as typed on the command line."""

from __future__ import annotations

import re

from relance.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def run_name(name: str | None, otherwise: str) -> str:
    """Return a name as REANA takes it: the one that was given, or one made of that of a folder or capsule.

    Raises:
        InputError: it isn't one, or none can be made.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", otherwise).strip("-") if name is None else name
    if not _NAME.fullmatch(plain) or _UUID.fullmatch(plain):
        raise InputError(
            f"name {otherwise if name is None else name!r}",
            expected="letters, digits, '-' and '_', and no UUID",
            found=repr(plain),
            next_step="give another with '--name'",
        )
    return plain


def pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    """Return the values of an option that is NAME=VALUE.

    Raises:
        InputError: one isn't written so, or a name comes twice.
    """
    found: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name or name != name.strip() or name in found:
            raise InputError(
                f"{option} {pair}",
                expected="NAME=VALUE, each name once",
                found=f"'{name}' twice" if name in found else repr(pair),
                next_step="write both, without spaces around '='",
            )
        found[name] = value
    return found
