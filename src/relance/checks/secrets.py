"""Secrets in what is about to be kept: files, image layers, image environment and history.

A finding says where and of what kind, never the value. What is compressed is not unpacked.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from relance import digest
from relance.checks import secret_files, secret_search, secret_values
from relance.checks.secret_search import Spot
from relance.errors import InputError
from relance.model import Digest
from relance.store.descriptors import Descriptor
from relance.store.importing import unpacking
from relance.store.layout import Layout

_START = 512
_READ = 1 << 17
"""Bytes read at once: a disk that is busy makes each reading of a small file wait."""

_DATA_PART = 1 << 16
"""Bytes searched at either end of data that are larger: what experiments write is binary, and much of it."""
_CONTROL = bytes({*range(32)} - set(b"\t\n\r\f\b\x1b"))
_MOST_CONTROL = 0.02  # of the bytes of a text; in packed data, whose beginning may lack zeros, it is a tenth
_TEST_PARTS = frozenset(("test", "tests", "testing", "test_data", "testdata", "examples", "_vendor"))
_LIBRARIES = (
    "usr/",
    "lib/",
    "lib64/",
    "opt/conda/",
    "var/lib/dpkg/",
    "var/lib/apt/",
    "etc/ssl/certs/",
    "etc/pki/",
)


@dataclass(frozen=True)
class Finding:
    """A secret, without its value."""

    place: str
    """The file, or where in an image."""
    line: int | None
    """Counted from 1; None for what has no lines."""
    kind: str
    digest: Digest
    """sha256 of the file or text that it stands in: what an allowance names."""

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.place}{f', line {self.line}' if self.line else ''}: {self.kind}"


def find_in_bytes(data: bytes, place: str) -> tuple[Finding, ...]:
    """Return the secrets in the content of a file called `place`."""
    return _found(io.BytesIO(data), place, len(data))


def find_in_file(path: Path, place: str | None = None) -> tuple[Finding, ...]:
    """Return the secrets of a file, by its name and its content, which may be of any size.

    Raises:
        InputError: it can't be read.
    """
    try:
        with path.open("rb", buffering=_READ) as stream:
            return _found(stream, place or str(path), path.stat().st_size)
    except OSError as error:
        raise InputError(
            f"{path} can't be searched for secrets",
            expected="a file that can be read",
            found=error.strerror or str(error),
            next_step="make it readable, or leave it out",
        ) from error


def is_packed(path: Path) -> bool:
    """Return whether a file is compressed, so that nobody has looked inside."""
    with path.open("rb") as stream:
        return secret_files.is_packed(stream.read(_START))


def find_in_environment(variables: Iterable[str] | Mapping[str, str], place: str) -> tuple[Finding, ...]:
    """Return the secrets among environment variables: a mapping, or texts NAME=VALUE."""
    pairs = (
        variables.items()
        if isinstance(variables, Mapping)
        else (text.partition("=")[::2] for text in variables)
    )
    found = []
    for name, value in pairs:
        by_name = secret_values.is_secret_key(name) and secret_values.is_secret_value(value, quoted=True)
        if by_name or secret_values.is_known_token(value):
            found.append(
                Finding(
                    f"{place}, variable {name}", None, "secret in a variable", digest.of_bytes(value.encode())
                )
            )
    return tuple(found)


def find_in_image(layout: Layout, manifest: Descriptor, name: str) -> tuple[Finding, ...]:
    """Return the secrets of an image: files that its layers add, its environment, labels and history.

    What a distribution or a package brings for its own tests is passed over, and so are values in libraries
    that only a name before them says to be secret.

    Raises:
        InputError: the image or a layer can't be read.
    """
    document = layout.read_json(manifest.digest)
    found: list[Finding] = []
    try:
        configuration = layout.read_json(digest.parse(document["config"]["digest"]))
        settings = configuration.get("config") or {}
        found += find_in_environment(settings.get("Env") or (), f"image {name}")
        found += find_in_environment(settings.get("Labels") or {}, f"image {name}, label")
        for number, step in enumerate(configuration.get("history") or (), 1):
            text = str(step.get("created_by", ""))
            place = f"image {name}, history step {number}"
            found += [
                Finding(place, None, item.kind, item.digest) for item in find_in_bytes(text.encode(), place)
            ]
        layers = [digest.parse(layer["digest"]) for layer in document["layers"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_image(name, repr(error)) from error
    for blob in layers:
        found += _in_layer(layout, blob, name)
    return tuple(dict.fromkeys(found))


def not_allowed(findings: Iterable[Finding], allowed: Iterable[Digest]) -> tuple[Finding, ...]:
    """Return the findings in files that nobody allowed by their digest."""
    known = frozenset(allowed)
    return tuple(finding for finding in findings if finding.digest not in known)


def _found(stream: IO[bytes], place: str, size: int) -> tuple[Finding, ...]:
    start = stream.read(_START)
    if not size and not start:
        return ()
    stream.seek(0)
    whole = secret_files.by_start(start) or secret_files.by_name(place)
    spots = () if secret_files.is_packed(start) else _spots(stream, size, start)
    return _told(stream, place, spots, whole, lines=not _is_data(start))


def _spots(stream: IO[bytes], size: int, start: bytes) -> tuple[Spot, ...]:
    """Return the secrets of a file; of large data only those near its beginning and its end."""
    is_text = not _is_data(start) or secret_files.is_archive(start)
    if is_text or size <= 2 * _DATA_PART:
        return secret_search.spots(stream)
    head = secret_search.spots(io.BytesIO(stream.read(_DATA_PART)))
    stream.seek(size - _DATA_PART)
    tail = secret_search.spots(io.BytesIO(stream.read(_DATA_PART)))
    return (*head, *(replace(spot, offset=size - _DATA_PART + spot.offset) for spot in tail))


def _is_data(start: bytes) -> bool:
    """Return whether a file that begins so is no text."""
    control = len(start) - len(start.translate(None, _CONTROL))
    return b"\0" in start or control > _MOST_CONTROL * len(start)


def _told(
    stream: IO[bytes], place: str, spots: Iterable[Spot], whole: str | None, *, lines: bool
) -> tuple[Finding, ...]:
    """Return findings with the lines of spots; only then is the file read once more."""
    spots = tuple(spots)
    if not spots and whole is None:
        return ()
    stream.seek(0)
    content = digest.parse(f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}")  # type: ignore[arg-type]
    found = [Finding(place, None, whole, content)] if whole else []
    numbers = _lines(stream, [spot.offset for spot in spots]) if lines else [None] * len(spots)
    found += [Finding(place, line, spot.kind, content) for spot, line in zip(spots, numbers, strict=True)]
    return tuple(dict.fromkeys(found))


def _lines(stream: IO[bytes], offsets: list[int]) -> list[int | None]:
    """Return the lines of ascending offsets."""
    stream.seek(0)
    at, line = 0, 1
    found: list[int | None] = []
    for offset in offsets:
        while at < offset:
            data = stream.read(min(1 << 20, offset - at))
            if not data:
                break
            at += len(data)
            line += data.count(b"\n")
        found.append(line)
    return found


def _in_layer(layout: Layout, blob: Digest, name: str) -> Iterator[Finding]:
    with layout.open(blob) as packed, unpacking.plain(packed) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    path = member.name.removeprefix("./").lstrip("/")
                    if not member.isreg() or not member.size or _is_test(path):
                        continue
                    content = archive.extractfile(member)
                    if content is not None:
                        yield from _in_member(content, path, name)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise _no_image(name, f"layer {blob}: {error}") from error


def _in_member(content: IO[bytes], path: str, name: str) -> Iterator[Finding]:
    """Yield the findings of a file that can be read only once, and only forwards."""
    reader = _Reading(content)
    start = reader.peek()
    place = f"image {name}, {path}"
    library = _is_library(path)
    whole = secret_files.by_start(start) or (None if library else secret_files.by_name(path))
    spots: tuple[Spot, ...] = ()
    if not secret_files.is_packed(start):
        spots = tuple(spot for spot in secret_search.spots(reader) if spot.strong or not library)
    if spots or whole:
        content_digest = reader.digest()
        kinds = dict.fromkeys([*([whole] if whole else []), *(spot.kind for spot in spots)])
        yield from (Finding(place, None, kind, content_digest) for kind in kinds)


class _Reading:
    """Reads forwards and hashes what went by."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._ahead = b""

    def peek(self) -> bytes:
        self._ahead = self._stream.read(_START)
        self._hash.update(self._ahead)
        return self._ahead

    def read(self, size: int) -> bytes:
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            return ahead
        data: bytes = self._stream.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> Digest:
        while self.read(1 << 20):
            pass
        return digest.parse(f"sha256:{self._hash.hexdigest()}")


def _is_library(path: str) -> bool:
    return path.startswith(_LIBRARIES) or "/site-packages/" in path or "/dist-packages/" in path


def _is_test(path: str) -> bool:
    """Return whether a file is part of the tests or examples of a library."""
    return _is_library(path) and not _TEST_PARTS.isdisjoint(path.split("/"))


def _no_image(name: str, found: str) -> InputError:
    return InputError(
        f"the image {name} can't be searched for secrets",
        expected="an image whose layers can be read",
        found=found,
        next_step="see 'relance store fsck'",
    )
