"""The secrets that a run needs, looked for on the server before a run is made: it would fail there, late."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from relance.engines.reana import needing
from relance.engines.reana.client import Client
from relance.engines.reana.declared import Declared
from relance.engines.reana.model import Secret
from relance.engines.reana.needing import Credential
from relance.engines.reana.refusals import RefusedError, UnreachableError
from relance.errors import InputError

_MOST_NAMED = 5


@dataclass(frozen=True)
class Way:
    """Secrets that together are enough for a credential."""

    variables: tuple[str, ...]
    files: tuple[str, ...] = ()
    named_by: str = ""
    """The variable whose value is the name of one more file; values are never told, so any other will do."""

    def told(self) -> str:
        """Return the secrets in words."""
        named = [f"the file that {self.named_by} names"] if self.named_by else []
        return ", ".join((*self.variables, *self.files, *named))

    def lacks(self, secrets: Collection[Secret]) -> tuple[Secret, ...]:
        """Return the secrets that aren't there; one without a name is a file of any."""
        has = {(one.name, one.kind) for one in secrets}
        wanted = [Secret(name, "env") for name in self.variables]
        wanted += [Secret(name, "file") for name in self.files]
        missing = [one for one in wanted if not has & {(one.name, one.kind), (one.name, "")}]
        if self.named_by and not any(one.kind != "env" and one.name not in _FIXED for one in secrets):
            missing.append(Secret("", "file"))
        return tuple(missing)


_FIXED = ("usercert.pem", "userkey.pem")
WAYS = {
    Credential.KERBEROS: (Way(("CERN_USER", "CERN_KEYTAB"), named_by="CERN_KEYTAB"),),
    Credential.VOMS: (
        Way(("VOMSPROXY_FILE",), named_by="VOMSPROXY_FILE"),
        Way(("VONAME", "VOMSPROXY_PASS"), _FIXED),
    ),
    Credential.RUCIO: (Way(("RUCIO_USERNAME", "VONAME")),),
}
"""As REANA's job controller looks for them, the best way first."""


def require(client: Client, declared: Declared, say: Callable[[str], None]) -> None:
    """Refuse what can't run since the server lacks a secret; a server that doesn't tell is only told of.

    Raises:
        InputError: secrets are missing; all are told.
    """
    needs = needing.needed(declared)
    if not needs:
        return
    try:
        secrets = client.secrets()
    except (RefusedError, UnreachableError) as error:
        asked = ", ".join(needs)
        say(
            f"warning: steps need {asked}, and the server doesn't tell which secrets it has: {error.found}; "
            "see 'relance reana secrets'"
        )
        return
    told = (_missing(client, credential, who, secrets) for credential, who in needs.items())
    errors = [one for one in told if one is not None]
    if errors:
        errors[0].also = tuple(errors[1:])
        raise errors[0]


def _missing(
    client: Client, credential: Credential, who: tuple[str, ...], secrets: Collection[Secret]
) -> InputError | None:
    ways = WAYS[credential]
    lacking = [way.lacks(secrets) for way in ways]
    if not all(lacking):
        return None
    nearest = min(lacking, key=len)
    way = ways[lacking.index(nearest)]
    named = ", ".join(who[:_MOST_NAMED]) + (" and others" if len(who) > _MOST_NAMED else "")
    verb = "needs" if len(who) == 1 else "need"
    there = {one.name for one in secrets}
    found = [name for name in (*way.variables, *way.files) if name in there]
    words = [
        f"--{one.kind} {one.name}" if one.name else f"--file FILE, whose name is the value of {way.named_by}"
        for one in nearest
    ]
    return InputError(
        f"{named} {verb} {credential}, which {client.session.subject} can't give",
        expected=f"your secrets {'; or '.join(one.told() for one in ways)}",
        found=", ".join(found) or "none of them",
        next_step=f"relance reana secrets add {' '.join(words)}",
    )
