"""Servers that say nothing any more: whoever waits for one wakes when the connections are cut."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from tests.contract.registry_server import need

from relance.store.cutting import Stopped
from relance.store.http import BREAKS
from relance.store.registry.transfer import Tally, in_parallel
from relance.store.wire import Wire

ENDLESS = (300.0, 300.0)  # seconds
SOON = 30.0  # seconds; on a machine that is busy, too
LARGE = 32 << 20  # bytes; more than the network holds
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n%s\r\n" + b"x" * 500
SAID = {
    "nothing": b"",
    "half of its headers": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half of its content": HALF % b"",
    "half of the last content of a connection": HALF % b"Connection: close\r\n",
    "a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxxx\r\n",
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    need("openssl")
    folder = tmp_path_factory.mktemp("certificate")
    key, made = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", made, "-nodes"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return made, key


@contextmanager
def stalling(
    said: bytes, *, reads: bool = True, certificate: tuple[Path, Path] | None = None
) -> Iterator[tuple[str, threading.Event]]:
    """A server that takes connections, says that much to each, and no more; set when the first one stalls."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    stalls = threading.Event()
    kept: list[socket.socket] = []

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                one, _ = listening.accept()
                kept.append(one)
                if context is not None:
                    one = kept[-1] = context.wrap_socket(one, server_side=True)
                if reads:
                    one.recv(1 << 16)
                else:
                    socket.socket.recv(one, 1, socket.MSG_PEEK)
                one.sendall(said)
                stalls.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        scheme = "http" if context is None else "https"
        try:
            yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}", stalls
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(SOON)
            for one in kept:
                one.close()


def running(work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, raised


def all_of(wire: Wire, address: str, content: bytes = b"") -> bytes:
    with wire.ask("POST" if content else "GET", address, ENDLESS, content=content) as answer:
        return bytes(answer.raw.read())


def ends_when_cut(wire: Wire, address: str, stalls: threading.Event, content: bytes = b"") -> None:
    thread, raised = running(lambda: all_of(wire, address, content))
    assert stalls.wait(SOON)
    with wire.cut():
        thread.join(SOON)
        assert not thread.is_alive(), "it waits for the server still"
    # Headers may be taken for whole that aren't; no content is, whose size is known.
    assert all(isinstance(error, BREAKS) for error in raised)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_who_waits_for_a_server_that_says_nothing_more_wakes_when_the_connections_are_cut(
    said: bytes, certificate: tuple[Path, Path], *, tls: bool
) -> None:
    authorities = certificate[0] if tls else None
    with (
        stalling(said, certificate=certificate if tls else None) as (address, stalls),
        closing(Wire(authorities)) as wire,
    ):
        ends_when_cut(wire, address, stalls)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_who_sends_to_a_server_that_reads_nothing_more_wakes_when_the_connections_are_cut(
    certificate: tuple[Path, Path], *, tls: bool
) -> None:
    authorities = certificate[0] if tls else None
    with (
        stalling(b"", reads=False, certificate=certificate if tls else None) as (address, stalls),
        closing(Wire(authorities)) as wire,
    ):
        ends_when_cut(wire, address, stalls, b"x" * LARGE)


def test_connections_through_a_proxy_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    with stalling(b"") as (address, stalls), closing(Wire()) as wire:
        monkeypatch.setenv("http_proxy", address)
        monkeypatch.setenv("no_proxy", "")
        ends_when_cut(wire, "http://nobody.invalid/", stalls)


def test_who_waits_to_try_again_wakes_and_asks_for_nothing_more() -> None:
    begins = threading.Event()

    def wait() -> None:
        begins.set()
        wire.pause(ENDLESS[0])

    with stalling(HALF % b"") as (address, _), closing(Wire()) as wire:
        thread, raised = running(wait)
        assert begins.wait(SOON)
        with wire.cut():
            thread.join(SOON)
            assert [type(error) for error in raised] == [Stopped]
            with pytest.raises(Stopped):
                wire.ask("GET", address, ENDLESS)
        with wire.ask("GET", address, ENDLESS) as answer:
            assert answer.raw.read(500) == b"x" * 500


def test_a_connection_that_is_made_after_the_cut_ends_at_once() -> None:
    with stalling(b"") as (address, _), closing(Wire()) as wire:
        real = socket.getaddrinfo
        asked, goes_on = threading.Event(), threading.Event()

        def late(*known: object, **more: object) -> object:
            asked.set()
            goes_on.wait(SOON)
            return real(*known, **more)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", late)
            thread, raised = running(lambda: all_of(wire, address))
            assert asked.wait(SOON)
            with wire.cut():
                pass  # nobody waits for one that looks up a name
            goes_on.set()
            thread.join(SOON)
        assert [type(error) for error in raised] == [Stopped]


def tally() -> Tally:
    return Tally(2, 0, lambda _moved: None)


def test_the_first_error_is_raised_and_not_what_it_makes_of_the_other_threads() -> None:
    def work(name: str) -> None:
        if name == "fails":
            assert stalls.wait(SOON)
            raise ZeroDivisionError
        all_of(wire, address)

    with stalling(HALF % b"") as (address, stalls), closing(Wire()) as wire:
        for order in (("fails", "waits"), ("waits", "fails")):
            with pytest.raises(ZeroDivisionError):
                in_parallel(order, work, tally(), 2, wire.cut)


def test_who_can_not_be_woken_is_left_behind_and_begins_nothing_new() -> None:
    goes_on = threading.Event()
    begun: list[str] = []

    def work(name: str) -> None:
        begun.append(name)
        if name == "fails":
            raise ZeroDivisionError
        goes_on.wait(ENDLESS[0])

    with closing(Wire()) as wire, pytest.raises(ZeroDivisionError):
        in_parallel(("deaf", "fails", "later"), work, tally(), 2, wire.cut)
    assert not goes_on.is_set()
    goes_on.set()
    for thread in threading.enumerate():
        if thread.name == "transfer":
            thread.join(SOON)
    assert begun == ["deaf", "fails"]
