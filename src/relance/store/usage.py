"""What takes the space of a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from relance.model import Digest
from relance.store import reach
from relance.store.reach import Kind
from relance.store.store import Store


@dataclass(frozen=True)
class Share:
    """What one name, or a group of things without a name, keeps; bytes."""

    name: str
    all: int
    """Of everything that it needs."""
    own: int
    """Of what nothing else needs: so much would become free."""


@dataclass(frozen=True)
class Usage:
    """Bytes of a store; blobs that several things need count once in `content` and `shared`."""

    content: int
    """All blobs."""
    names: tuple[Share, ...]
    """Each image and capsule, the largest first."""
    steps: Share
    """Results of steps, together."""
    others: Share
    """Reports and other manifests without a name, together."""
    shared: int
    """Blobs that more than one of these need."""
    unreachable: int
    """Blobs that nothing keeps: `relance store gc` removes them."""
    runtime: int
    """Runtime images, which are made of the images' blobs."""
    offered: int
    """What builds downloaded."""


def usage(store: Store) -> Usage:
    """Tell what takes the space; nothing but manifests and entries is read.

    Raises:
        InputError: the index can't be read.
    """
    layout = store.layout
    sizes = {blob: layout.size(blob) or 0 for blob in layout.blobs()}
    groups: dict[tuple[Kind, str], set[Digest]] = {}
    for root in reach.roots(store):
        kind = root.kind if root.kind in {Kind.NAME, Kind.STEP} else Kind.UNNAMED
        group = groups.setdefault((kind, root.name if kind is Kind.NAME else ""), set())
        group |= root.blobs.keys() & sizes.keys()
    needed = Counter(blob for group in groups.values() for blob in group)

    def share(name: str, group: Iterable[Digest]) -> Share:
        own = sum(sizes[blob] for blob in group if needed[blob] == 1)
        return Share(name, sum(sizes[blob] for blob in group), own)

    names = [share(name, group) for (kind, name), group in groups.items() if kind is Kind.NAME]
    return Usage(
        sum(sizes.values()),
        tuple(sorted(names, key=lambda named: (-named.all, named.name))),
        share("results of steps", groups.get((Kind.STEP, ""), ())),
        share("reports and others without a name", groups.get((Kind.UNNAMED, ""), ())),
        sum(sizes[blob] for blob, count in needed.items() if count > 1),
        sum(size for blob, size in sizes.items() if blob not in needed),
        _folder(store.runtime),
        _folder(store.offered),
    )


def _folder(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
