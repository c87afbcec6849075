"""Connections that can be cut from another thread: whoever waits for a server on one of them wakes at once.

urllib3's own way, `HTTPResponse.shutdown`, ends only the reading of an answer that has begun; a server can
stall before it answers, and while something is sent to it, too.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import ClassVar, cast
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util.ssltransport import SSLTransport


class Stopped(Exception):  # noqa: N818 - no error: something else ended the work
    """The work ends because another part of it failed or the user stopped it."""


class Cutter:
    """Knows the connections that were made, from several threads, and cuts all of them, once and for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Sockets, not connections: one that ends with its answer lets go of its socket before that is read.
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._over = threading.Event()

    def cut(self) -> None:
        """End every wait."""
        self._over.set()
        with self._lock:
            for made in self._sockets:
                with suppress(OSError):  # closed meanwhile
                    # Not TLS's own method, which takes away what the thread that reads still uses.
                    socket.socket.shutdown(made, socket.SHUT_RDWR)

    def check(self) -> None:
        """Raise `Stopped` once everything was cut."""
        if self._over.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            Stopped: everything was cut.
        """
        if self._over.wait(seconds):
            raise Stopped

    def add(self, made: socket.socket) -> None:
        """Take note of a connection.

        Raises:
            Stopped: everything was cut.
        """
        with self._lock:
            self.check()
            self._sockets.add(made)


class CuttableAdapter(HTTPAdapter):
    """Makes connections that a cutter knows, through proxies too."""

    def __init__(self, cutter: Cutter, *, most: int) -> None:
        """`most` connections are kept."""
        super().__init__(pool_maxsize=most)
        self._cutter = cutter

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> HTTPConnectionPool:
        """Return the pool of a request's connections."""
        pool = cast(
            HTTPConnectionPool,
            super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert),
        )
        kind = pool.ConnectionCls  # looked at once: another thread may be here, too
        if not issubclass(kind, _Known):
            pool.ConnectionCls = type(kind.__name__, (_Known, kind), {"cutter": self._cutter})
        return pool


class _Known(HTTPConnection):
    cutter: ClassVar[Cutter]

    def connect(self) -> None:
        super().connect()
        made = self.sock.socket if isinstance(self.sock, SSLTransport) else self.sock
        if made is not None:
            self.cutter.add(made)
