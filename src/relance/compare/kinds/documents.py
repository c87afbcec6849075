"""PDF, without the dates, names and offsets that its writers put in."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from relance.compare.kinds.base import Kind
from relance.compare.model import Part, UnreadableError
from relance.compare.records import Record, Records

_MOST = 1 << 28
_STREAM = re.compile(rb"(?<![A-Za-z])stream\r?\n(.*?)\r?\n?endstream", re.DOTALL)
_STRING = rb"(?:\((?:[^()\\]|\\.|\([^()]*\))*\)|<[0-9A-Fa-f\s]*>)"
_CHANGING = re.compile(
    rb"/(?:CreationDate|ModDate|Producer|Creator|PTEX\.Fullbanner|LastModified|DocChecksum)\s*"
    + _STRING
    + rb"|/DocChecksum\s*/\w+|/ID\s*\[[^\]]*\]|/Length\s+\d+(?:\s+\d+\s+R)?"
    # Where objects lie in the file is layout.
    + rb"|\bxref\b[\d\s]*(?:\d{10} \d{5} [nf]\s*)*|\bstartxref\s+\d+|/Prev\s+\d+",
    re.DOTALL,
)
_XMP = re.compile(
    rb"<(xmp:(?:CreateDate|ModifyDate|MetadataDate|CreatorTool)|xmpMM:(?:DocumentID|InstanceID)|pdf:Producer|dc:date)>"
    rb".*?</\1>|(?:xmp:(?:CreateDate|ModifyDate|MetadataDate|CreatorTool)|xmpMM:\w+ID|pdf:Producer)=\"[^\"]*\"",
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
    position = 0
    for match in _STREAM.finditer(data):
        dictionary = data[position : match.start()]
        yield from _objects(dictionary)
        position = match.end()
        own = dictionary[dictionary.rfind(b" obj") :]
        if b"/XRef" in own:
            continue
        content = _unpacked(match[1]) if b"/FlateDecode" in own else match[1]
        cleaned = _XMP.sub(b"", _CHANGING.sub(b"", content)) if _may_change(own, content) else content
        yield ("stream", f"{len(cleaned)} bytes", f"sha256:{hashlib.sha256(cleaned).hexdigest()}")
    yield from _objects(data[position:])


def _may_change(dictionary: bytes, content: bytes) -> bool:
    return b"/ObjStm" in dictionary or b"/Metadata" in dictionary or content.startswith(b"<?xpacket")


def _objects(data: bytes) -> Iterator[Record]:
    for part in _CHANGING.sub(b"", data).split(b"endobj"):
        words = part.decode("latin-1").split()
        if words:
            yield words


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
