"""What of a capsule is not for everybody, before it goes to where others can read it."""

from __future__ import annotations

from relance.capsule.model import Capsule
from relance.errors import InputError, named
from relance.specification.model import Visibility


def refuse_what_is_not_public(capsule: Capsule) -> None:
    """Refuse a capsule of which something isn't for everybody.

    Raises:
        InputError: it names what isn't.
    """
    hidden = [file.path for file in capsule.files if file.visibility is not Visibility.PUBLIC]
    if capsule.specification.visibility.specification is not Visibility.PUBLIC:
        hidden.insert(0, "the specification")
    if hidden:
        raise InputError(
            f"capsule {capsule.specification.identity.name} is not public",
            expected="a specification, products and results that everybody may see",
            found=named(hidden),
            next_step="capture it again once 'visibility' of the specification says public",
        )


def refuse_what_is_blinded(capsule: Capsule) -> None:
    """Refuse a capsule that holds what nobody may see until the analysis is unblinded.

    Raises:
        InputError: it names what it holds of this kind.
    """
    hidden = blinded(capsule)
    if hidden:
        raise InputError(
            f"capsule {capsule.specification.identity.name} is blinded",
            expected="no product from which a blinded result can be read",
            found=named(hidden),
            next_step="unblind it in the specification and capture it again; --with-blinded pushes it to a "
            "registry that only those can read who may see it",
        )


def blinded(capsule: Capsule) -> tuple[str, ...]:
    """Return the files that a capsule holds and that nobody may see until the analysis is unblinded."""
    return tuple(
        file.path
        for file in capsule.files
        if file.visibility is Visibility.BLINDED and file.stored is not None
    )
