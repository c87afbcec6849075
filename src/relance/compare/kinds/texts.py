"""Text: tables with a column of numbers or words each, events in HepMC's ASCII, YODA's histograms, SVG."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from relance.compare.histograms import Histogram
from relance.compare.kinds.base import Kind, text_of
from relance.compare.model import Part, UnreadableError
from relance.compare.records import Record, Records, is_number
from relance.compare.tree import Tree

_MOST_LINE = 1 << 24
_MOST_TEXT = 1 << 28
_WORDS = re.compile(r"[,;\s]+")
_TABLE_LINES = 200


def _is_text(head: bytes, path: Path) -> bool:  # noqa: ARG001 - the signature of a kind
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) - error.start < 4  # a character that the end of the head cuts
    return True


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        while line := stream.readline(_MOST_LINE):
            if len(line) == _MOST_LINE:
                raise UnreadableError(f"a line of more than {_MOST_LINE} bytes")
            yield line.decode("utf-8", "surrogateescape").rstrip()


def _words(line: str) -> list[str]:
    return [word for word in _WORDS.split(line) if word]


@contextmanager
def _text(path: Path) -> Iterator[Mapping[str, Part]]:
    columns = _columns(path)

    def read() -> Iterator[Record]:
        return (_words(line) for line in _lines(path))

    yield {"": Records(read, columns=columns, movable=bool(columns))}


def _columns(path: Path) -> tuple[str, ...]:
    """Return the columns of a table: a first line of names, and lines that each have as many numbers."""
    lines = [line for _, line in zip(range(_TABLE_LINES), _lines(path), strict=False) if line]
    if len(lines) < 2:
        return ()
    names = _words(lines[0].lstrip("#"))
    rows = [_words(line) for line in lines[1:]]
    rectangular = all(len(row) == len(names) and any(map(is_number, row)) for row in rows)
    if not rectangular:
        return ()
    if any(map(is_number, names)):
        return tuple(str(index) for index in range(1, len(names) + 1))
    return tuple(names)


def _is_hepmc(head: bytes, path: Path) -> bool:  # noqa: ARG001
    return head.lstrip().startswith(b"HepMC::")


@contextmanager
def _hepmc(path: Path) -> Iterator[Mapping[str, Part]]:
    yield {
        "events": Records(lambda: _events(path), unit="event", movable=True),
        "run": Records(lambda: _run(path), unit="line of the run"),
    }


def _events(path: Path) -> Iterator[Record]:
    """Give each event without its number, which says only where in the file it stands."""
    words: list[str] = []
    for line in _lines(path):
        if line.startswith("HepMC::"):
            if words:
                yield words
            words = []
        elif line.startswith("E "):
            if words:
                yield words
            words = ["E", *line.split()[2:]]
        elif words:
            words += line.split()
    if words:
        yield words


def _run(path: Path) -> Iterator[Record]:
    """Give what stands before the first event, without the version of the library that wrote it."""
    for line in _lines(path):
        if line.startswith("E "):
            return
        if line and not line.startswith("HepMC::Version"):
            yield line.split()


def _is_yoda(head: bytes, path: Path) -> bool:  # noqa: ARG001
    return head.lstrip().startswith(b"BEGIN YODA_")


@contextmanager
def _yoda(path: Path) -> Iterator[Mapping[str, Part]]:
    parts: dict[str, Part] = {}
    block: list[str] = []
    kind = name = ""
    for line in _lines(path):
        if line.startswith("BEGIN YODA_"):
            words = line.split(maxsplit=2)
            if kind or len(words) < 3:
                raise UnreadableError("a block that doesn't end" if kind else "a block without a name")
            kind, name, block = words[1], words[2], []
        elif line.startswith("END YODA_"):
            if not kind or name in parts:
                raise UnreadableError(f"{name or line} twice, or without a beginning")
            parts[name] = _yoda_object(kind, block)
            kind = ""
        elif kind and line:
            block.append(line)
    if kind:
        raise UnreadableError(f"{name} has no end")
    yield parts


_HISTOGRAM = re.compile(r"YODA_HISTO1D(?:_V[12])?")
_YODA_COLUMNS = 7
_YODA_EDGES = 2


def _yoda_object(kind: str, block: list[str]) -> Part:
    if not _HISTOGRAM.fullmatch(kind):
        return Records(lambda: map(_words, block))
    edges: list[float | str] = []
    contents: list[float] = []
    variances: list[float] = []
    rest: dict[str, object] = {}
    for line in block:
        words = line.split()
        if line.startswith("#") or line == "---":
            continue
        if len(words) == _YODA_COLUMNS and all(map(is_number, words[_YODA_EDGES:])):
            numbers = [float(word) if is_number(word) else word for word in words]
            edges += numbers[:_YODA_EDGES]
            contents.append(float(words[_YODA_EDGES]))
            variances.append(float(words[_YODA_EDGES + 1]))
            rest[f"moments of bin {len(contents) - 1}"] = numbers[_YODA_EDGES + 2 :]
        else:
            name, _, value = line.partition(":")
            rest[name] = value.strip()
    return Histogram(tuple(contents), tuple(variances), (tuple(edges),), Tree(rest))


def _is_svg(head: bytes, path: Path) -> bool:  # noqa: ARG001
    if not head.lstrip().startswith(b"<"):
        return False
    text = _without(head.decode("utf-8", "replace"), "<!--", "-->")
    return re.match(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!DOCTYPE svg[^>]*>\s*)?<svg\b", text) is not None


def _without(text: str, begin: str, end: str) -> str:
    """Return a text without what stands between two marks, and without the marks."""
    kept = []
    position = 0
    while (start := text.find(begin, position)) >= 0:
        stop = text.find(end, start + len(begin))
        if stop < 0:
            break
        kept.append(text[position:start])
        position = stop + len(end)
    return "".join([*kept, text[position:]])


_ID = re.compile(r"""\bid\s*=\s*["']([^"']*)["']""")
_REFERENCE = re.compile(r"""(\bid\s*=\s*["']|\bhref\s*=\s*["']\#|url\(["']?\#)([^"')]*)""")
_TAG = re.compile(r"<[^>]*>|[^<]+")
_PIECES = re.compile(r"""[\s"'=,<>()/]+|(?<=[A-Za-z])(?=[-+.\d])|(?<=[\d.])(?=[A-Za-z]\s)""")


@contextmanager
def _svg(path: Path) -> Iterator[Mapping[str, Part]]:
    text = _without(text_of(path, _MOST_TEXT), "<!--", "-->")
    text = _without(text, "<metadata", "</metadata>")
    if "</svg" not in text and "/>" not in text:
        raise UnreadableError("no end, '</svg>'")
    # Programs name what they draw by chance; only what refers to what says something.
    order = {name: f"id-{number}" for number, name in enumerate(dict.fromkeys(_ID.findall(text)))}
    named = _REFERENCE.sub(lambda match: match[1] + order.get(match[2], match[2]), text)
    yield {"": Records(lambda: _tags(named), unit="element")}


def _tags(text: str) -> Iterator[Record]:
    for match in _TAG.finditer(text):
        words = [word for word in _PIECES.split(match[0]) if word]
        if words:
            yield words


TEXT = Kind("text", "text", _is_text, _text, marked=False)
HEPMC = Kind("hepmc", "HepMC events", _is_hepmc, _hepmc)
YODA = Kind("yoda", "YODA histograms", _is_yoda, _yoda)
SVG = Kind("svg", "an SVG picture", _is_svg, _svg)
