"""Files and folders that a workflow is given: those of its parameters and those that it names as defaults.

Each gets a place in the compiled workflow's folder, from which it is copied when that is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from relance.errors import InputError
from relance.languages.cwl.model import Secondary
from relance.languages.cwl.support import values
from relance.languages.model import Json

FOLDER = "init"
Folders = tuple[Path, ...]
"""Where files are looked for, one after another."""


class NoFileError(InputError):
    """A file or folder isn't there."""


@dataclass
class Given:
    """What is to be copied or written, by its path in the compiled workflow's folder."""

    copies: dict[str, Path] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    _defaults: int = 0

    def parameters(
        self, found: Mapping[str, Json], beside: Mapping[str, tuple[Secondary, ...]], folders: Folders
    ) -> dict[str, Json]:
        """Return parameters whose files, found in one of some folders, lie in the compiled workflow's.

        Raises:
            InputError: a file isn't there.
        """
        return {
            name: self._value(value, f"{FOLDER}/{_plain(name)}", folders, None, beside.get(name, ()))
            for name, value in found.items()
        }

    def default(self, value: Json, folder: Path, toplevel: Path, beside: tuple[Secondary, ...]) -> Json:
        """Return a default whose files, which must be in the toplevel, lie in the compiled workflow's folder.

        Raises:
            NoFileError: a file isn't there.
            InputError: it lies elsewhere.
        """
        if next(values.entries(value), None) is None:
            return value
        self._defaults += 1
        return self._value(value, f"{FOLDER}/defaults/{self._defaults}", (folder,), toplevel, beside)

    def _value(
        self, value: Json, place: str, folders: Folders, within: Path | None, beside: tuple[Secondary, ...]
    ) -> Json:
        if isinstance(value, list):
            return [
                self._value(item, f"{place}/{index}", folders, within, beside)
                for index, item in enumerate(value)
            ]
        if not isinstance(value, dict):
            return value
        if not values.is_entry(value):
            return {
                key: self._value(item, f"{place}/{_plain(key)}", folders, within, beside)
                for key, item in value.items()
            }
        return self._entry(value, place, folders, within, beside)

    def _entry(
        self,
        value: Mapping[str, Json],
        place: str,
        folders: Folders,
        within: Path | None,
        beside: tuple[Secondary, ...],
    ) -> dict[str, Json]:
        kind = value["class"]
        if kind == "File" and isinstance(value.get("contents"), str) and not _location(value):
            target = f"{place}/{_name(value.get('basename') or 'file')}"
            self.texts[target] = value["contents"]
            return {"class": kind, "path": target}
        source = _found(value, folders, within)
        target = f"{place}/{_name(value.get('basename') or source.name)}"
        self.copies[target] = source
        found: dict[str, Json] = {"class": kind, "path": target}
        others = [self._entry(one, place, folders, within, ()) for one in value.get("secondaryFiles") or []]
        if others:
            found["secondaryFiles"] = others
        for pattern in beside:
            other = source.with_name(values.beside(source.name, pattern.pattern))
            if other.exists():
                self.copies[f"{place}/{values.beside(Path(target).name, pattern.pattern)}"] = other
        return found


def _found(value: Mapping[str, Json], folders: Folders, within: Path | None) -> Path:
    """Return the file or folder that an object names."""
    kind, name = value["class"], _location(value)
    split = urlsplit(name)
    if split.scheme not in {"", "file"}:
        raise _refusal(kind, name, "an address", "a file on this machine", "fetch it first")
    relative = unquote(split.path) if split.scheme else name
    path = next(
        (one for one in (folder / relative for folder in folders) if one.exists()), folders[0] / relative
    )
    if not (path.is_dir() if kind == "Directory" else path.is_file()):
        subject, expected = f"the {kind} {name!r} can't be used", f"a {kind} at {path}"
        raise NoFileError(subject, found="none", expected=expected, next_step="check the name")
    top = (within or path).resolve()
    if not path.resolve().is_relative_to(top):
        raise _refusal(kind, name, "another place", f"one in {within}", "name its toplevel with --toplevel")
    for link in path.rglob("*") if kind == "Directory" else ():
        if link.is_symlink() and not link.resolve().is_relative_to(path.resolve()):
            raise _refusal(
                kind, name, f"the link {link.name} out of it", "files in it", "copy what it links to"
            )
    return path


def _location(value: Mapping[str, Json]) -> str:
    name = value.get("path") or value.get("location") or ""
    return name if isinstance(name, str) else ""


def _refusal(kind: str, name: str, found: str, expected: str, next_step: str) -> InputError:
    return InputError(
        f"the {kind} {name!r} can't be used", found=found, expected=expected, next_step=next_step
    )


def _plain(name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII).lstrip(".") or "_"


def _name(name: Json) -> str:
    if not isinstance(name, str) or "/" in name or name in {"", ".", ".."}:
        raise _refusal(
            "File", str(name), "this basename", "the name of a file, without folders", "correct it"
        )
    return name
