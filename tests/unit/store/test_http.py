"""Connections by TLS that are cut, and those that never come about."""

from __future__ import annotations

import io
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from tests.contract.registry_server import need

from relance.store.http import distrust
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access, Session

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
