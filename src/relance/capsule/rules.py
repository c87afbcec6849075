"""What a capsule may say: paths that stay inside, links that lead to its own files, numbers that agree.

The same rules hold for one that is written here and one that comes from elsewhere.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import pairwise

from relance.capsule.model import Capsule, CapsuleFile, CapsuleJob, CapsuleLink, Role
from relance.errors import InputError
from relance.model import Digest, JobRecord, Stored

OWN = ".relance"
"""Folder, in a checkout, of what is relance's own; no file of an analysis may have it above itself."""

_LONGEST_PART = 255  # bytes of a name, as Linux has it
_LONGEST = 4000  # bytes of a path, so that a folder before it has room
_ADLER32 = re.compile(r"[0-9a-f]{8}")
_IMAGES = ("written", "run", "afterwards", "unknown")


def check(capsule: Capsule) -> None:
    """Refuse a capsule that says what none may say; it must be in order (`ordering.ordered`).

    Raises:
        InputError: a path leads outside or is taken twice, a link doesn't lead to a file of the capsule,
            sizes or digests contradict each other, or jobs are out of order.
    """
    for file in capsule.files:
        _check_file(file)
    for link in capsule.links:
        _check_path(link.path, "a link")
    for folder in capsule.folders:
        _check_path(folder, "a folder")
    for path in capsule.trees:
        _check_path(path.removeprefix("/"), "a folder")
    inside = _check_places(capsule)
    for link in capsule.links:
        _check_link(link, inside)
    blobs(capsule)
    for number, job in enumerate(capsule.jobs):
        _check_job(number, job)
    _check_images(capsule)


def blobs(capsule: Capsule) -> Mapping[Digest, int]:
    """Return the size in bytes of every blob that holds a file of the capsule, by digest.

    Raises:
        InputError: one digest is said to have two sizes.
    """
    sizes: dict[Digest, int] = {}
    for file in capsule.files:
        for part in file.stored.blobs if file.stored else ():
            if sizes.setdefault(part.digest, part.size) != part.size:
                raise _refusal(
                    file.path, "one size of each blob", f"{sizes[part.digest]} and {part.size} bytes"
                )
    return sizes


def check_text(text: str, subject: str) -> None:
    """Refuse text that isn't a line of its own: control characters, halves of characters.

    Raises:
        InputError: it holds one.
    """
    if text.isprintable():
        return
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            raise _refusal(subject, "printable characters", ascii(character))


def _check_file(file: CapsuleFile) -> None:
    if file.path.startswith("/") and file.role is Role.INPUT:
        _check_path(file.path[1:], "an input")
    else:
        _check_path(file.path, f"a {file.role}")
    if file.size < 0:
        raise _refusal(file.path, "a size", str(file.size))
    if file.stored is not None:
        _check_stored(file, file.stored)
    if file.adler32 is not None and not _ADLER32.fullmatch(file.adler32):
        raise _refusal(file.path, "an adler32 of eight hexadecimal digits", repr(file.adler32))
    for location in file.locations:
        check_text(location, file.path)


def _check_stored(file: CapsuleFile, stored: Stored) -> None:
    if (stored.digest, stored.size) != (file.digest, file.size):
        raise _refusal(file.path, "content with the file's digest and size", "that of another")
    sizes = [part.size for part in stored.parts]
    if sizes and (len(sizes) < 2 or min(sizes) < 1 or sum(sizes) != file.size):
        raise _refusal(file.path, "parts that make up the file", f"parts of {sizes[:9]} bytes")


def _check_path(path: str, what: str) -> None:
    check_text(path, what)
    parts = path.split("/")
    if (
        "\\" in path
        or not {"", ".", ".."}.isdisjoint(parts)
        or len(path.encode()) > _LONGEST
        or any(len(part.encode()) > _LONGEST_PART for part in parts)
        or parts[0] == OWN
    ):
        raise _refusal(what, f"a path below the analysis, without '..', '\\' or '{OWN}'", _shown(path))


def _check_places(capsule: Capsule) -> frozenset[str]:
    """Return every place inside the capsule: files, empty folders and all folders above them."""
    leaves = sorted([*(file.path for file in capsule.files), *(link.path for link in capsule.links)])
    for one, next_one in pairwise(leaves):
        if one == next_one:
            raise _refusal(_shown(one), "one file or link", "two of this path")
    above: set[str] = set()
    for path in (*leaves, *capsule.folders):
        folder = posixpath.dirname(path)
        while folder not in {"", "/"} and folder not in above:
            above.add(folder)
            folder = posixpath.dirname(folder)
    above.update(capsule.folders)
    for path in leaves:
        if path in above:
            raise _refusal(_shown(path), "a file or a folder", "both")
    return frozenset(above).union(file.path for file in capsule.files)


def _check_link(link: CapsuleLink, inside: frozenset[str]) -> None:
    check_text(link.target, link.path)
    down = re.sub(r"^(?:\.\./)*", "", link.target)
    # A `..` further on would go up from wherever a link before it led.
    direct = not {"", ".", ".."}.intersection(down.split("/")) and "\\" not in link.target
    target = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.target))
    if not direct or target not in inside or link.path.startswith(f"{target}/"):
        raise _refusal(
            f"link {_shown(link.path)}", "one that leads to a file of the capsule", _shown(link.target)
        )


def _check_job(number: int, job: CapsuleJob) -> None:
    name = f"job {number} ({job.record.rule})"
    if list(job.needs) != sorted(set(job.needs)) or not all(0 <= needed < number for needed in job.needs):
        raise _refusal(name, "to need only jobs before it, each once", str(job.needs[:9]))
    record = job.record
    check_text(record.rule, f"job {number}")
    for path in record.inputs:
        check_text(path, name)
    for path in (*record.outputs, *record.logs, *_folders(record)):
        check_text(path, name)
        if ".." in path.split("/") or not path:
            raise _refusal(name, "outputs and logs without '..'", _shown(path))
    if record.command is not None and "\0" in record.command:
        raise _refusal(name, "a command", "one with a NUL character")


def _folders(record: JobRecord) -> Iterable[str]:
    return () if isinstance(record.directories, str) else record.directories


def _check_images(capsule: Capsule) -> None:
    seen: set[str] = set()
    sizes: dict[Digest, int] = {}
    for image in capsule.images:
        for written in image.written:
            check_text(written, "an image")
            if written in seen:
                raise _refusal(f"image {_shown(written)}", "one image", "two of this name")
            seen.add(written)
        if image.resolved not in _IMAGES:
            raise _refusal("an image", f"resolved: one of {', '.join(_IMAGES)}", _shown(image.resolved))
        if sizes.setdefault(image.manifest, image.manifest_size) != image.manifest_size:
            raise _refusal(f"image {image.manifest}", "one size", f"also {image.manifest_size}")


def _shown(path: str) -> str:
    shown = ascii(path) if not path.isprintable() else repr(path)
    return shown if len(shown) <= 200 else f"{shown[:200]}…"


def _refusal(subject: str, expected: str, found: str) -> InputError:
    return InputError(
        f"the capsule can't be used: {subject}",
        expected=expected,
        found=found,
        next_step="rename or leave out what it names before capturing; don't trust one that comes like this",
    )
