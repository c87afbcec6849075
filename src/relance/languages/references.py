"""Documents that point into each other (with `$ref`), walked as if they were one.

A reference is looked up where its language says, first of all; the rest of the toplevel comes second.
Nothing outside the toplevel is read, and nothing from the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from relance.document import Document
from relance.errors import InputError
from relance.languages import yamlfile
from relance.languages.model import Json, Origin

_MOST_REFERENCES = 20_000


@dataclass
class Sources:
    """The files of a specification."""

    toplevel: Path
    key: str = "$ref"
    """What a reference stands under."""
    read: Callable[[Path, Path], Document] = yamlfile.read
    """Reads a file; its second argument is its name in messages."""
    identified: Callable[[Document, str], tuple[str | int, ...] | None] | None = None
    """Finds what bears an identifier; None: references lead by keys and indices only."""
    _documents: dict[Path, Document] = field(default_factory=dict)
    _followed: int = 0

    def root(self, file: str) -> Part:
        """Return the whole of a file, named relative to the toplevel.

        Raises:
            InputError: it isn't there, lies outside, or isn't YAML.
        """
        path = self._within(self.toplevel / file)
        if path is None:
            raise InputError(
                f"{file} isn't in the toplevel",
                expected=f"a file in {self.toplevel}",
                found="none",
                next_step="name the file relative to the toplevel",
            )
        return Part(self, self._document(path), (), path.parent, main=True)

    @property
    def files(self) -> tuple[str, ...]:
        """What was read, relative to the toplevel."""
        return tuple(sorted(str(document.path) for document in self._documents.values()))

    def follow(self, part: Part, reference: str) -> Part:
        """Return what a reference in a part points to.

        Raises:
            InputError: nothing that may be read is there.
        """
        self._followed += 1
        file, _, fragment = reference.partition("#")
        if ":" in file or file.startswith("/"):
            raise part.refusal(
                "a reference leads out of the toplevel", found=repr(reference), expected="a relative path"
            )
        if self._followed > _MOST_REFERENCES:
            raise part.refusal(
                "references have no end", found=f"{_MOST_REFERENCES:,} of them", expected="fewer"
            )
        folders = (self.toplevel, part.folder) if part.main else (part.folder, self.toplevel)
        target = part.document if not file else None
        folder = part.folder
        for candidate in folders if file else ():
            path = self._within(candidate / unquote(file))
            if path is not None:
                target, folder = self._document(path), path.parent
                break
        if target is None:
            raise part.refusal(
                "a reference leads nowhere",
                found=repr(reference),
                expected="a file within the toplevel, relative to it or to this file",
                next_step="correct this line, or name the folder that holds all with --toplevel",
            )
        link = (str(target.path), fragment.strip("/"))
        if link in part.above:
            raise part.refusal("references go in a circle", found=repr(reference), expected="an end")
        found = Part(
            self,
            target,
            (),
            folder,
            main=part.main and target is part.document,
            above=(*part.above, link),
        )
        if self.identified and (keys := self.identified(target, fragment)) is not None:
            return replace(found, keys=keys)
        for key in (unquote(one) for one in fragment.split("/") if one):
            found = found.at(key.replace("~1", "/").replace("~0", "~"), part, reference)
        return found

    def _within(self, path: Path) -> Path | None:
        real = path.resolve()
        return real if real.is_relative_to(self.toplevel.resolve()) and real.is_file() else None

    def _document(self, path: Path) -> Document:
        if path not in self._documents:
            shown = path.relative_to(self.toplevel.resolve())
            self._documents[path] = self.read(path, shown)
        return self._documents[path]


@dataclass(frozen=True)
class Part:
    """A part of a specification; references in it are followed as it is walked."""

    sources: Sources
    document: Document
    keys: tuple[str | int, ...]
    folder: Path
    main: bool = False
    """Whether it stands in the file that the specification begins with."""
    above: tuple[tuple[str, str], ...] = ()
    """References that lead here, and to what is around."""

    @property
    def value(self) -> Json:
        """What stands here; references further in aren't followed."""
        value = self.document.value
        for key in self.keys:
            value = value[key]
        return value

    @property
    def origin(self) -> Origin:
        """Where it stands."""
        keys = self.keys
        while keys and keys not in self.document.lines:
            keys = keys[:-1]
        return Origin(str(self.document.path), self.document.lines.get(keys, 1))

    @property
    def where(self) -> str:
        """`file:line` of it."""
        return f"{self.origin.file}:{self.origin.line}"

    def followed(self) -> Part:
        """Return this part, or what it refers to."""
        value = self.value
        key = self.sources.key
        if isinstance(value, dict) and isinstance(value.get(key), str):
            return self.sources.follow(self, value[key]).followed()
        return self

    def get(self, key: str) -> Part | None:
        """Return what stands under a key; None if nothing does."""
        value = self.value
        if not isinstance(value, dict) or key not in value:
            return None
        return replace(self, keys=(*self.keys, key)).followed()

    def at(self, key: str, asking: Part, reference: str) -> Part:
        """Return what stands under a key or index that a reference names.

        Raises:
            InputError: nothing does.
        """
        here = self.followed()
        value = here.value
        if isinstance(value, dict) and key in value:
            return replace(here, keys=(*here.keys, key))
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            return replace(here, keys=(*here.keys, int(key)))
        known = ", ".join(value) if isinstance(value, dict) else "none"
        raise asking.refusal(
            f"{here.document.path} has no {key!r}",
            found=f"a reference to {reference!r}",
            expected=f"one of {known}",
        )

    def items(self) -> Iterator[tuple[str, Part]]:
        """Give the keys of a mapping with what stands under each."""
        for key in self.mapping():
            yield key, replace(self, keys=(*self.keys, key)).followed()

    def each(self) -> Iterator[Part]:
        """Give the items of a list."""
        value = self.value
        if not isinstance(value, list):
            raise self.refusal("not a list", found=_kind(value), expected="a list")
        for index in range(len(value)):
            yield replace(self, keys=(*self.keys, index)).followed()

    def mapping(self) -> dict[str, Json]:
        """Return the value, which must be a mapping.

        Raises:
            InputError: it isn't.
        """
        value = self.value
        if not isinstance(value, dict):
            raise self.refusal("not a mapping", found=_kind(value), expected="a mapping")
        return value

    def text(self) -> str:
        """Return the value, which must be text.

        Raises:
            InputError: it isn't.
        """
        value = self.value
        if not isinstance(value, str):
            raise self.refusal("not text", found=_kind(value), expected="text")
        return value

    def flag(self) -> bool:
        """Return the value, which must be true or false.

        Raises:
            InputError: it isn't.
        """
        value = self.value
        if not isinstance(value, bool):
            raise self.refusal("not a yes or no", found=_kind(value), expected="true or false")
        return value

    def flag_at(self, key: str, *, default: bool) -> bool:
        """Return what stands under a key, which must be true or false, or the default if nothing does.

        Raises:
            InputError: it is something else.
        """
        part = self.get(key)
        return default if part is None else part.flag()

    def plain(self) -> Json:
        """Return the value with every reference in it replaced by what it points to."""
        value = self.value
        if isinstance(value, dict):
            return {key: part.plain() for key, part in self.items()}
        if isinstance(value, list):
            return [part.plain() for part in self.each()]
        return value

    def only(self, what: str, *keys: str) -> None:
        """Refuse keys that mean nothing here.

        Raises:
            InputError: there is one; its line is told.
        """
        for key, part in zip(self.mapping(), map(self._key, self.mapping()), strict=True):
            if key not in keys:
                raise part.refusal(
                    f"{what} has the key {key!r}", found="it", expected=f"one of {', '.join(keys)}"
                )

    def need(self, key: str, what: str) -> Part:
        """Return what stands under a key that must be there.

        Raises:
            InputError: it isn't.
        """
        self.mapping()
        part = self.get(key)
        if part is None:
            raise self.refusal(f"{what} has no '{key}'", found="nothing", expected=f"the key '{key}'")
        return part

    def refusal(
        self, what: str, *, found: str, expected: str, next_step: str = "correct this line"
    ) -> InputError:
        """Return the error that tells where something is wrong."""
        return InputError(f"{self.where}: {what}", expected=expected, found=found, next_step=next_step)

    def _key(self, key: str) -> Part:
        return replace(self, keys=(*self.keys, key))


def _kind(value: Json) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)
