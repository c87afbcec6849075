"""Images that were built here, given to Podman or Docker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relance.model import RuntimeKind
    from relance.store.images import LocalImage


def load(store: Path, kind: RuntimeKind, image: LocalImage) -> None:
    """Give an engine an image that the store has.

    Raises:
        RelanceError: the store lacks it, or the engine refuses it.
    """
    from relance.store import builders, loading
    from relance.store.store import Store

    engines = {engine.name: engine for engine in builders.loading_engines()}
    loading.load(Store(store).content, image, engines[kind.value])
