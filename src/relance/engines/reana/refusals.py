"""What becomes of a request that a server doesn't do: it is gone, it won't, or it gives no links."""

from __future__ import annotations

import re

from relance.errors import InputError, MissingPartError


class UnreachableError(MissingPartError):
    """The server doesn't answer, is too busy, or answers with what no server may."""


class RefusedError(InputError):
    """The server answers, and won't; `status` is that of HTTP, `words` what it says."""

    status = 0
    words = ""
    wants_header = False
    """Whether the server asks for the token as a header, by name."""


class LinkError(RefusedError):
    """A file of a workspace is a symbolic link, which servers list and don't give."""


_NO_RUN = re.compile(r"REANA_WORKON is set to (.+), but that workflow does not exist")
"""What servers say of a run that isn't there: advice for their own client's users."""

_NEXT = {
    401: "check REANA_ACCESS_TOKEN: the server's page 'Your profile' shows the token",
    403: "check the name of the run and REANA_ACCESS_TOKEN",
    404: "see 'relance reana list' for what there is",
    409: "see 'relance reana status' for what the run does now",
    411: "tell the developers: the server wants to know sizes beforehand",
    413: "make it smaller, or free space with 'relance reana delete'",
}
"""What a user can do, by the status of HTTP."""


def refused(server: str, status: int, words: str) -> RefusedError:
    """Return the error for what a server won't do, by the status of HTTP and its own words."""
    unknown = _NO_RUN.search(words)
    if unknown:
        error = RefusedError(
            f"run {unknown[1]}",
            expected=f"one of yours on {server}",
            found="none of that name",
            next_step=_NEXT[404],
        )
    else:
        error = RefusedError(
            f"REANA server {server}",
            expected="the server to do what it is asked",
            found=f"HTTP status {status}{f' ({words})' if words else ''}",
            next_step=_NEXT.get(status, "correct what is asked"),
        )
    error.status = status
    error.words = words
    return error
