"""Which of the three forms of its API a server speaks, and how it wants to be told the token."""

from __future__ import annotations

from typing import Any

from relance.engines.reana.model import Login, Protocol, Server
from relance.engines.reana.refusals import RefusedError
from relance.engines.reana.session import Session
from relance.errors import InputError

_BUNDLES = "workflow-specification-bundles-v1"


def negotiate(session: Session) -> tuple[Server, Session]:
    """Return what a server is, and a session that is logged in.

    A server with bundles is told the token as a header first; in the address, which servers write into their
    logs, only if it doesn't ask for a header by name.

    Raises:
        InputError: the server doesn't take the token, or is no REANA server.
        UnreachableError: it doesn't answer, or answers what no REANA server does.
    """
    try:
        said = session.read("GET", "/api/ping")
    except RefusedError as error:
        error.expected = "a REANA server, which answers anybody who asks for /api/ping"
        error.next_step = "check REANA_SERVER_URL: it is the server's address alone, without any page of it"
        raise
    if not isinstance(said, dict) or "message" not in said:
        raise session.broken("no REANA server")
    capabilities = said.get("api_capabilities")
    bundles = isinstance(capabilities, list) and _BUNDLES in capabilities
    version = said.get("reana_server_version")
    refusal: RefusedError | None = None
    for login in (Login.BEARER, Login.QUERY) if bundles else (Login.QUERY,):
        ours = session.logged_in(login)
        try:
            user = _user(ours.read("GET", "/api/you"))
        except RefusedError as error:
            ours.__exit__()
            if error.status not in {401, 403}:
                raise
            refusal = error
            if login is Login.BEARER and error.wants_header:
                break
            continue
        server = Server(
            session.server,
            Protocol.BUNDLE if bundles else Protocol.JSON,
            login,
            session.cleaned(version) if isinstance(version, str) else None,
            session.cleaned(user),
        )
        return server, ours
    raise InputError(
        session.subject,
        expected="a token that it knows in REANA_ACCESS_TOKEN",
        found=refusal.found if refusal else "none",
        next_step="copy the token from the server's page 'Your profile'; tokens that expired must be renewed",
    )


def _user(said: Any) -> str:
    email = said.get("email") if isinstance(said, dict) else None
    return email if isinstance(email, str) else ""
