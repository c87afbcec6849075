"""Finds secrets in a stream of bytes of any size.

Speed comes from looking at few places only. Two tables turn bytes into classes, in which one search finds
every run of twenty letters and digits (tokens, keys, hashes), and another what may be `passw`, `secret` or
`token` in any case; searches for `://` and `glpat-` find the rest. Only what they find is looked at closely.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from relance.checks import secret_values

_CHUNK = 1 << 20
_CONTEXT = 4096  # bytes before and after a place that count
_RUN = 20
_LONGEST = 2048  # a longer run is data

_ALNUM = bytes(ord("a") if chr(code).isalnum() and code < 128 else ord(" ") for code in range(256))
_CLASSES = bytes.maketrans(b"aAcCoOsSrReEkKwWtTnN", b"XXXXXXYYYYYYYYZZZZZZ")
_IN_NAME = bytes(
    ord("a") if chr(code) in "_-." or _ALNUM[code] == ord("a") else ord(" ") for code in range(256)
)
_NAME = 40
_MARK = b"XYYZ"  # assw, ecret without its e: cret, oken

_WORD = re.compile(rb"(?i)passw|secret|token")
_ASSIGNED = re.compile(
    rb"(?i)(?P<name>[\w.\-]{0,40}(?:passw(?:or)?d|secret|token)[\w.\-]{0,40})['\"\]]{0,2}[ \t]{0,8}"
    rb"(?P<sign>:=|=>|==|=|:)[ \t]{0,8}(?:[rbu]?(?P<quote>['\"])(?P<quoted>[^'\"\n]{4,512})(?P=quote)"
    rb"|(?P<bare>[^\s'\"#;,{}()\[\]<>&|]{4,512})(?P<next>.?))",
    re.DOTALL,
)
_OPTION = re.compile(rb"(?i)--?(?:passw(?:or)?d|token|secret)[ =](?P<bare>[^\s'\"$;&|<>()]{6,512})")
_NETRC = re.compile(rb"\b(?:login|machine)\s+\S{1,200}\s+(?:account\s+\S{1,200}\s+)?password\s+(\S{3,200})")
_BEFORE = re.compile(
    rb"(?i)(?:api[_-]?key|access[_-]?key|[_-]key|private[_-]?key|credentials?|bearer|authorization|[\"']auth)[\"'\]]{0,2}"
    rb"\s{0,4}(?::=|=>|=|:|\s)\s{0,4}(?:bearer\s)?[\"']?$"
)
_SIGN = re.compile(rb"[=:]|(?i:bearer )")
_LOGIN_BEFORE = re.compile(rb"[\"']auth[\"']\s{0,4}:\s{0,4}[\"']$")
_ALNUM_RUN = re.compile(rb"[A-Za-z0-9]+")
_TOKEN_RUN = re.compile(rb"[A-Za-z0-9_\-./+=~]+")
_DATA = re.compile(rb"[A-Za-z0-9+/=_\-.]+(?:\r?\n[A-Za-z0-9+/=]{40,})*")  # base64 over many lines, too
_TOKEN_LEFT = re.compile(rb"[A-Za-z0-9_\-.]*$")
_TOKEN = re.compile(secret_values.TOKEN.pattern.encode())
_URL = re.compile(rb"://[^\s/:@'\"<>{}$]{0,128}:([^\s/@'\"<>{}$]{3,256})@(?!sha256:)[\w.\-\[]")
_KEY_BODY = 40


class Readable(Protocol):
    """What bytes can be read from, forwards."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


@dataclass(frozen=True)
class Spot:
    """A secret in a stream."""

    offset: int
    kind: str
    strong: bool
    """Whether the secret itself says what it is, and not only the name before it."""


def spots(stream: Readable) -> tuple[Spot, ...]:
    """Return every secret in a stream, in order. Memory: a few MB, whatever its size."""
    found: dict[tuple[int, str], Spot] = {}
    held, base = b"", 0  # what is kept of the last chunk, and where it begins
    begin = 0
    while True:
        chunk, last = _read(stream)
        buffer = held + chunk
        end = len(buffer) if last else max(len(buffer) - _CONTEXT, begin)
        for spot in _in_buffer(buffer, begin, end):
            found.setdefault(
                (base + spot.offset, spot.kind), Spot(base + spot.offset, spot.kind, spot.strong)
            )
        if last:
            return tuple(sorted(found.values(), key=lambda spot: (spot.offset, spot.kind)))
        kept = max(end - _CONTEXT, 0)
        held, base, begin = buffer[kept:], base + kept, end - kept


def _read(stream: Readable) -> tuple[bytes, bool]:
    """Return the next bytes, and whether they are the last: a small file is looked at once."""
    parts = [stream.read(_CHUNK)]
    size = len(parts[0])
    while parts[-1] and size < _CHUNK:
        parts.append(stream.read(_CHUNK - size))
        size += len(parts[-1])
    return b"".join(parts), not parts[-1]


