"""The user's store: everything that relance keeps by digest, in one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from relance.store import locking
from relance.store.layout import Layout


@dataclass(frozen=True)
class Store:
    """One OCI layout with images, capsules and data; runtime images; results of steps; pip's downloads.

    Several processes, and users of one group, may write at once. If the folder's mode lets its group write,
    so do those of all that is made in it.
    """

    folder: Path

    @property
    def content(self) -> Path:
        """Folder of the layout."""
        return self.folder / "content"

    @property
    def layout(self) -> Layout:
        """Images, capsules and data, what is equal once; the folder is made where there is none."""
        locking.make_folder(self.content)
        return Layout(self.content)

    @property
    def runtime(self) -> Path:
        """Folder of the runtime images, `<64 hex digits>.sqsh`."""
        return self.folder / "runtime" / "sha256"

    @property
    def steps(self) -> Path:
        """Folder of step entries, `<2 hex digits>/<64 hex digits>.json`."""
        return self.folder / "steps"

    @property
    def every_steps(self) -> tuple[Path, ...]:
        """All folders of step entries: `steps`, and those of capsules whose recasts keep theirs apart."""
        return (self.folder / "steps", *sorted(self.folder.glob("recasts/*/steps")))

    @property
    def offered(self) -> Path:
        """What builds are shown as /run/relance: pip's settings, and its cache (pip checks the hashes)."""
        return self.folder / "offered"

    @contextmanager
    def writing(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Keep `relance store gc` away for as long as the block writes blobs that nothing names yet.

        Any number of writers may hold it at once; blocks may be nested. `waiting` is called once if a
        collection runs and has to be waited for.
        """
        with locking.locked(self._lock, shared=True, waiting=waiting):
            yield

    @contextmanager
    def alone(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Wait until nobody writes, and keep writers away during the block.

        A process that is inside `writing` itself would wait for ever.
        """
        with locking.locked(self._lock, shared=False, waiting=waiting):
            yield

    @property
    def _lock(self) -> Path:
        return self.folder / ".lock"
