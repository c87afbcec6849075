"""The file tree that a stack of image layers describes: whiteouts applied, hostile entries refused.

A layer is an uncompressed tar stream as the OCI image specification 1.1 describes it. Nothing is unpacked:
the tree remembers where in which layer each file's content lies.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from typing import BinaryIO

from relance.errors import InputError

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class Kind(Enum):
    """What a path is; the value is the type byte of its tar entry."""

    FILE = tarfile.REGTYPE
    FOLDER = tarfile.DIRTYPE
    LINK = tarfile.SYMTYPE


@dataclass(frozen=True)
class Content:
    """Where a file's bytes lie: which layer, from which byte, how many. Hard links share one."""

    layer: int
    offset: int
    size: int


@dataclass(frozen=True)
class Entry:
    """One path of a tree, with permissions and numeric owners; times don't count.

    content is there for files, target for symbolic links.
    """

    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    content: Content | None = None
    target: str = ""


Tree = Mapping[str, Entry]
"""Paths relative to the root, without a leading `/`, to what they are; the root itself isn't in it."""


def flatten(layers: Sequence[BinaryIO]) -> Tree:
    """Return the tree of a stack of layers, the lowest first.

    Each layer must be a seekable, uncompressed tar. Device files and pipes are left out, with their hard
    links: every runtime provides its own below /dev, and old images bring some elsewhere that no user could
    open. Extended attributes are left out too.

    Raises:
        InputError: a layer isn't a tar, or an entry could reach outside the tree: an absolute path, `..`, a
            path below a link or file, a hard link to nothing; or it is a sparse file.
    """
    tree: dict[str, Entry] = {}
    for number, stream in enumerate(layers):
        _apply(tree, number, stream)
    return {path: tree[path] for path in sorted(tree)}


def _apply(tree: dict[str, Entry], number: int, stream: BinaryIO) -> None:
    added: dict[str, Entry] = {}
    left_out: set[str] = set()
    removed: set[str] = set()
    emptied: set[str] = set()
    for info in _members(number, stream):
        path = _clean(number, info.name)
        if not path:
            continue
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            emptied.add(folder)
        elif name.startswith(_WHITEOUT):
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in {"", ".", ".."}:
                raise _hostile(number, path, "a whiteout of one name")
            removed.add(f"{folder}/{hidden}".lstrip("/"))
        else:
            if info.isdev() or (info.islnk() and _clean(number, info.linkname) in left_out):
                left_out.add(path)
                added.pop(path, None)
                continue
            # What a path was before in the same layer doesn't matter, nor what lay below it.
            _put(added, path, _entry(number, path, info, added, tree))
    # Whiteouts speak of the layers below only, wherever they stand in this one. A device that is left out
    # hides what had its name there.
    _hide(tree, removed | left_out, emptied)
    for path, entry in added.items():
        _put(tree, path, entry)
    for path in added:
        _check_parents(number, tree, path)


def _members(number: int, stream: BinaryIO) -> Iterator[tarfile.TarInfo]:
    stream.seek(0)
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for info in archive:
                if info.size < 0:  # else the next entry read would be this one again, without end
                    raise tarfile.ReadError("an entry of negative size")
                yield info
    except (tarfile.TarError, EOFError, ValueError, RecursionError) as error:
        raise InputError(
            f"layer {number} of the image can't be read",
            expected="an uncompressed tar",
            found=str(error),
            next_step="build or pull the image again",
        ) from error


def _clean(number: int, name: str) -> str:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise _hostile(number, name, "a path inside the image")
    return "/".join(part for part in parts if part != ".")


def _entry(
    number: int, path: str, info: tarfile.TarInfo, added: Mapping[str, Entry], tree: Mapping[str, Entry]
) -> Entry:
    mode = info.mode & 0o7777
    if info.isdir():
        return Entry(Kind.FOLDER, mode, info.uid, info.gid)
    if info.issym():
        return Entry(Kind.LINK, 0o777, info.uid, info.gid, target=info.linkname)
    if info.islnk():
        target = _clean(number, info.linkname)
        linked = added.get(target) or tree.get(target)
        if linked is None or linked.kind is Kind.FOLDER:
            raise _hostile(number, f"{path} (hard link to {info.linkname})", "a link to a file of the image")
        return linked
    if info.isreg() and not info.issparse():
        content = Content(number, info.offset_data, info.size)
        return Entry(Kind.FILE, mode, info.uid, info.gid, content=content)
    raise _hostile(number, path, "a file, folder, link or device")


def _hide(tree: dict[str, Entry], removed: Set[str], emptied: Set[str]) -> None:
    """Take out paths, with what is below them, and what is below emptied folders: once through the tree."""
    if not removed and not emptied:
        return
    for path in [path for path in tree if _is_hidden(path, removed, emptied)]:
        del tree[path]


def _is_hidden(path: str, removed: Set[str], emptied: Set[str]) -> bool:
    if path in removed:
        return True
    while path:
        path = path.rpartition("/")[0]
        if path in removed or path in emptied:
            return True
    return False


def _put(tree: dict[str, Entry], path: str, entry: Entry) -> None:
    before = tree.get(path)
    if before is not None and before.kind is Kind.FOLDER and entry.kind is not Kind.FOLDER:
        _remove_below(tree, path)
    tree[path] = entry


def _remove_below(tree: dict[str, Entry], path: str) -> None:
    prefix = f"{path}/"
    below = [other for other in tree if other.startswith(prefix)]
    for other in below:
        del tree[other]


def _check_parents(number: int, tree: dict[str, Entry], path: str) -> None:
    folder = path.rpartition("/")[0]
    while folder:
        parent = tree.get(folder)
        if parent is None:
            tree[folder] = Entry(Kind.FOLDER, 0o755)
        elif parent.kind is not Kind.FOLDER:
            raise _hostile(number, path, f"a path whose parents are folders ({folder} is not)")
        folder = folder.rpartition("/")[0]


def _hostile(number: int, found: str, expected: str) -> InputError:
    return InputError(
        f"layer {number} of the image holds what it must not",
        expected=expected,
        found=found,
        next_step="don't trust this image; get it from its publisher again",
    )


def write_tar(tree: Tree, layers: Sequence[BinaryIO], output: BinaryIO) -> None:
    """Write a tree as one tar stream: sorted, times 0, owners by number only, hard links kept.

    The same tree gives the same bytes, whatever layers its content came from.
    """
    first: dict[Content, str] = {}
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(tree):
            entry = tree[path]
            info = tarfile.TarInfo(path)
            info.type = entry.kind.value
            info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
            if entry.content is None:  # a folder, a link or an empty file
                info.linkname = entry.target
                archive.addfile(info)
            elif entry.content.size and entry.content in first:
                info.type, info.linkname = tarfile.LNKTYPE, first[entry.content]
                archive.addfile(info)
            else:
                first[entry.content] = path
                info.size = entry.content.size
                stream = layers[entry.content.layer]
                stream.seek(entry.content.offset)
                archive.addfile(info, stream)
