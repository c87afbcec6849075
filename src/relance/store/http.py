"""What clients make of what comes back: breaks, certificates, answers within limits, wishes to wait."""

from __future__ import annotations

import email.utils
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
import urllib3

LONGEST_PAUSE = 60.0
"""Seconds; no server makes us wait longer at once."""

BREAKS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What may be raised when a connection breaks, in a request or while its answer is read."""

CUTS = (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)
"""Those of `BREAKS` that no disk of ours raises."""


def told(error: BaseException) -> str:
    """Return what broke in a few words: an error's own text holds the address, which may hold a token."""
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)):
        return "no answer in time"
    if "NameResolutionError" in repr(error):
        return "no host of that name"
    if isinstance(error, (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError)):
        return "an answer that breaks off"
    if isinstance(error, (requests.ConnectionError, ConnectionError)):
        return "no connection"
    return type(error).__name__


@dataclass(frozen=True)
class Distrust:
    """Why no TLS can be spoken with a server, however often it is tried."""

    found: str
    next_step: str


def distrust(error: BaseException) -> Distrust | None:
    """Return why a server can't be trusted; None if a connection that was made broke.

    What is cut off while something is sent is an error of TLS for requests, too.
    """
    cause = _of_tls(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = cause.verify_message.rstrip(".") or "it isn't verified"
        step = "check the address" if cause.verify_code in _ANOTHER_HOST else _NO_AUTHORITY
        return Distrust(f"a certificate that can't be trusted: {said}", step)
    if cause is not None and cause.library in {"X509", "PEM"}:
        return Distrust("no certificate in the file of authorities", _NO_AUTHORITY)
    if cause is not None and cause.reason == "WRONG_VERSION_NUMBER":
        return Distrust("an answer without TLS", "check the address: nobody speaks https there")
    return None


_NO_AUTHORITY = "give the file of the authority that signed it with '--ca-file'"
_ANOTHER_HOST = frozenset({62, 64})
"""OpenSSL's numbers for certificates of another name, or of another address."""


def _of_tls(error: BaseException) -> ssl.SSLError | None:
    """Return the error of TLS within those that requests and urllib3 put around it."""
    found: object = error
    while isinstance(found, BaseException):
        if isinstance(found, ssl.SSLError):
            return found
        first = found.args[0] if found.args else None
        found = first if isinstance(first, BaseException) else getattr(found, "reason", None)
    return None


def limited(answer: requests.Response, largest: int) -> bytes:
    """Return an answer's content, of which no more than `largest` bytes and one are read; it is closed."""
    parts = []
    left = largest + 1
    with answer:
        while left > 0 and (part := answer.raw.read(min(left, 1 << 16), decode_content=False)):
            parts.append(part)
            left -= len(part)
    return b"".join(parts)


def origin(url: str) -> tuple[str, str]:
    """Return scheme and host with port: what has to agree before a login is sent."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def asked_pause(text: str, otherwise: float) -> float:
    """Return the seconds that a Retry-After header asks for, within limits."""
    seconds = otherwise
    if text.isascii() and text.isdecimal():
        seconds = float(text)
    elif text:
        moment = email.utils.parsedate_to_datetime(text) if _is_date(text) else None
        seconds = otherwise if moment is None else moment.timestamp() - time.time()
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def _is_date(text: str) -> bool:
    return email.utils.parsedate(text) is not None
