"""The address of a server, as a user gives it."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from relance.errors import InputError
from relance.store.registry.reference import is_loopback


def address(text: str) -> str:
    """Return a server's address as it is used here.

    Raises:
        InputError: it is none, holds a login, or would send the token without TLS to another machine.
    """
    try:
        parts = urlsplit(text.strip().rstrip("/"))
    except ValueError:
        parts = urlsplit("")
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))
    found = ""
    if parts.username is not None or parts.password is not None:
        found = "a login in it"
    elif parts.query or parts.fragment:
        found = "more behind the path"
    elif not secure or not parts.hostname:
        found = f"{parts.scheme}://{parts.hostname or ''}" if parts.scheme else "no https:// before it"
    if found:
        raise InputError(
            "the address of the REANA server",
            expected="https://HOST, such as https://reana.example.org",
            found=found,
            next_step="set REANA_SERVER_URL; the token goes into REANA_ACCESS_TOKEN",
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
