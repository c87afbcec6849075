"""What a file is, told from how it begins: cheap, and safe with any file.

At most a megabyte of a file is unpacked (a JSON file, which can only be judged whole, up to 32 MB). What is
recognised may still be damaged further on: the step that reads it will say so.
"""

from __future__ import annotations

import gzip
import json
import re
import stat
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast

from relance.errors import InputError, MissingPartError

_HEAD = 1 << 20
_WHOLE = 32 << 20
_ZSTD_WINDOW = 1 << 27  # bytes of memory that a hostile frame can ask for


@dataclass(frozen=True)
class Content:
    """What a file begins with, unpacked."""

    head: bytes
    size: int
    """Bytes of the file as it lies there."""
    compression: str
    """gzip, zstd or none."""
    complete: bool
    """Whether `head` is all of it."""

    @cached_property
    def json(self) -> Any:
        """What a JSON text says; None if it isn't one."""
        if not self.complete or self.head.lstrip()[:1] not in {b"{", b"["}:
            return None
        try:
            return json.loads(self.head)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Format:
    """A kind of file: how it is told from others, and what makes one unusable."""

    name: str
    title: str
    levels: tuple[str, ...]
    """Entry levels that it can stand for."""
    begins: Callable[[Content], bool]
    """Whether a file says that it is of this kind."""
    fault: Callable[[Content], str]
    """What is wrong with one that says so; empty if nothing is seen."""
    compressible: bool = True


@dataclass(frozen=True)
class Detected:
    """What a file was found to be."""

    format: str
    compression: str


def levels(name: str) -> tuple[str, ...]:
    """Return the entry levels that a format can stand for.

    Raises:
        KeyError: there is no format of this name.
    """
    return _BY_NAME[name].levels


def names() -> tuple[str, ...]:
    """Return the names of all formats."""
    return tuple(_BY_NAME)


def check(path: Path, wanted: Iterable[str], subject: str) -> Detected:
    """Return what a file is, if it is in one of the wanted formats and nothing is wrong with its beginning.

    Raises:
        InputError: it isn't a readable file, is something else, or is damaged; `subject` begins the message.
        MissingPartError: it is packed with zstd and this Python can't unpack that.
    """
    allowed = [_BY_NAME[name] for name in wanted]
    expected = " or ".join(dict.fromkeys(form.title for form in allowed))
    content = _content(path, subject, expected)
    said = next((form for form in FORMATS if form.begins(content)), None)
    if said is None or said not in allowed:
        found = said.title if said else "an empty file" if not content.head else _unknown(content)
        raise _refusal(path, subject, expected, found, "give a file of that kind")
    if content.compression != "none" and not said.compressible:
        raise _refusal(
            path, subject, f"{said.title}, not packed", f"it in {content.compression}", "unpack it"
        )
    fault = said.fault(content)
    if fault:
        raise _refusal(path, subject, f"{said.title}, undamaged", fault, "make or fetch the file again")
    return Detected(said.name, content.compression)


def _content(path: Path, subject: str, expected: str) -> Content:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _refusal(path, subject, expected, "no regular file", "give a file")
        with path.open("rb") as file:
            magic = file.read(4)
            file.seek(0)
            if magic[:2] == b"\x1f\x8b":
                with gzip.open(file) as unpacked:
                    return _read(cast(IO[bytes], unpacked), status.st_size, "gzip")
            if magic == b"\x28\xb5\x2f\xfd":
                return _unzstd(file, status.st_size, path)
            return _read(file, status.st_size, "none")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _refusal(path, subject, expected, f"a damaged gzip file ({error})", "make it again") from error
    except OSError as error:
        found = error.strerror or str(error)
        raise _refusal(path, subject, expected, found, "check the name and the permissions") from error


def _unzstd(file: IO[bytes], size: int, path: Path) -> Content:
    try:
        import zstandard  # noqa: PLC0415 - only such files need it
    except ImportError as error:
        raise MissingPartError(
            f"{path}",
            expected="the Python package zstandard, to unpack it",
            found="none",
            next_step="type 'pip install zstandard', or give the file as .gz",
        ) from error
    try:
        with zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(file) as unpacked:
            return _read(cast(IO[bytes], unpacked), size, "zstd")
    except zstandard.ZstdError as error:
        raise OSError(f"a damaged zstd file ({error})") from error


def _read(stream: IO[bytes], size: int, compression: str) -> Content:
    """Read the beginning, and the rest of what can only be judged whole."""
    head = _up_to(stream, _HEAD + 1)
    if len(head) > _HEAD and head.lstrip()[:1] in {b"{", b"["}:
        head += _up_to(stream, _WHOLE + 1 - len(head))
        return Content(head, size, compression, complete=len(head) <= _WHOLE)
    return Content(head[:_HEAD], size, compression, complete=len(head) <= _HEAD)


