"""Whether two collections hold the same items in any order, without keeping them."""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 16
_MODULUS = 1 << (8 * _BYTES)


class Multiset:
    """The sum of the keyed hashes of items, and their number: equal for equal collections in any order.

    Different collections are taken for equal with a probability of about 2⁻¹²⁸, whoever made them: the key
    is drawn anew for every comparison, so that no file can be prepared for it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._sum = 0
        self.count = 0

    def add(self, item: bytes) -> None:
        """Add one item."""
        hashed = hashlib.blake2b(item, digest_size=_BYTES, key=self._key).digest()
        self._sum = (self._sum + int.from_bytes(hashed, "little")) % _MODULUS
        self.count += 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Multiset) and (self._key, self._sum, self.count) == (
            other._key,
            other._sum,
            other.count,
        )

    __hash__ = None  # type: ignore[assignment]  # it changes


def new_key() -> bytes:
    """Return a key that nobody could know before."""
    return secrets.token_bytes(32)
