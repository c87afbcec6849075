"""Reading from elsewhere, from any byte on: https by requests, the rest through fsspec.

fsspec's own https needs a second HTTP library and starts anew after a break, so requests, which is there,
does it. TLS is always verified; no password is sent, not even one that ~/.netrc knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import unquote, urljoin, urlsplit

import requests
import urllib3
from fsspec.core import url_to_fs

from relance.store.http import distrust
from relance.store.locations import NoWayError, is_safe
from relance.store.wire import Wire

_TIMEOUT = (10, 60)  # seconds to connect, seconds between bytes
_REDIRECTS = 5
_LARGEST_DOCUMENT = 64 << 20  # bytes
_ABSENT = "[3011]"  # how XRootD's servers say that there is no such file
_BUSY = frozenset({408, 429, 500, 502, 503, 504})


class BreakError(Exception):
    """The connection broke, or the server is busy: what came is good, and asking again may help."""


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Opened:
    """A file being read from the byte `start` on: 0 if the server can't begin where it was asked to."""

    def __init__(self, stream: _Stream, start: int) -> None:
        self._stream = stream
        self.start = start

    def read(self, size: int) -> bytes:
        """Return at most so many bytes; none at the end.

        Raises:
            BreakError: the connection broke.
        """
        with _breaking():
            return self._stream.read(size)


class Remote:
    """Opens URLs of the kinds https, root and file; the connections are shared by all of them."""

    def __init__(self) -> None:
        self._wire = Wire()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def document(self, url: str) -> bytes:
        """Return a small document.

        Raises:
            NoWayError: the server refuses, or it is no small one.
            BreakError: the connection broke.
        """
        with _breaking(), self._answer(url, 0) as answer:
            data = b""
            while piece := answer.raw.read(1 << 16, decode_content=True):
                data += piece
                if len(data) > _LARGEST_DOCUMENT:
                    raise NoWayError(f"its answer has more than {_LARGEST_DOCUMENT} bytes")
            return data

    @contextmanager
    def open_at(self, url: str, offset: int, size: int) -> Iterator[Opened]:
        """Open a file that should have `size` bytes, from the byte `offset` on if the server can do so.

        Raises:
            NoWayError: there is no such file, or it has another size.
            BreakError: the connection broke.
        """
        with ExitStack() as stack:
            with _breaking():
                opened = stack.enter_context(self._opened(url, offset, size))
            yield opened

    @contextmanager
    def _opened(self, url: str, offset: int, size: int) -> Iterator[Opened]:
        kind = urlsplit(url).scheme
        if kind in {"http", "https"}:
            with self._answer(url, offset) as answer:
                yield _from(answer, offset, size)
        elif kind == "file":
            with _local(url, size).open("rb") as stream:
                stream.seek(offset)
                yield Opened(stream, offset)
        else:
            with _through_fsspec(url, offset, size) as opened:
                yield opened

    @contextmanager
    def _answer(self, url: str, offset: int) -> Iterator[requests.Response]:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        for _ in range(_REDIRECTS):
            if not is_safe(url):
                raise NoWayError(
                    f"it leads to {urlsplit(url).scheme}://{urlsplit(url).hostname}, without TLS"
                )
            with self._wire.ask("GET", url, _TIMEOUT, headers=headers) as answer:
                if answer.is_redirect:
                    url = urljoin(url, answer.headers["Location"])
                    continue
                if answer.status_code in _BUSY:
                    raise BreakError(f"HTTP status {answer.status_code}")
                if answer.status_code not in {200, 206, 416}:
                    raise NoWayError(f"HTTP status {answer.status_code}")
                yield answer
                return
        raise NoWayError(f"more than {_REDIRECTS} redirections")


@contextmanager
def _breaking() -> Iterator[None]:
    try:
        yield
    except requests.exceptions.SSLError as error:
        if distrust(error) is None:
            raise BreakError("the connection broke (SSLError)") from error
        raise NoWayError("its certificate is not trusted") from error
    except requests.exceptions.ConnectionError as error:
        raise BreakError("no connection") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise BreakError(f"the connection broke ({type(error).__name__})") from error
    except FileNotFoundError as error:
        raise NoWayError("no such file") from error
    except OSError as error:
        said = " ".join(str(error.strerror or error).split())  # XRootD's end in a new line
        if _ABSENT in said:
            raise NoWayError("no such file") from error
        raise BreakError(said or type(error).__name__) from error


def _from(answer: requests.Response, offset: int, size: int) -> Opened:
    headers: Mapping[str, str] = answer.headers
    if headers.get("Content-Encoding", "identity") != "identity":
        raise NoWayError(f"it is sent packed as {headers['Content-Encoding']}")
    if answer.status_code == 416:
        raise NoWayError(f"it has no byte {offset}")
    start = offset if answer.status_code == 206 else 0
    if answer.status_code == 206 and not headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
        raise NoWayError("it answers with another range than was asked for")
    length = headers.get("Content-Length", "")
    if length.isdecimal() and start + int(length) != size:
        raise NoWayError(f"it has {start + int(length)} bytes, not {size}")
    return Opened(answer.raw, start)


def _local(url: str, size: int) -> Path:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc not in {"", "localhost"} or not path.is_absolute():
        raise NoWayError("a file: location is file:///AND/AN/ABSOLUTE/PATH")
    if not path.is_file():
        raise NoWayError("no such file")
    if path.stat().st_size != size:
        raise NoWayError(f"it has {path.stat().st_size} bytes, not {size}")
    return path


@contextmanager
def _through_fsspec(url: str, offset: int, size: int) -> Iterator[Opened]:
    if "::" in url:
        raise NoWayError("'::' means something else to fsspec")
    try:
        system, path = url_to_fs(url, timeout=_TIMEOUT[1])
    except (ImportError, ValueError) as error:
        raise NoWayError("no XRootD here: pip install 'relance[xrootd]'") from error
    found = system.size(path)
    if found != size:
        raise NoWayError(f"it has {found} bytes, not {size}")
    with system.open(path, "rb") as stream:
        stream.seek(offset)
        yield Opened(stream, offset)