def _up_to(stream: IO[bytes], most: int) -> bytes:
    parts = []
    while most > 0 and (part := stream.read(min(most, _HEAD))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _hepmc(start: bytes) -> Callable[[Content], bool]:
    return lambda content: content.head[:24].lstrip().startswith(b"HepMC::") and start in content.head[:4096]


def _hepmc_fault(content: Content) -> str:
    if re.search(rb"^E [-0-9]", content.head, re.MULTILINE):
        return ""
    return "no event" if content.complete else "no event in the first megabyte"


def _lhe_begins(content: Content) -> bool:
    return re.match(rb"\s*(<\?xml[^>]{0,200}\?>\s*)?<LesHouchesEvents\b", content.head[:4096]) is not None


def _lhe_fault(content: Content) -> str:
    if content.complete and b"</LesHouchesEvents>" not in content.head:
        return "no end, '</LesHouchesEvents>'"
    if content.complete and b"<init" not in content.head:
        return "no '<init>' block"
    if content.complete and b"<event" not in content.head:
        return "no event"
    return ""


def _root_fault(content: Content) -> str:
    """Look at the header: version, then where the first record begins and where the file ends."""
    head = content.head
    if len(head) < 20:
        return f"only {len(head)} bytes"
    version = int.from_bytes(head[4:8], "big")
    wide = version >= 1_000_000  # files over 2 GB have 64-bit pointers
    begin = int.from_bytes(head[8:12], "big")
    end = int.from_bytes(head[12:20] if wide else head[12:16], "big")
    if begin < 64 or end < begin:
        return "a header that makes no sense"
    if end > content.size:
        return f"{content.size} bytes of {end}: it is cut off"
    return ""


def _lists(value: Any, *keys: str) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(key), list) for key in keys)


def _is_workspace(content: Content) -> bool:
    return _lists(content.json, "channels", "measurements", "observations")


def _is_patchset(content: Content) -> bool:
    value = content.json
    return _lists(value, "patches") and isinstance(value.get("metadata"), Mapping)


def _is_patch(content: Content) -> bool:
    value = content.json
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(step, Mapping) and {"op", "path"} <= step.keys() for step in value)
    )


def _workspace_fault(content: Content) -> str:
    value = content.json
    channels = {channel.get("name") for channel in value["channels"] if isinstance(channel, Mapping)}
    observed = {given.get("name") for given in value["observations"] if isinstance(given, Mapping)}
    if not channels:
        return "no channel"
    missing = sorted(map(str, channels - observed))
    return f"no observation of channel '{missing[0]}'" if missing else ""


def _patch_fault(content: Content) -> str:
    operations = {"add", "remove", "replace", "move", "copy", "test"}
    for step in content.json:
        if step["op"] not in operations:
            return f"the operation {step['op']!r} (RFC 6902 knows {', '.join(sorted(operations))})"
        if not isinstance(step["path"], str):
            return "a path that isn't text"
    return ""


_CARD_LINE = re.compile(
    r"^\s*(?:[A-Za-z]\w*:\w+\s*=|(?:generate|import\s+model|add\s+process|define|launch|output)\s"
    r"|(?:set|read|do)\s+\S+|Block\s|DECAY\s|\S+\s*=\s*\S+\s*!)",
    re.IGNORECASE | re.MULTILINE,
)


def _is_card(content: Content) -> bool:
    """A generator's card: text with a setting of Pythia, MadGraph, Herwig or an SLHA file."""
    if not content.complete or b"\0" in content.head:
        return False
    try:
        text = content.head.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return _CARD_LINE.search(text) is not None and not text.lstrip().startswith(("{", "[", "<", "HepMC::"))


def _sound(content: Content) -> str:  # noqa: ARG001 - the signature of a fault
    return ""


FORMATS = (
    Format(
        "hepmc3",
        "HepMC3 events in ASCII",
        ("hepmc",),
        _hepmc(b"HepMC::Asciiv3-START_EVENT_LISTING"),
        _hepmc_fault,
    ),
    Format(
        "hepmc2",
        "HepMC2 events in ASCII",
        ("hepmc",),
        _hepmc(b"HepMC::IO_GenEvent-START_EVENT_LISTING"),
        _hepmc_fault,
    ),
    Format("lhe", "Les Houches events", ("lhe",), _lhe_begins, _lhe_fault),
    Format(
        "root",
        "a ROOT file",
        ("daod", "nanoaod", "ntuple", "histograms"),
        lambda content: content.head.startswith(b"root"),
        _root_fault,
        compressible=False,
    ),
    Format("pyhf-workspace", "a pyhf workspace (JSON)", ("likelihood",), _is_workspace, _workspace_fault),
    Format("pyhf-patchset", "a pyhf patch set (JSON)", ("likelihood",), _is_patchset, _sound),
    Format("pyhf-patch", "a pyhf patch (JSON)", ("likelihood",), _is_patch, _patch_fault),
    Format("card", "a generator card (text)", ("generator-card",), _is_card, _sound, compressible=False),
)
"""All formats; a file is the first that it says it is."""

_BY_NAME = {form.name: form for form in FORMATS}


def _unknown(content: Content) -> str:
    beginning = content.head[:24].decode("ascii", "backslashreplace")
    return f"something that begins with {beginning!r}"


def _refusal(path: Path, subject: str, expected: str, found: str, next_step: str) -> InputError:
    return InputError(f"{subject}: {path}", expected=expected, found=found, next_step=next_step)
