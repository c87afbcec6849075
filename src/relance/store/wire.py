"""One request to a server, as all clients here make it: by verified TLS, with our login or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from relance.store.cutting import CuttableAdapter, Cutter
from relance.store.registry.reference import is_loopback

Body = Callable[[], bytes | IO[bytes]]
"""Gives what is sent, from its beginning each time it is called."""


class Wire:
    """Connections that are kept for later requests, from several threads if need be; cookies are not."""

    def __init__(self, authorities: Path | None = None, *, most: int = 10) -> None:
        """`authorities`: file of certificates in place of the system's; `most` connections are kept."""
        self._verify = True if authorities is None else str(authorities)
        self._most = most
        self._begin()

    def _begin(self) -> None:
        self._cutter = Cutter()
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, CuttableAdapter(self._cutter, most=self._most))

    def close(self) -> None:
        """Give the connections up."""
        self._session.close()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """End what other threads do here: who waits for a server, or in a pause, wakes at once.

        Nothing can be asked inside the block, where one waits for these threads; after it, all connections
        are new ones, and a thread that is still about to make an old one ends with `Stopped`.
        """
        self._cutter.cut()
        try:
            yield
        finally:
            self._session.close()
            self._begin()

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            Stopped: the connections were cut.
        """
        self._cutter.pause(seconds)

    def ask(
        self,
        method: str,
        url: str,
        timeout: tuple[float, float],
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | IO[bytes] = b"",
        authorization: str = "",
    ) -> requests.Response:
        """Return the answer, its content still unread; the caller closes it.

        A redirect is an answer, too: whether it is followed, and what is told there, is the caller's to say.

        Args:
            method: of HTTP.
            url: without any login.
            timeout: seconds to connect, seconds between bytes.
            headers: beside our own.
            content: what is sent.
            authorization: the header of that name; empty: none, not even what ~/.netrc knows.

        Raises:
            requests.RequestException: the connection broke, or never was; see `relance.store.http.BREAKS`.
            Stopped: the connections were cut.
        """
        self._cutter.check()
        return self._session.request(
            method,
            url,
            # The bytes as they are, not packed by the server: their number and digest are known.
            headers={"Accept-Encoding": "identity", "User-Agent": "relance", **(headers or {})},
            data=content,
            auth=_Header(authorization),
            stream=True,
            allow_redirects=False,
            timeout=timeout,
            # Given with each request: requests would prefer the environment's to a session's.
            verify=self._verify,
            # No proxy stands between this machine and itself.
            proxies={"http": "", "https": ""} if is_loopback(urlsplit(url).netloc) else None,
        )


class _Header(AuthBase):
    """Sets our header or none; given always, so that requests takes no login from a .netrc file."""

    def __init__(self, authorization: str) -> None:
        self._authorization = authorization

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set it."""
        if self._authorization:
            request.headers["Authorization"] = self._authorization
        return request
