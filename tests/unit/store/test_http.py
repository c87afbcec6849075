"""Connections by TLS that are cut, and those that never come about."""

from __future__ import annotations

import io
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests
import urllib3
from tests.contract.registry_server import need

from relance.store.http import distrust, told
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access, Session
from relance.store.wire import Wire

NAME = "registry.test"
LARGE = 16 << 20  # bytes; more than the network holds


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    need("openssl")
    key, made = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", made, "-nodes"]
    names = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return made, key


@pytest.fixture
def cutting(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, list[int]]]:
    """A server that hangs up on what is sent first, and takes what is sent next: its port, and sizes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    taken: list[int] = []

    def serve(listening: socket.socket) -> None:
        for end in (1 << 16, LARGE):
            with suppress(OSError):
                raw, _ = listening.accept()
                with context.wrap_socket(raw, server_side=True) as one:
                    _, _, begun = one.recv(1 << 16).partition(b"\r\n\r\n")
                    count = len(begun)
                    while count < end and (data := one.recv(1 << 16)):
                        count += len(data)
                    taken.append(count)
                    if count >= LARGE:
                        one.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    real = socket.getaddrinfo

    def resolved(name: str, *rest: object, **more: object) -> object:
        return real("127.0.0.1" if name == NAME else name, *rest, **more)  # type: ignore[arg-type]

    # A name that isn't written as this machine's, so that TLS is spoken with it.
    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setenv("NO_PROXY", NAME)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        yield listening.getsockname()[1], taken
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_what_is_pushed_is_sent_again_where_tls_is_cut_off(
    cutting: tuple[int, list[int]], certificate: tuple[Path, Path]
) -> None:
    port, taken = cutting
    pauses: list[float] = []
    reference = Reference.parse(f"{NAME}:{port}/group/thing:1")
    access = Access(authorities=certificate[0], pause=pauses.append)
    with Session(reference, access) as session:
        url = f"https://{NAME}:{port}/v2/group/thing/blobs/uploads/1"
        session.send("PUT", url, (201,), body=lambda: io.BytesIO(bytes(LARGE))).close()
    assert taken[0] < LARGE == taken[1]
    assert pauses == [1.0]


def test_an_error_without_tls_is_no_distrust() -> None:
    assert distrust(requests.ConnectionError("gone")) is None
    assert distrust(OSError("gone")) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.ReadTimeout("https://a.example/?access_token=s3cr3t"), "no answer in time"),
        (urllib3.exceptions.ReadTimeoutError(None, "/?access_token=s3cr3t", ""), "no answer in time"),  # type: ignore[arg-type]
        (TimeoutError("s3cr3t"), "no answer in time"),
        (requests.exceptions.ChunkedEncodingError("s3cr3t"), "an answer that breaks off"),
        (urllib3.exceptions.IncompleteRead(1, 2), "an answer that breaks off"),
        (requests.ConnectionError("s3cr3t"), "no connection"),
        (ConnectionResetError("s3cr3t"), "no connection"),
        (OSError("s3cr3t"), "OSError"),
    ],
)
def test_what_broke_is_told_in_words_that_hold_no_address(error: Exception, words: str) -> None:
    assert told(error) == words


def test_a_host_that_nobody_knows_is_told_from_one_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    found = []
    for address in ("https://host.invalid", "https://127.0.0.1:9"):
        with pytest.raises(requests.ConnectionError) as caught, closing(Wire()) as wire:
            wire.ask("GET", address, (5, 5))
        found.append(told(caught.value))
    assert found == ["no host of that name", "no connection"]
