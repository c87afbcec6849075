"""Which repositories a store's images were built for, so that those that none uses any more can go."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from relance import digest
from relance.model import Digest
from relance.store import images, locking
from relance.store.atomic import write_text
from relance.store.images import LocalImage
from relance.store.store import Store

_VERSION = 1
_BUILT = re.compile(r"(?!base/|capsule/|image/)[^/]+/[0-9a-f]{12}")


@dataclass(frozen=True)
class Builds:
    """A repository and the names, in the store, of what was built for it."""

    repository: Path
    images: frozenset[str]


@dataclass(frozen=True)
class Unused:
    """An image that no repository uses; `built_for` are those that once did."""

    name: str
    built_for: tuple[Path, ...]

    @property
    def reference(self) -> str:
        """The name that Podman and Docker know it by."""
        return reference(*self.name.rsplit("/", 1))


def index_name(name: str, config: Digest) -> str:
    """Return the name in the store of an image built from containers/NAME."""
    return f"{name}/{_digits(config)}"


def reference(name: str, digits: str) -> str:
    """Return the name that an image built here has in Podman and Docker; `digits` are of its digest."""
    return f"localhost/relance/{name}:{digits}"


def reference_of(name: str, config: Digest) -> str:
    """Return the same as `reference`, of an image known by its configuration's digest."""
    return reference(name, _digits(config))


def note(store: Store, repository: Path, built: Mapping[str, LocalImage]) -> None:
    """Note that these images, by the names of their folders, were built for a repository."""
    names = frozenset(index_name(name, image.config) for name, image in built.items())
    place = repository.resolve()
    before = _read(_file(store, place))
    if before is not None and names <= before.images:
        return
    # What this user may not write in a store that others keep, those prune.
    with suppress(PermissionError), _locked(store):
        before = _read(_file(store, place))
        _write(store, Builds(place, names | before.images if before else names))


def unused(store: Store) -> tuple[Unused, ...]:
    """Return the images of the store that were built for some repository and that none uses any more.

    A repository that is gone, or lists no images, uses none. One that this user may not read uses all.

    Raises:
        InputError: a repository's list of images can't be understood, so that nobody knows what it uses.
    """
    notes = _all(store)
    used = frozenset[str]().union(*(_used(one) for one in notes))
    built = frozenset[str]().union(*(one.images for one in notes))
    return tuple(
        Unused(name, tuple(one.repository for one in notes if name in one.images))
        for name in sorted((built & _names(store)) - used)
    )


def unknown(store: Store) -> tuple[str, ...]:
    """Return the images of the store that look like built ones and that no note names."""
    noted = frozenset[str]().union(*(one.images for one in _all(store)))
    return tuple(name for name in sorted(_names(store) - noted) if _BUILT.fullmatch(name))


def forget(store: Store, names: Collection[str]) -> None:
    """Take the names from images of the store, and from the notes of who built them."""
    with _locked(store):
        for name in names:
            store.layout.unname(name)
        for one in _all(store):
            left = one.images.difference(names)
            if left:
                _write(store, Builds(one.repository, left))
            else:
                _file(store, one.repository).unlink(missing_ok=True)


def _used(builds: Builds) -> frozenset[str]:
    try:
        if not (builds.repository / images.LOCAL).is_file():
            return frozenset()
        listed = images.known(builds.repository).local
    except OSError:
        return builds.images
    return frozenset(index_name(name, image.config) for name, image in listed.items())


def _names(store: Store) -> frozenset[str]:
    """Return the names in the store; none, and nothing is made, where there is no store."""
    return frozenset(store.layout.names()) if store.content.is_dir() else frozenset()


def _all(store: Store) -> tuple[Builds, ...]:
    found = (_read(file) for file in sorted(_folder(store).glob("*.json")))
    return tuple(one for one in found if one is not None)


def _read(file: Path) -> Builds | None:
    """Return what a note says; what it can't say is known by nobody, and stays."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        if value["version"] != _VERSION:
            return None
        return Builds(Path(value["repository"]), frozenset(map(str, value["images"])))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _write(store: Store, builds: Builds) -> None:
    value = {"version": _VERSION, "repository": str(builds.repository), "images": sorted(builds.images)}
    write_text(_file(store, builds.repository), json.dumps(value, indent=1) + "\n")


def _locked(store: Store) -> AbstractContextManager[None]:
    return locking.locked(_folder(store) / ".lock", shared=False)


def _file(store: Store, repository: Path) -> Path:
    return _folder(store) / f"{digest.of_bytes(str(repository).encode())[7:]}.json"


def _folder(store: Store) -> Path:
    return store.folder / "built"


def _digits(config: Digest) -> str:
    return config.removeprefix("sha256:")[:12]
