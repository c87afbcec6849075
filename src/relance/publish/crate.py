"""RO-Crates on disk: a capsule written as one, and one checked."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from relance import digest as digests
from relance.capsule import checkout
from relance.capsule.model import Capsule
from relance.errors import InputError
from relance.model import Digest
from relance.publish import rocrate
from relance.publish.entities.model import Payload
from relance.store.layout import Layout


@dataclass(frozen=True)
class Fault:
    """A file of a crate that is not what the crate says of it."""

    path: str
    expected: str
    found: str


def export(
    layout: Layout,
    capsule: Capsule,
    digest: Digest,
    folder: Path,
    *,
    told: Callable[[int], None] = lambda _: None,
) -> None:
    """Write a capsule as an RO-Crate into a new folder; the same capsule gives the same bytes.

    Symbolic links become what they lead to, since a crate knows none.

    Args:
        layout: holds the capsule's blobs.
        capsule: what is written.
        digest: the capsule's own.
        folder: doesn't exist.
        told: hears the bytes as they are written, from several threads.

    Raises:
        InputError: the folder is there already, or a blob is missing or damaged.
    """
    if folder.exists():
        raise InputError(
            f"{folder} can't be written",
            expected="a folder that isn't there yet",
            found="one that is",
            next_step="name another",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder.parent) as scratch:
        place = Path(scratch) / "crate"
        checkout.checkout(layout, capsule, place, known_as=digest, told=told)
        for link in [path for path in place.rglob("*") if path.is_symlink()]:
            _follow(link)
        payload = [
            Payload(path.relative_to(place).as_posix(), digests.of_file(path), path.stat().st_size)
            for path in sorted(place.rglob("*"))
            if path.is_file()
        ]
        document = rocrate.metadata(capsule, digest, payload)
        text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        (place / rocrate.METADATA).write_text(text, encoding="utf-8")
        place.chmod(0o755)
        place.rename(folder)


def check(folder: Path) -> tuple[Fault, ...]:
    """Return what of an RO-Crate's files is missing, altered or not declared.

    Raises:
        InputError: the folder holds no RO-Crate, or one whose metadata can't be read.
    """
    return tuple(_faults(folder, _declared(folder)))


def _faults(folder: Path, declared: dict[str, str | None]) -> Iterator[Fault]:
    there = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }
    there.pop(rocrate.METADATA, None)
    for name in sorted(declared.keys() | there.keys()):
        if name not in there:
            yield Fault(name, "the file that the crate declares", "none")
        elif name not in declared:
            yield Fault(name, "only files that the crate declares", "another")
        elif there[name].is_symlink() or not there[name].is_file():
            yield Fault(name, "a file", "a link, pipe or device")
        elif declared[name] is None:
            yield Fault(name, "a sha256 in the crate", "none")
        elif (found := digests.of_file(there[name])) != declared[name]:
            yield Fault(name, str(declared[name]), found)


def _declared(folder: Path) -> dict[str, str | None]:
    path = folder / rocrate.METADATA
    try:
        graph: Any = json.loads(path.read_text(encoding="utf-8"))["@graph"]
        files = {}
        for entity in graph:
            kinds = entity["@type"] if isinstance(entity["@type"], list) else [entity["@type"]]
            if "File" in kinds and "://" not in entity["@id"]:
                stated = entity.get("sha256")
                files[unquote(entity["@id"]).removeprefix("./")] = f"sha256:{stated}" if stated else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} can't be read",
            expected="the metadata of an RO-Crate",
            found="no such file" if isinstance(error, FileNotFoundError) else "something else",
            next_step="name the folder of a crate",
        ) from error
    return files


def _follow(link: Path) -> None:
    """Put what a link leads to in its place; checkout made sure that it leads to a file of the capsule."""
    target = link.resolve()
    link.unlink()
    if target.is_dir():
        shutil.copytree(target, link)
    else:
        shutil.copy(target, link)
