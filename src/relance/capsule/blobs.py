"""Where the blobs of a capsule are read from: a layout, a tar file, a folder that isn't trusted."""

from __future__ import annotations

from typing import Protocol

from relance.errors import InputError
from relance.model import Digest
from relance.store.descriptors import Descriptor


class Blobs(Protocol):
    """Gives blobs by digest; a layout does."""

    def read(self, blob: Digest, *, largest: int | None = None) -> bytes:
        """Return a blob's bytes, verified.

        largest: bytes; a blob that has more is refused before it is read.

        Raises:
            InputError: the blob is missing, too large or isn't what its name says.
        """


def read(blobs: Blobs, described: Descriptor, what: str, largest: int) -> bytes:
    """Return the bytes of a blob that must have the size that is said of it; `what` is for messages.

    Raises:
        InputError: the blob is missing, damaged, larger than `largest` bytes or of another size.
    """
    if described.size > largest:
        raise _refusal(what, f"at most {largest} bytes", f"{described.size} bytes")
    data = blobs.read(described.digest, largest=described.size)
    if len(data) != described.size:
        raise _refusal(what, f"{described.size} bytes, as what names it says", f"{len(data)} bytes")
    return data


def _refusal(what: str, expected: str, found: str) -> InputError:
    return InputError(
        f"the capsule is broken: {what}",
        expected=expected,
        found=found,
        next_step="don't use it; get the capsule again from its publisher",
    )
