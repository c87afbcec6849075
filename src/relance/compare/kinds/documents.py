"""PDF, without the dates, names and offsets that its writers put in."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from relance.compare.kinds.base import Kind
from relance.compare.model import Part, UnreadableError
from relance.compare.records import Record, Records

_MOST = 1 << 28
_STREAM = re.compile(rb"(?<![A-Za-z])stream\r?\n")
# Everything that repeats has an end: a hostile file could keep an open bracket searched for hours.
_STRING = rb"(?:\((?:[^()\\]|\\.|\([^()]{0,999}\)){0,4000}\)|<[0-9A-Fa-f\s]{0,8000}>)"
_CHANGING = re.compile(
    rb"/(?:CreationDate|ModDate|Producer|Creator|PTEX\.Fullbanner|LastModified|DocChecksum)\s*"
    + _STRING
    + rb"|/DocChecksum\s*/\w+|/ID\s*\[[^\]]{0,999}\]|/Length\s+\d+(?:\s+\d+\s+R)?"
    # Where objects lie in the file is layout.
    + rb"|\bxref[\d\snf]*(?=trailer)|\bstartxref\s+\d+|/Prev\s+\d+",
    re.DOTALL,
)
_LENGTH = re.compile(rb"/Length\s+(\d+)\s+\d+\s+R")
_XMP = re.compile(
    rb"<(xmp:(?:CreateDate|ModifyDate|MetadataDate|CreatorTool)|xmpMM:(?:DocumentID|InstanceID)|pdf:Producer|dc:date)>"
    rb".{0,999}?</\1>|(?:xmp:(?:CreateDate|ModifyDate|MetadataDate|CreatorTool)|xmpMM:\w+ID|pdf:Producer)=\"[^\"]{0,999}\"",
    re.DOTALL,
)


def _is_pdf(head: bytes, path: Path) -> bool:  # noqa: ARG001 - the signature of a kind
    return head.startswith(b"%PDF-")


@contextmanager
def _pdf(path: Path) -> Iterator[Mapping[str, Part]]:
    with path.open("rb") as stream:
        data = stream.read(_MOST + 1)
    if len(data) > _MOST:
        raise UnreadableError(f"more than {_MOST} bytes")
    if b"%%EOF" not in data[-2048:]:
        raise UnreadableError("no end, '%%EOF'")
    yield {"": Records(lambda: _pieces(data), unit="object")}


def _pieces(data: bytes) -> Iterator[Record]:
    """Give each object's text, and the digest of each stream as it is unpacked."""
    lengths = set(_LENGTH.findall(data))
    position = 0
    while found := _STREAM.search(data, position):
        end = data.find(b"endstream", found.end())
        if end < 0:
            raise UnreadableError("a stream that doesn't end")
        dictionary = data[position : found.start()]
        content = data[found.end() : end]
        position = end + len(b"endstream")
        yield from _objects(dictionary, lengths)
        own = dictionary[dictionary.rfind(b" obj") :]
        if b"/XRef" in own:
            continue
        if b"/FlateDecode" in own:
            content = _unpacked(content)
        if _may_change(own, content):
            content = _XMP.sub(b"", _CHANGING.sub(b"", content))
        yield (f"stream of {len(content)} bytes, sha256:{hashlib.sha256(content).hexdigest()}",)
    yield from _objects(data[position:], lengths)


def _may_change(dictionary: bytes, content: bytes) -> bool:
    return b"/ObjStm" in dictionary or b"/Metadata" in dictionary or content.startswith(b"<?xpacket")


def _objects(data: bytes, lengths: Container[bytes]) -> Iterator[Record]:
    """Give the objects but those that say how long a packed stream is."""
    for part in _CHANGING.sub(b"", data).split(b"endobj"):
        words = part.split()
        number = next((words[at - 2] for at, word in enumerate(words) if at > 1 and word == b"obj"), b"")
        if words and not (number in lengths and words[-1].isdigit()):
            yield [word.decode("latin-1") for word in words]


def _unpacked(data: bytes) -> bytes:
    machine = zlib.decompressobj()
    try:
        content = machine.decompress(data, _MOST)
    except zlib.error as error:
        raise UnreadableError(f"a stream that can't be unpacked ({error})") from error
    if machine.unconsumed_tail:
        raise UnreadableError(f"a stream of more than {_MOST} bytes")
    return content


PDF = Kind("pdf", "a PDF document", _is_pdf, _pdf)
