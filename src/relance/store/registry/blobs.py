"""Single blobs of a registry, read where they lie: for looking at a capsule without pulling all of it."""

from __future__ import annotations

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store.registry.pulling import ACCEPT
from relance.store.registry.refusals import NotFoundError
from relance.store.registry.session import Session

_LARGEST = 64 << 20
"""Bytes of a blob that is read into memory."""


class RemoteBlobs:
    """Gives the blobs and manifests of one repository by digest."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, blob: Digest, *, largest: int | None = None) -> bytes:
        """Return a blob's bytes, verified.

        largest: bytes; a blob that has more is refused.

        Raises:
            InputError: it isn't what its digest says.
            MissingPartError: the registry doesn't answer.
            RefusedError: it hasn't it, or refuses.
        """
        most = _LARGEST if largest is None else largest
        try:
            data, _ = self._session.read(self._session.url(f"blobs/{blob}"), most)
        except NotFoundError:
            # Registries give manifests at another place.
            data, _ = self._session.read(self._session.url(f"manifests/{blob}"), most, headers=ACCEPT)
        found = digest.of_bytes(data)
        if found != blob:
            raise InputError(
                f"blob {blob} is not what its digest says",
                expected=blob,
                found=found,
                next_step="try again; if this stays, don't trust the registry",
            )
        return data
