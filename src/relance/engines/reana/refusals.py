"""What becomes of a request that a server doesn't do: it is gone, it won't, or it gives no links."""

from __future__ import annotations

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


NEXT = {
    401: "check REANA_ACCESS_TOKEN: the server's page 'Your profile' shows the token",
    403: "check the name of the run and REANA_ACCESS_TOKEN",
    404: "see 'relance reana list' for what there is",
    409: "see 'relance reana status' for what the run does now",
    411: "tell the developers: the server wants to know sizes beforehand",
    413: "make it smaller, or free space with 'relance reana delete'",
}
"""What a user can do, by the status of HTTP."""
