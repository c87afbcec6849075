"""A registry in this process that does by the letter what the OCI distribution specification allows.

It asks for tokens, sends elsewhere, breaks connections, is busy, has or lacks a list of referrers; and it
refuses a manifest whose parts it lacks. What it was asked is kept for the tests to look at.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"

_LARGE = 1 << 20  # bytes; what stalls is larger


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    authorization: str
    range: str
    size: int


@dataclass
class Behaviour:
    user: str = ""
    password: str = ""
    tokens: bool = False
    storage: str = ""
    """Where blobs lie: the address of another server."""
    plain_realm: str = ""
    breaks: int = 0
    """So many answers with a blob end after `break_after` bytes."""
    break_after: int = 0
    stalls: int = 0
    """So many answers with a large blob stop in the middle, and so many pieces of one aren't read."""
    upload_breaks: int = 0
    """So many pieces of an upload are cut off after `break_after` bytes, which are kept."""
    busy: int = 0
    retry_after: str = "7"
    token_breaks: int = 0
    """So many requests for a token are answered with 503, each second one with nothing at all."""
    ranges: bool = True
    pieces: bool = True
    referrers: bool = False
    filters: bool = False
    says_digest: str = ""
    extra: bytes = b""
    """Appended to every blob that is asked for."""


@dataclass
class State:
    behaviour: Behaviour
    address: str = ""
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stalled: threading.Event = field(default_factory=threading.Event)
    """A request stalls, or did."""
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return self.address.removeprefix("http://")

    def calls(self, method: str, pattern: str = "") -> list[Asked]:
        return [call for call in self.asked if call.method == method and re.search(pattern, call.path)]

    def take(self, name: str) -> bool:
        """Count down one of the behaviours; whether it was to be shown."""
        with self.lock:
            left = getattr(self.behaviour, name)
            if left:
                setattr(self.behaviour, name, left - 1)
            return bool(left)


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@contextmanager
def serving(behaviour: Behaviour | None = None) -> Iterator[State]:
    state = State(behaviour or Behaviour())

    class Handler(_Handler):
        registry = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    registry: State
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._any()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _any(self) -> None:
        state = self.registry
        length = int(self.headers.get("Content-Length") or 0)
        state.asked.append(
            Asked(
                self.command,
                self.path,
                self.headers.get("Authorization", ""),
                self.headers.get("Range", ""),
                length,
            )
        )
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if self.command == "PATCH" and state.take("upload_breaks"):
            self._cut_upload(parts.path)
            return
        if self.command in {"PATCH", "PUT"} and length > _LARGE and state.take("stalls"):
            self._stall()
            return
        self.body = self.rfile.read(length)
        if parts.path == "/token":
            self._token(parts.query)
        elif parts.path.startswith("/storage/"):
            self._storage(parts.path.removeprefix("/storage/"))
        elif state.behaviour.busy and state.take("busy"):
            self._answer(429, {"Retry-After": state.behaviour.retry_after})
        elif not self._allowed(parts.path):
            self._challenge(parts.path)
        else:
            self._dispatch(parts.path, query)

    def _dispatch(self, path: str, query: dict[str, str]) -> None:
        if path == "/v2/":
            self._answer(200)
        elif match := re.fullmatch(r"/v2/(.+)/blobs/uploads/", path):
            self._begin(match[1], query)
        elif match := re.fullmatch(r"/v2/(.+)/blobs/uploads/(\w+)", path):
            self._upload(match[1], match[2], query)
        elif match := re.fullmatch(r"/v2/(.+)/blobs/(sha256:[0-9a-f]{64})", path):
            self._blob(match[1], match[2])
        elif match := re.fullmatch(r"/v2/(.+)/manifests/(.+)", path):
            self._manifest(match[1], match[2])
        elif match := re.fullmatch(r"/v2/(.+)/referrers/(.+)", path):
            self._referrers(match[1], match[2], query)
        else:
            self._refuse(404, "NAME_UNKNOWN")

    # login

    def _needed(self, path: str) -> str:
        repository = re.sub(r"^/v2/|/(blobs|manifests|referrers)/.*$", "", path)
        return f"repository:{repository}:{'pull' if self.command in {'GET', 'HEAD'} else 'push'}"

    def _allowed(self, path: str) -> bool:
        behaviour = self.registry.behaviour
        given = self.headers.get("Authorization", "")
        if behaviour.tokens:
            granted = base64.b64decode(given.removeprefix("Bearer ")).decode() if given else ""
            name, _, action = self._needed(path).rpartition(":")
            return any(
                scope.rpartition(":")[0] == name and action in scope.rpartition(":")[2].split(",")
                for scope in granted.split()
            )
        return not behaviour.user or given == self._basic()

    def _basic(self) -> str:
        behaviour = self.registry.behaviour
        return "Basic " + base64.b64encode(f"{behaviour.user}:{behaviour.password}".encode()).decode()

    def _challenge(self, path: str) -> None:
        behaviour = self.registry.behaviour
        if behaviour.tokens:
            realm = behaviour.plain_realm or f"{self.registry.address}/token"
            said = f'Bearer realm="{realm}",service="strict",scope="{self._needed(path)}"'
        else:
            said = 'Basic realm="strict"'
        self._answer(401, {"WWW-Authenticate": said}, b'{"errors":[{"code":"UNAUTHORIZED"}]}')

    def _token(self, query: str) -> None:
        behaviour = self.registry.behaviour
        if self.registry.take("token_breaks"):
            if behaviour.token_breaks % 2:
                self.close_connection = True
            else:
                self._answer(503)
            return
        form = parse_qs(query or self.body.decode())
        exchanged = form.get("refresh_token") == [behaviour.password]
        if behaviour.user and not exchanged and self.headers.get("Authorization", "") != self._basic():
            self._refuse(401, "UNAUTHORIZED")
            return
        scopes = " ".join(form.get("scope", []))
        token = base64.b64encode(scopes.encode()).decode()
        self._answer(200, {}, json.dumps({"token": token}).encode())

    # content

    def _blob(self, repository: str, name: str) -> None:
        behaviour = self.registry.behaviour
        data = self.registry.blobs.get((repository, name))
        if data is None:
            self._refuse(404, "BLOB_UNKNOWN")
        elif behaviour.storage and self.command == "GET":
            self._answer(307, {"Location": f"{behaviour.storage}/storage/{name}?signature=hidden"})
        else:
            self._content(data)

    def _storage(self, name: str) -> None:
        found = [data for (_, key), data in self.registry.blobs.items() if key == name]
        self._content(found[0]) if found else self._refuse(404, "BLOB_UNKNOWN")

    def _content(self, data: bytes) -> None:
        behaviour = self.registry.behaviour
        data += behaviour.extra
        headers, status = {}, 200
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and behaviour.ranges:
            status = 206
            headers["Content-Range"] = f"bytes {asked[1]}-{len(data) - 1}/{len(data)}"
            data = data[int(asked[1]) :]
        if self.command == "GET" and len(data) > _LARGE and self.registry.take("stalls"):
            self._answer(status, headers, data, only=len(data) // 2)
            self._stall()
        elif self.command == "GET" and self.registry.take("breaks"):
            self._answer(status, headers, data, only=behaviour.break_after)
        else:
            self._answer(status, headers, data)

    def _begin(self, repository: str, query: dict[str, str]) -> None:
        if "mount" in query and (query.get("from", ""), query["mount"]) in self.registry.blobs:
            self.registry.blobs[repository, query["mount"]] = self.registry.blobs[
                query["from"], query["mount"]
            ]
            self._answer(201, {"Location": f"/v2/{repository}/blobs/{query['mount']}"})
            return
        name = f"u{len(self.registry.asked)}x{id(self)}"
        self.registry.uploads[name] = bytearray()
        self._answer(202, {"Location": f"/v2/{repository}/blobs/uploads/{name}?_state=s{name}"})

    def _stall(self) -> None:
        self.registry.stalled.set()
        self.registry.closing.wait()
        self.close_connection = True

    def _cut_upload(self, path: str) -> None:
        kept = self.rfile.read(self.registry.behaviour.break_after)
        self.registry.uploads[path.rpartition("/")[2]] += kept
        self.close_connection = True
        self.connection.close()

    def _upload(self, repository: str, name: str, query: dict[str, str]) -> None:
        kept = self.registry.uploads.get(name)
        if kept is None or query.get("_state") != f"s{name}":
            self._refuse(404, "BLOB_UPLOAD_UNKNOWN")
            return
        there = {"Location": f"/v2/{repository}/blobs/uploads/{name}?_state=s{name}"}
        if self.command == "PATCH" and not self.registry.behaviour.pieces:
            self._refuse(405, "UNSUPPORTED")
        elif self.command == "PATCH":
            first = int(self.headers["Content-Range"].partition("-")[0])
            if first != len(kept):
                self._answer(416, {**there, "Range": f"0-{len(kept) - 1}"})
                return
            kept += self.body
            self._answer(202, {**there, "Range": f"0-{len(kept) - 1}"})
        elif self.command == "GET":
            self._answer(204, {**there, "Range": f"0-{max(len(kept) - 1, 0)}"})
        elif self.command == "DELETE":
            del self.registry.uploads[name]
            self._answer(204)
        else:
            data = bytes(kept + self.body)
            if sha(data) != query.get("digest"):
                self._refuse(400, "DIGEST_INVALID")
                return
            del self.registry.uploads[name]
            self.registry.blobs[repository, sha(data)] = data
            self._answer(201, {"Location": f"/v2/{repository}/blobs/{sha(data)}"})

    def _manifest(self, repository: str, name: str) -> None:
        if self.command == "PUT":
            self._put_manifest(repository, name)
            return
        found = self.registry.manifests.get((repository, name))
        if found is None:
            self._refuse(404, "MANIFEST_UNKNOWN")
            return
        said = self.registry.behaviour.says_digest or sha(found[1])
        self._answer(200, {"Content-Type": found[0], "Docker-Content-Digest": said}, found[1])

    def _put_manifest(self, repository: str, name: str) -> None:
        value = json.loads(self.body)
        needed = [value["config"], *value["layers"]] if "config" in value else []
        lacking = [part for part in needed if (repository, part["digest"]) not in self.registry.blobs]
        lacking += [
            part
            for part in value.get("manifests", [])
            if (repository, part["digest"]) not in self.registry.manifests and not name.startswith("sha256-")
        ]
        if lacking or (name.startswith("sha256:") and name != sha(self.body)):
            self._refuse(400, "MANIFEST_BLOB_UNKNOWN")
            return
        entry = (self.headers["Content-Type"], self.body)
        self.registry.manifests[repository, name] = self.registry.manifests[repository, sha(self.body)] = (
            entry
        )
        headers = {"Docker-Content-Digest": self.registry.behaviour.says_digest or sha(self.body)}
        if self.registry.behaviour.referrers and "subject" in value:
            headers["OCI-Subject"] = value["subject"]["digest"]
        self._answer(201, headers)

    def _referrers(self, repository: str, subject: str, query: dict[str, str]) -> None:
        if not self.registry.behaviour.referrers:
            self._refuse(404, "UNSUPPORTED")
            return
        found = []
        for (place, name), (kind, data) in self.registry.manifests.items():
            value = json.loads(data)
            if (
                place == repository
                and name == sha(data)
                and value.get("subject", {}).get("digest") == subject
            ):
                entry = {"mediaType": kind, "digest": name, "size": len(data)}
                found.append(entry | {"artifactType": value.get("artifactType", "")})
        found.sort(key=lambda entry: str(entry["digest"]))
        # One a page: whoever asks has to turn the pages.
        page = int(query.get("page", "0"))
        following = f"/v2/{repository}/referrers/{subject}?page={page + 1}"
        headers = {"Link": f'<{following}>; rel="next"'} if page + 1 < len(found) else {}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": found[page : page + 1]}
        self._answer(200, {"Content-Type": INDEX, **headers}, json.dumps(index).encode())

    # answers

    def _refuse(self, status: int, code: str) -> None:
        words = json.dumps({"errors": [{"code": code, "message": f"no \x1b[31m{code.lower()}"}]})
        self._answer(status, {}, words.encode())

    def _answer(
        self,
        status: int,
        headers: dict[str, str] | None = None,
        data: bytes = b"",
        *,
        only: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(data if only is None else data[:only])
        if only is not None:
            self.wfile.flush()
            self.close_connection = True
