"""Why a registry gives or takes nothing: it won't, has no such thing, or can't be reached any more."""

from __future__ import annotations

from typing import Any

from relance.errors import InputError, MissingPartError
from relance.store.registry.reference import Reference


class BrokenError(MissingPartError):
    """The connection broke, or the registry was too busy for too long."""


class RefusedError(InputError):
    """The registry answers, and won't; `status` is that of HTTP."""

    status = 0


class NotFoundError(RefusedError):
    """The registry has no such thing."""

    status = 404


def refused(reference: Reference, status: int, said: str) -> RefusedError:
    """Return the error for a registry that answers with a status of HTTP that says no."""
    if status == NotFoundError.status:
        missing = NotFoundError(_subject(reference), **_parts(said))
        missing.expected = "what is asked for to be there"
        missing.next_step = (
            "check the name and the tag; what is closed to you may be hidden, too: "
            f"log in with 'podman login {reference.host}'"
        )
        return missing
    error = RefusedError(_subject(reference), **_parts(said))
    error.status = status
    if status in {401, 403}:
        error.next_step = (
            f"log in with 'podman login {reference.host}', or set RELANCE_REGISTRY_USER and "
            "RELANCE_REGISTRY_PASSWORD; check that this user may do it"
        )
    return error


def broken_rules(reference: Reference, found: str) -> MissingPartError:
    """Return the error for what no registry may do."""
    return MissingPartError(_subject(reference), **_parts(found))


def broken_off(reference: Reference, found: str) -> BrokenError:
    """Return the error for a registry that isn't reached, or is too busy."""
    return BrokenError(_subject(reference), **_parts(found))


def _subject(reference: Reference) -> str:
    return f"registry {reference.host}, {reference}"


def _parts(found: str) -> dict[str, Any]:
    return {
        "expected": "the registry to do what it is asked",
        "found": found,
        "next_step": "check the network and the name, then type the same command again",
    }
