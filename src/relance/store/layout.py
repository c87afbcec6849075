"""An OCI image layout: blobs named by their sha256 in one folder, and an index that names manifests.

The layout on disk is the one of the OCI image specification 1.1 (`oci-layout`, `index.json`,
`blobs/sha256/`), so that skopeo, Podman and oras read it as it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.store import locking
from relance.store.atomic import write_bytes
from relance.store.blobs import PART, Blobs
from relance.store.descriptors import LARGEST_MANIFEST, Descriptor

NAME = "org.opencontainers.image.ref.name"
"""The annotation that gives a manifest of an index its name."""

_HALF_WRITTEN = (".index.json-", ".oci-layout-")
_OWN = ("blobs", "index.json", "oci-layout", ".lock")
_ABANDONED = 60.0  # seconds; a file without a name is locked by its writer long before it is so old


class Layout(Blobs):
    """An OCI image layout in a folder, made when it isn't there.

    Several processes and threads may write at once. A process that is killed leaves at most files without
    a name (`.part-…`), which `leftovers` finds; under its digest a blob is whole from the first moment.

    Raises:
        InputError: the folder holds something else.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        if not (folder / "oci-layout").exists():
            self._make()

    def leftovers(self) -> list[Path]:
        """Return the files that writers left without a name when they were killed."""
        now = time.time()
        found = []
        own = (path for mark in _HALF_WRITTEN for path in self.folder.glob(f"{mark}*"))
        for path in sorted([*self._blobs.glob(f"{PART}*"), *own]):
            try:
                if now - path.stat().st_mtime > _ABANDONED and not locking.held(path):
                    found.append(path)
            except OSError:
                continue  # it got its name at this moment, or another user writes it
        return found

    def index(self) -> tuple[Descriptor, ...]:
        """Return every manifest of the index, named and unnamed, names being annotations.

        Raises:
            InputError: index.json is broken.
        """
        path = self.folder / "index.json"
        try:
            entries = json.loads(path.read_bytes())["manifests"]
            return tuple(Descriptor.from_json(entry) for entry in entries)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                f"{path} can't be read",
                expected="the index of an OCI layout",
                found=str(error) or "something else",
                next_step="see 'relance store fsck'",
            ) from error

    def names(self) -> dict[str, Descriptor]:
        """Return the named manifests of the index."""
        return {
            entry.annotations[NAME]: _without_name(entry)
            for entry in self.index()
            if NAME in entry.annotations
        }

    def name(self, name: str, manifest: Descriptor) -> None:
        """Let `name` mean `manifest`, in place of what it meant before."""
        named = _named(manifest, name)
        self._change(lambda entries: [*(e for e in entries if e.annotations.get(NAME) != name), named])

    def unname(self, name: str) -> bool:
        """Forget a name, so that what only it keeps can be collected; return whether it was known."""
        known = name in self.names()
        self._change(lambda entries: [entry for entry in entries if entry.annotations.get(NAME) != name])
        return known

    def attach(self, manifest: Descriptor) -> None:
        """List a manifest without a name: one that has a `subject` is kept for as long as that is kept."""
        unnamed = _without_name(manifest)
        self._change(lambda entries: [*entries, unnamed])

    def detach(self, manifests: frozenset[Digest]) -> None:
        """Take manifests that have no name from the index."""
        self._change(
            lambda entries: [e for e in entries if NAME in e.annotations or e.digest not in manifests]
        )

    def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """Return the manifests of the index whose `subject` this is.

        Raises:
            InputError: one of them is missing or damaged.
        """
        found = {}
        for entry in self.index():
            value = self.read_json(entry.digest, largest=LARGEST_MANIFEST)
            said = value.get("subject") if isinstance(value, Mapping) else None
            if isinstance(said, Mapping) and said.get("digest") == subject:
                found[entry.digest] = _without_name(entry)
        return tuple(found[key] for key in sorted(found))

    def _make(self) -> None:
        if self.folder.exists():
            others = [path for path in self.folder.iterdir() if not _is_own(path.name)]
            if others and not (self.folder / "oci-layout").exists():
                raise InputError(
                    f"{self.folder} is no OCI layout",
                    expected="an empty folder or one with the file oci-layout",
                    found="other files",
                    next_step="name another folder",
                )
        # One that another process makes now, or was killed while making, is made to the end.
        locking.make_folder(self._blobs)
        with locking.locked(self.folder / ".lock", shared=False):
            if not (self.folder / "index.json").exists():
                self._write([])
            if not (self.folder / "oci-layout").exists():
                write_bytes(self.folder / "oci-layout", _dump({"imageLayoutVersion": "1.0.0"}))

    def _change(self, change: Callable[[list[Descriptor]], list[Descriptor]]) -> None:
        with locking.locked(self.folder / ".lock", shared=False):
            self._write(change(list(self.index())))

    def _write(self, entries: list[Descriptor]) -> None:
        # Sorted, and each once: the same content, the same bytes.
        texts = {digest.canonical_json(entry.to_json()): entry for entry in entries}
        order = sorted(texts, key=lambda text: (texts[text].annotations.get(NAME, ""), text))
        index = {"schemaVersion": 2, "manifests": [texts[text].to_json() for text in order]}
        write_bytes(self.folder / "index.json", _dump(index))


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(_HALF_WRITTEN)


def _named(manifest: Descriptor, name: str) -> Descriptor:
    return replace(manifest, annotations={**manifest.annotations, NAME: name})


def _without_name(manifest: Descriptor) -> Descriptor:
    kept = {key: text for key, text in manifest.annotations.items() if key != NAME}
    return replace(manifest, annotations=kept)


def _dump(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"
