"""Why a registry gives or takes nothing: it won't, has no such thing, or can't be reached any more."""

from __future__ import annotations

from relance.errors import InputError, MissingPartError


class BrokenError(MissingPartError):
    """The connection broke, or the registry was too busy for too long."""


class RefusedError(InputError):
    """The registry answers, and won't; `status` is that of HTTP."""

    status = 0


class NotFoundError(RefusedError):
    """The registry has no such thing."""

    status = 404
