"""What is about to be sent, searched for secrets: whoever may see the workspace would have them."""

from __future__ import annotations

from collections.abc import Collection

from relance.checks import secrets
from relance.engines.reana.declared import Declared
from relance.errors import InputError
from relance.model import Digest

_MOST_TOLD = 10


def require_none(declared: Declared, allowed: Collection[Digest]) -> None:
    """Refuse files that hold what must stay secret; all are told at once.

    Args:
        declared: what would be sent.
        allowed: digests of files that only look as if they held secrets.

    Raises:
        InputError: there are such files, or one can't be read.
    """
    found = [
        finding
        for path in sorted({*declared.definition, *declared.inputs})
        for finding in secrets.find_in_file(declared.place(path), path)
    ]
    errors = [
        InputError(
            f"{finding.place}{f', line {finding.line}' if finding.line else ''}, can't be sent",
            expected="nothing that must stay secret",
            found=finding.kind,
            next_step="remove it and make it worthless, or give it to the server with 'relance reana secrets "
            f"add'; if it only looks like a secret, allow it: --allow-secret {finding.digest}",
        )
        for finding in secrets.not_allowed(found, allowed)[:_MOST_TOLD]
    ]
    if errors:
        errors[0].also = tuple(errors[1:])
        raise errors[0]
