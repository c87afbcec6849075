"""What clients of servers have in common: logins as headers, limited answers, patience that is asked for."""

from __future__ import annotations

import email.utils
import time
from urllib.parse import urlsplit

import requests
import urllib3
from requests.auth import AuthBase

LONGEST_PAUSE = 60.0
"""Seconds; no server makes us wait longer at once."""

BREAKS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What may be raised when a connection breaks, in a request or while its answer is read."""

CUTS = (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)
"""Those of `BREAKS` that no disk of ours raises."""


class LoginHeader(AuthBase):
    """Sets our header or none; given always, so that requests takes no login from a .netrc file."""

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set it."""
        if self._authorization:
            request.headers["Authorization"] = self._authorization
        return request


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
