"""The server that commands speak with, and what is remembered of the runs on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from relance.cli import places
from relance.errors import InputError

if TYPE_CHECKING:
    from relance.engines.reana.client import Client

SERVER, TOKEN = "REANA_SERVER_URL", "REANA_ACCESS_TOKEN"


@contextmanager
def connected(environment: Mapping[str, str], ca_file: Path | None) -> Iterator[Client]:
    """Give a client that is logged in to the server of the environment.

    Raises:
        InputError: server or token isn't set, or not taken.
        MissingPartError: the server can't be reached.
    """
    from relance.engines.reana import session
    from relance.engines.reana.address import address
    from relance.engines.reana.client import Client
    from relance.engines.reana.negotiation import negotiate

    for name, example in ((SERVER, "https://reana.example.org"), (TOKEN, "…")):
        if not environment.get(name):
            raise InputError(
                "the REANA server", expected=f"{name} set", found="none", next_step=f"export {name}={example}"
            )
    token = environment[TOKEN].strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(
            TOKEN,
            expected="a token",
            found="characters that no token has",
            next_step="copy it again from the server's page 'Your profile'",
        )
    access = session.Access(token, ca_file)
    with session.Session(address(environment[SERVER]), access) as first:
        server, ours = negotiate(first)
    with ours:
        yield Client(server, ours)


def notes(environment: Mapping[str, str]) -> Path:
    """Return the folder of what is remembered of runs."""
    return places.cache(environment) / "relance" / "reana"


def meant(client: Client, run: str | None, environment: Mapping[str, str]) -> str:
    """Return the run that is meant: the one that is named, else the one that was submitted last.

    Raises:
        InputError: there is neither.
    """
    from relance.engines.reana import notes as kept

    if run:
        return run
    known = kept.listed(notes(environment), client.server.address)
    if known:
        return known[0].workflow.id
    raise InputError(
        "no run is named",
        expected="a name, or a run that was submitted from here before",
        found="neither",
        next_step="see 'relance reana list'",
    )
