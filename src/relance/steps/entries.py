"""Entries of the step store: what a job with a certain key made, in `steps/<2 hex>/<64 hex>.json` of a store.

An entry tells what is known; whether the content of a file is kept is another matter, and told by the
store's layout. It is checked when it is read: whoever shares a store may have written it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from relance import digest
from relance.errors import InputError
from relance.model import UNKNOWN, Digest, Part, Stored, Unknown
from relance.steps.key import Ingredients, of_ingredients
from relance.store import content, locking
from relance.store.atomic import write_bytes
from relance.store.layout import Layout
from relance.store.store import Store

VERSION = 1
_MOST_BYTES = 64 << 20  # an entry of a folder with a hundred thousand files is a third of it
_MOST_COMPARED = 16


@dataclass(frozen=True)
class Member:
    """What lies in an output: the file itself, or one of the files, links and folders of a folder."""

    path: str
    """Relative to the output, parts joined by `/`; empty for the output itself."""
    stored: Stored | None = None
    """Of a file."""
    executable: bool = False
    link: str | None = None
    """Where a symbolic link leads; None for a file or a folder."""


@dataclass(frozen=True)
class EntryOutput:
    """An output, or a log, as the job left it."""

    path: str
    """Relative to the analysis."""
    kind: Literal["file", "folder", "gone"]
    """`gone`: it was a temporary one, and is only known."""
    digest: Digest | Unknown
    size: int | Unknown
    """Bytes; of a folder, those of all its files."""
    members: tuple[Member, ...] = ()

    @property
    def contents(self) -> tuple[Stored, ...]:
        """What has to be kept so that it can be restored."""
        return tuple(member.stored for member in self.members if member.stored is not None)


@dataclass(frozen=True)
class Entry:
    """What is known of a job that ended well."""

    key: Digest
    ingredients: Ingredients
    rule: str
    seconds: float | None
    """How long it took."""
    outputs: tuple[EntryOutput, ...]
    logs: tuple[EntryOutput, ...] = ()

    def output(self, path: str) -> EntryOutput | None:
        """Return one of its outputs."""
        return next((output for output in self.outputs if output.path == path), None)


def write(store: Store, entry: Entry) -> Path:
    """Write an entry, whole or not at all, and note it among those with the same outputs; return its path."""
    path = _path(store, entry.key)
    locking.make_folder(path.parent)
    write_bytes(path, digest.canonical_json(_to_json(entry)) + b"\n")
    mark = _alike(store, [output.path for output in entry.outputs]) / entry.key.removeprefix("sha256:")
    locking.make_folder(mark.parent)
    mark.touch()
    return path


def read(store: Store, key: Digest) -> Entry | None:
    """Return the entry of a key; None if there is none.

    Raises:
        InputError: there is one that is damaged, or that says what no entry may say.
    """
    path = _path(store, key)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _broken(path, "a larger one")
        value = json.loads(path.read_bytes())
        if value["version"] != VERSION:
            return None
        entry = _entry(value)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _broken(path, str(error) or type(error).__name__) from error
    except InputError as error:
        raise _broken(path, error.found) from error
    if entry.key != key or of_ingredients(entry.ingredients) != key:
        raise _broken(path, "another job's")
    return entry


def touch(store: Store, key: Digest) -> None:
    """Note that an entry was used: `relance store gc` drops those first that nobody used for long."""
    with suppress(OSError):
        os.utime(_path(store, key))


def empty(store: Store) -> bool:
    """Return whether a store has no entry at all."""
    return not store.steps.is_dir() or next(store.steps.glob("??/*.json"), None) is None


def alike(store: Store, outputs: Sequence[str]) -> Iterator[Entry]:
    """Yield known entries that make these outputs, the newest first, without those that can't be read."""
    folder = _alike(store, outputs)
    try:
        found = sorted(
            ((mark.stat().st_mtime, mark.name) for mark in os.scandir(folder)), reverse=True
        )  # the same job on other inputs, in every analysis that shares the store: only the last few
    except OSError:
        return
    for _, name in found[:_MOST_COMPARED]:
        try:
            entry = read(store, digest.parse(f"sha256:{name}"))
        except InputError:
            continue
        if entry is not None:
            yield entry


def kept(layout: Layout, output: EntryOutput) -> bool:
    """Return whether an output can be restored: all its contents are in the store."""
    return output.kind != "gone" and all(content.has(layout, stored) for stored in output.contents)


def tree(output: EntryOutput) -> Digest:
    """Return the digest that a folder with these members has; see `relance.digest.of_tree`."""
    members = sorted(output.members, key=lambda member: PurePosixPath(member.path))
    return digest.of_json([_member_of_tree(member) for member in members])


def _member_of_tree(member: Member) -> dict[str, object]:
    if member.link is not None:
        return {"name": member.path, "link": member.link}
    if member.stored is None:
        return {"name": member.path, "folder": True}
    return {"name": member.path, "executable": member.executable, "digest": member.stored.digest}


