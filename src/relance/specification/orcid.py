"""ORCID iDs of authors: the last character tells whether the others were mistyped (ISO 7064 MOD 11-2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from relance.document import Document
from relance.errors import InputError
from relance.specification.model import Author

_TEN = "X"


def fits(identifier: str) -> bool:
    """Return whether the last character of an iD, `0000-0002-1825-0097`, is what the others ask for.

    Source: support.orcid.org, "Structure of the ORCID Identifier".
    """
    characters = identifier.replace("-", "")
    total = 0
    for digit in characters[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return characters[-1] == (_TEN if check == 10 else str(check))


def mistyped(authors: Sequence[Author], document: Document) -> Iterator[InputError]:
    """Tell whose iD is wrong, each with its line."""
    for index, author in enumerate(authors):
        if author.orcid is None or fits(author.orcid):
            continue
        # Which of the digits is wrong can't be told, so none is proposed: it could be somebody else's iD.
        yield InputError(
            f"{document.where('identity', 'authors', index, 'orcid')}: ORCID iD of {author.name}",
            expected="one whose last character fits the others",
            found=f"{author.orcid}, which doesn't: a digit is mistyped, or two changed places",
            next_step="copy it from orcid.org",
        )
