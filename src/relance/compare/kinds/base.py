"""What a kind of file is: how it is told, and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from relance.compare.model import LibraryMissingError, Part, UnreadableError

HEAD = 1 << 14
"""Bytes of a file that are enough to tell its kind."""


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    name: str
    title: str
    tells: Callable[[bytes, Path], bool]
    """Whether a file that begins so, of this name, is of this kind."""
    opened: Callable[[Path], AbstractContextManager[Mapping[str, Part]]]
    """Gives the parts of a file, readable while the context lasts.

    Raises UnreadableError if the file is broken, LibraryMissingError if it can't be read here.
    """
    marked: bool = True
    """Whether every such file begins with a mark that no other has."""


@contextmanager
def needing(*packages: str) -> Iterator[None]:
    """Turn the lack of a library into LibraryMissingError."""
    try:
        yield
    except ImportError as error:
        raise LibraryMissingError(" and ".join(packages)) from error


def text_of(path: Path, most: int) -> str:
    """Return a file as text.

    Raises:
        UnreadableError: it is no UTF-8, or larger than `most` bytes.
    """
    with path.open("rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise UnreadableError(f"more than {most} bytes of text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError("bytes that aren't UTF-8") from error