def _in_buffer(buffer: bytes, begin: int, end: int) -> Iterator[Spot]:
    """Yield the secrets whose first sign lies between `begin` and `end`."""
    yield from _runs(buffer, begin, end)
    classes = buffer.translate(_CLASSES)
    at = classes.find(_MARK, begin)
    while 0 <= at < end:
        if _WORD.search(buffer, max(at - 2, 0), at + 6):
            yield from _assigned(buffer, at)
        at = classes.find(_MARK, at + 4)
    at = buffer.find(b"://", begin)
    while 0 <= at < end:
        match = _URL.match(buffer, at)
        if match and not secret_values.is_placeholder(match[1].decode("utf-8", "replace")):
            yield Spot(match.start(1), "password in a URL", strong=False)
        at = buffer.find(b"://", at + 3)
    at = buffer.find(b"glpat-", begin)
    while 0 <= at < end:
        if _TOKEN.match(buffer, at) and not _is_fake(buffer[at : at + 30]):
            yield Spot(at, "token", strong=True)
        at = buffer.find(b"glpat-", at + 6)


def _runs(buffer: bytes, begin: int, end: int) -> Iterator[Spot]:
    marks = buffer.translate(_ALNUM)
    needle = b"a" * _RUN
    at = marks.find(needle, begin)
    while 0 <= at < end:
        match = _ALNUM_RUN.match(buffer, at)
        assert match is not None  # noqa: S101 - a run was found
        yield from _in_run(buffer, at, match.end())
        whole = _DATA.match(buffer, at)
        skip = whole.end() if whole and whole.end() - at > _LONGEST else match.end()
        at = marks.find(needle, skip)


def _in_run(buffer: bytes, start: int, stop: int) -> Iterator[Spot]:
    before = buffer[start - 1 : start]
    left = start
    if before in (b"_", b"-", b"."):
        tail = _TOKEN_LEFT.search(buffer, max(start - 40, 0), start)
        left = tail.start() if tail else start
    for at in {left, start}:
        match = _TOKEN.match(buffer, at)
        if match and not _is_fake(match[0]):
            yield Spot(at, "token", strong=True)
            return
    if stop - start >= _KEY_BODY:
        header = buffer.rfind(b"PRIVATE KEY", max(start - 160, 0), start)
        if (
            header >= 0
            and buffer.find(b"-----END", header, start) < 0
            and buffer.rfind(b"-----BEGIN", max(header - 40, 0), header) >= 0
        ):
            yield Spot(buffer.rfind(b"-----BEGIN", max(header - 40, 0), header), "private key", strong=True)
            return
        putty = buffer.rfind(b"Private-Lines:", max(start - 40, 0), start)
        if putty >= 0:
            yield Spot(putty, "private key", strong=True)
            return
    if before not in (b'"', b"'", b"=", b":", b" ", b"\t"):
        return
    if not _SIGN.search(buffer, max(start - 8, 0), start):
        return
    near = max(start - 40, 0)
    if _BEFORE.search(buffer, near, start):
        whole = _TOKEN_RUN.match(buffer, start)
        value = whole[0].decode("ascii", "replace") if whole else ""
        if _LOGIN_BEFORE.search(buffer, near, start) and secret_values.is_registry_login(value):
            yield Spot(start, "registry login", strong=True)
        elif secret_values.is_secret_value(value, quoted=False):
            yield Spot(start, "key or token", strong=False)


def _assigned(buffer: bytes, at: int) -> Iterator[Spot]:
    """Yield what a name such as `password` is given; `at` lies in the name."""
    left = buffer[max(at - _NAME, 0) : at].translate(_IN_NAME)
    match = _ASSIGNED.match(buffer, at - (len(left) - 1 - left.rfind(b" ")))
    if match and at < match.end("name") and match["sign"] != b"==":
        name = match["name"].decode("utf-8", "replace")
        which = "bare" if match["quoted"] is None else "quoted"
        value = match[which].decode("utf-8", "replace")
        called = which == "bare" and match["next"] in {b"(", b"[", b"{"}
        if not called and secret_values.is_secret_key(name):
            strict = "token" in name.lower()
            if secret_values.is_secret_value(value, quoted=which == "quoted", strict=strict):
                yield Spot(match.start(which), _kind(name), strong=False)
                return
    dash = buffer.find(b"-", max(at - 6, 0), at)
    option = _OPTION.match(buffer, dash) if dash >= 0 else None
    if option and secret_values.is_secret_value(option["bare"].decode("utf-8", "replace"), quoted=True):
        yield Spot(option.start("bare"), "password or token of a command", strong=False)
    if buffer[at - 1 : at + 8].strip() == b"password":
        login = max(
            buffer.rfind(b"login", max(at - 300, 0), at), buffer.rfind(b"machine", max(at - 300, 0), at)
        )
        netrc = _NETRC.match(buffer, login) if login >= 0 else None
        if netrc and not secret_values.is_placeholder(netrc[1].decode("utf-8", "replace")):
            yield Spot(netrc.start(1), "password of a .netrc", strong=False)


def _kind(name: str) -> str:
    lower = name.lower()
    return "token" if "token" in lower else "secret" if "secret" in lower else "password"


def _is_fake(value: bytes) -> bool:
    text = value.decode("utf-8", "replace")
    return secret_values.is_placeholder(text) or len(set(text[-16:])) < 6
