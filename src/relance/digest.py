"""sha256 of bytes, files, trees of files and JSON values, each written `sha256:<64 hex digits>`."""

from __future__ import annotations

import hashlib
import json
import math
import re
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from relance.errors import InputError
from relance.model import Digest

_FORM = re.compile(r"sha256:[0-9a-f]{64}")
_LARGEST_EXACT_INTEGER = 2**53
_AS_THEY_ARE = frozenset({str, int, bool, type(None)})
_TEXT = frozenset({str})


def parse(text: str) -> Digest:
    """Return `text` as a digest.

    Raises:
        InputError: it isn't `sha256:` and 64 hexadecimal digits in lower case.
    """
    if not _FORM.fullmatch(text):
        raise InputError(
            "not a digest",
            expected="'sha256:' and 64 hexadecimal digits in lower case",
            found=repr(text),
            next_step="copy the whole digest",
        )
    return Digest(text)


def of_bytes(data: bytes) -> Digest:
    """Return the digest of `data`."""
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def of_file(path: Path) -> Digest:
    """Return the digest of a file's content, read in chunks: memory stays flat however large it is."""
    with path.open("rb") as stream:
        return Digest(f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}")


def of_tree(
    folder: Path, *, hashed: Callable[[Path], Digest] = of_file, leaving_out: Collection[str] = ()
) -> Digest:
    """Return the digest of a folder: names, contents, executable bits, link targets, empty folders.

    `hashed` gives the digest of a file in it; entries whose name is in `leaving_out` don't count. Nor do
    times, owners and other permissions, so a copy made elsewhere has the same digest.

    Raises:
        InputError: the folder holds something that can't be preserved, such as a socket.
    """
    entries = [path for path in sorted(folder.rglob("*")) if path.name not in leaving_out]
    return of_json([_entry(folder, path, hashed) for path in entries])


def of_json(value: object) -> Digest:
    """Return the digest of the canonical JSON of `value`."""
    return of_bytes(canonical_json(value))


def canonical_json(value: object) -> bytes:
    """Return the one way this package writes a JSON value: keys sorted, no spaces, UTF-8.

    A number that is an integer is written as one (`2500.0` is `2500`, `-0.0` is `0`), as RFC 8785 does;
    other floats have the shortest digits that read back exactly.

    Raises:
        InputError: the value can't be told in JSON (NaN, infinities, keys that aren't text, other types).
    """
    normal = _normalised(value)
    text = json.dumps(normal, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _no_json(ascii(error.object[error.start : error.end])) from error


def _normalised(value: object) -> object:
    # Nearly all there is are plain values, and plain mappings and lists of them.
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, dict) and _TEXT.issuperset(map(type, value)):
        plain = _AS_THEY_ARE.issuperset(map(type, value.values()))
        return value if plain else {key: _normalised(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return value if _AS_THEY_ARE.issuperset(map(type, value)) else [_normalised(item) for item in value]
    return _normalised_other(value)


def _normalised_other(value: object) -> object:
    match value:
        case bool() | int() | str():
            return value
        case float():
            if not math.isfinite(value):
                raise _no_json(repr(value))
            whole = value.is_integer() and abs(value) <= _LARGEST_EXACT_INTEGER
            return int(value) if whole else value
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise _no_json(f"the key {key!r}")
            return {key: _normalised(item) for key, item in value.items()}
        case bytes() | bytearray():
            raise _no_json(type(value).__name__)
        case Sequence():
            return [_normalised(item) for item in value]
        case _:
            raise _no_json(type(value).__name__)


def _no_json(found: str) -> InputError:
    return InputError(
        "a value has no canonical JSON",
        expected="null, true, false, text, finite numbers, lists and mappings with text keys",
        found=found,
        next_step="write it as text",
    )


def _entry(folder: Path, path: Path, hashed: Callable[[Path], Digest]) -> dict[str, object]:
    name = path.relative_to(folder).as_posix()
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return {"name": name, "link": str(path.readlink())}
    if stat.S_ISDIR(mode):
        return {"name": name, "folder": True}
    if stat.S_ISREG(mode):
        return {"name": name, "executable": bool(mode & stat.S_IXUSR), "digest": hashed(path)}
    raise InputError(
        f"{path} can't be preserved",
        expected="files, folders and symbolic links",
        found="a socket, pipe or device",
        next_step="remove it from the folder",
    )
