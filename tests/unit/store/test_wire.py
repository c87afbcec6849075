"""What a request holds, and what it never does: no cookie, no login of ~/.netrc, nothing but what we say."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import closing
from email.message import Message
from pathlib import Path

import pytest

from relance.store.wire import Wire

PATIENCE = (10.0, 10.0)


@pytest.fixture
def server() -> Iterator[tuple[str, list[Message]]]:
    """The address of a server that gives a cookie and a redirect, and the headers that it was sent."""
    heard: list[Message] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            heard.append(self.headers)
            self.send_response(302)
            for name, value in (("Set-Cookie", "who=us"), ("Location", "/there"), ("Content-Length", "0")):
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://localhost:{made.server_port}", heard
        made.shutdown()
        thread.join()


def test_a_request_tells_no_more_than_it_is_asked_to(
    server: tuple[str, list[Message]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, heard = server
    (tmp_path / "netrc").write_text("machine localhost login somebody password s3cr3t\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with closing(Wire()) as wire:
        for authorization in ("", "Bearer x", ""):
            with wire.ask("GET", f"{address}/here", PATIENCE, authorization=authorization) as answer:
                assert (answer.status_code, answer.headers["Location"]) == (302, "/there")
    assert [one["Authorization"] for one in heard] == [None, "Bearer x", None]
    assert [one["Cookie"] for one in heard] == [None] * 3
    assert {(one["Accept-Encoding"], one["User-Agent"]) for one in heard} == {("identity", "relance")}