def _path(store: Store, key: Digest) -> Path:
    name = digest.parse(key).removeprefix("sha256:")
    return store.steps / name[:2] / f"{name}.json"


def _alike(store: Store, outputs: Sequence[str]) -> Path:
    name = digest.of_json(list(outputs)).removeprefix("sha256:")
    return store.steps / "outputs" / name


def _to_json(entry: Entry) -> dict[str, object]:
    return {
        "version": VERSION,
        "key": entry.key,
        "ingredients": entry.ingredients,
        "rule": entry.rule,
        "seconds": entry.seconds,
        "outputs": [_output_to_json(output) for output in entry.outputs],
        "logs": [_output_to_json(output) for output in entry.logs],
    }


def _output_to_json(output: EntryOutput) -> dict[str, object]:
    return {
        "path": output.path,
        "kind": output.kind,
        "digest": output.digest,
        "size": output.size,
        "members": [_member_to_json(member) for member in output.members],
    }


def _member_to_json(member: Member) -> dict[str, object]:
    if member.link is not None:
        return {"path": member.path, "link": member.link}
    if member.stored is None:
        return {"path": member.path, "folder": True}
    found: dict[str, object] = {
        "path": member.path,
        "executable": member.executable,
        "digest": member.stored.digest,
        "size": member.stored.size,
    }
    if member.stored.parts:
        found["parts"] = [{"digest": part.digest, "size": part.size} for part in member.stored.parts]
    return found


def _entry(value: Any) -> Entry:
    ingredients = value["ingredients"]
    if not isinstance(ingredients, dict):
        raise TypeError("ingredients that are no mapping")
    seconds = value["seconds"]
    return Entry(
        digest.parse(_text(value["key"])),
        ingredients,
        _text(value["rule"]),
        None if seconds is None else float(seconds),
        tuple(map(_output, _list(value["outputs"]))),
        tuple(map(_output, _list(value["logs"]))),
    )


def _output(value: Any) -> EntryOutput:
    kind = value["kind"]
    members = tuple(map(_member, _list(value["members"])))
    known = value["digest"]
    output = EntryOutput(
        _relative(value["path"]),
        kind,
        UNKNOWN if known == UNKNOWN else digest.parse(_text(known)),
        UNKNOWN if value["size"] == UNKNOWN else _number(value["size"]),
        members,
    )
    match kind:
        case "gone":
            right = not members
        case "file":
            stored = members[0].stored if len(members) == 1 and not members[0].path else None
            right = stored is not None and stored.digest == output.digest
        case "folder":
            right = _is_tree(members) and tree(output) == output.digest
        case _:
            right = False
    if not right:
        raise ValueError(f"{output.path}: members that don't make it up")
    return output


def _is_tree(members: Iterable[Member]) -> bool:
    """Return whether members are of one folder: each under a name of its own, below folders of their own."""
    folders, names = {""}, set()
    for member in sorted(members, key=lambda member: PurePosixPath(member.path)):
        parent = member.path.rpartition("/")[0]
        if not member.path or member.path in names or parent not in folders:
            return False
        names.add(member.path)
        if member.stored is None and member.link is None:
            folders.add(member.path)
    return True


def _member(value: Any) -> Member:
    path = _relative(value["path"]) if value["path"] else ""
    if "link" in value:
        return Member(path, link=_inside(path, _text(value["link"])))
    if "folder" in value:
        return Member(path)
    parts = tuple(
        Part(digest.parse(_text(part["digest"])), _number(part["size"]))
        for part in _list(value.get("parts", []))
    )
    stored = Stored(digest.parse(_text(value["digest"])), _number(value["size"]), parts)
    if sum(part.size for part in stored.blobs) != stored.size:
        raise ValueError(f"parts of {path} that don't add up")
    if not isinstance(value["executable"], bool):
        raise TypeError("'executable' that is neither true nor false")
    return Member(path, stored, value["executable"])


def _relative(value: Any) -> str:
    text = _text(value)
    parts = text.split("/")
    if not text or text.startswith("/") or "\0" in text or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"the path {text!r}")
    if parts[0] == ".snakemake":
        raise ValueError(f"the path {text!r}, which is Snakemake's own")
    return text


def _inside(path: str, target: str) -> str:
    """Return a link's target if it stays inside the output, whatever other links it leads to."""
    up, _, down = re.fullmatch(r"((\.\./)*)(.*)", target, re.DOTALL).groups()  # type: ignore[union-attr]
    parts = down.split("/")
    if up.count("/") > path.count("/") or "\0" in down or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"the link {path!r} to {target!r}")
    return target


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} in place of text")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"{value!r} in place of a number of bytes")
    return value


def _list(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError(f"{value!r} in place of a list")
    return value


def _broken(path: Path, found: str) -> InputError:
    return InputError(
        f"{path} can't be used",
        expected="the entry of a finished step, as relance writes it",
        found=found,
        next_step="remove it; its step is then run",
    )
