"""External data comes from the first location that has it, is verified, and goes on where it broke off."""

import hashlib
import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from relance.errors import InputError, MissingPartError
from relance.specification.model import ExternalData
from relance.store import assets
from relance.store.locations import NoWayError, Portals
from relance.store.remote import BreakError, Opened, Remote

CONTENT = bytes(range(256)) * 4000


@dataclass
class Web:
    """A server's files, how it misbehaves, and what it was asked for."""

    address: str
    files: dict[str, bytes] = field(default_factory=lambda: {"/data": CONTENT})
    ranges: bool = True
    break_after: list[int] = field(default_factory=list)
    """Bytes after which the next connections break."""
    busy: int = 0
    """So many requests are answered with status 503."""
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        self.logins.append(request.headers.get("Authorization"))
        if self.busy:
            self.busy -= 1
            request.send_response(503)
            request.end_headers()
            return
        if request.path in self.redirects:
            request.send_response(302)
            request.send_header("Location", self.redirects[request.path])
            request.end_headers()
            return
        data = self.files.get(request.path)
        if data is None:
            request.send_response(404)
            request.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        stop = start + self.break_after.pop(0) if self.break_after else len(data)
        request.wfile.write(data[start:stop])


@contextmanager
def serving(wrap: Callable[[http.server.HTTPServer], None] | None = None) -> Iterator[Web]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if wrap:
            wrap(server)
        web = Web(f"http{'s' if wrap else ''}://localhost:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as found:
        yield found


def described(*locations: str, content: bytes = CONTENT, path: str = "inputs/data") -> ExternalData:
    sha256 = hashlib.sha256(content).hexdigest()
    return ExternalData(path, len(content), sha256, locations, f"{zlib.adler32(content):08x}")


def fetch(data: ExternalData, folder: Path, **options: object) -> Path:
    return assets.fetch(data, folder, pause=lambda _: None, **options)  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_verified_and_not_asked_for_again(web, tmp_path):
    counts: list[int] = []
    found = fetch(described(f"{web.address}/data"), tmp_path, told=counts.append)
    assert found == tmp_path / "inputs/data"
    assert found.read_bytes() == CONTENT
    assert sum(counts) == len(CONTENT)
    fetch(described(f"{web.address}/data"), tmp_path)
    assert web.asked == [("/data", None)]
    assert names(tmp_path / "inputs") == ["data"]


def test_a_broken_answer_is_gone_on_with_where_it_broke(web, tmp_path):
    web.break_after = [100_000, 200_000]
    assert fetch(described(f"{web.address}/data"), tmp_path).read_bytes() == CONTENT
    starts = [0 if wanted is None else int(wanted[6:-1]) for _, wanted in web.asked]
    assert starts == [0, 100_000, 300_000]


def test_a_server_that_knows_no_ranges_begins_anew(web, tmp_path):
    web.ranges, web.break_after = False, [300_000]
    assert fetch(described(f"{web.address}/data"), tmp_path).read_bytes() == CONTENT


def test_what_came_before_the_network_went_is_used_by_the_next_command(web, tmp_path):
    web.break_after = [500_000, 0, 0, 0]
    with pytest.raises(MissingPartError, match=f"after 500000 of {len(CONTENT)} bytes"):
        fetch(described(f"{web.address}/data"), tmp_path)
    assert not (tmp_path / "inputs/data").exists()
    web.asked.clear()
    web.break_after = []
    assert fetch(described(f"{web.address}/data"), tmp_path).read_bytes() == CONTENT
    assert web.asked == [("/data", "bytes=500000-")]


def test_a_beginning_that_was_another_files_is_thrown_away(web, tmp_path):
    web.files["/other"] = bytes(len(CONTENT))
    web.break_after = [500_000, 0, 0, 0]
    data = described(f"{web.address}/other", f"{web.address}/data")
    assert fetch(data, tmp_path).read_bytes() == CONTENT


def test_locations_are_tried_in_order_and_each_failure_is_told(web, tmp_path):
    web.files |= {"/wrong": bytes(len(CONTENT)), "/short": CONTENT[:-1]}
    bad = [
        f"{web.address}/gone",
        f"{web.address}/wrong",
        f"{web.address}/short",
        f"file://{tmp_path}/none",
        "ftp://example.org/data",
        "doi:10.7483/OPENDATA.CMS.ABCD/file",
        "http://example.org/data",
        "https://localhost:1/data",
    ]
    with pytest.raises(MissingPartError) as caught:
        fetch(described(*bad), tmp_path)
    for words in (
        "/gone: HTTP status 404",
        "/wrong: it is another file: sha256:",
        f"/short: it has {len(CONTENT) - 1} bytes, not {len(CONTENT)}",
        "none: no such file",
        "ftp://example.org/data: only https://",
        "doi:10.7483/OPENDATA.CMS.ABCD/file: of DOIs only",
        "http://example.org/data: only https://",
        "https://localhost:1/data: no connection",
    ):
        assert words in str(caught.value)
    assert names(tmp_path / "inputs") == []
    assert fetch(described(*bad, f"{web.address}/data"), tmp_path).read_bytes() == CONTENT


def test_more_bytes_than_declared_are_not_kept(web, tmp_path):
    web.files["/data"] = CONTENT + b"more"
    with pytest.raises(MissingPartError, match="bytes, not"):
        fetch(described(f"{web.address}/data"), tmp_path)


def test_a_right_sha256_with_a_wrong_adler32_is_refused(web, tmp_path):
    data = described(f"{web.address}/data")
    wrong = ExternalData(data.path, data.size, data.sha256, data.locations, "00000001")
    with pytest.raises(MissingPartError, match="its adler32 is"):
        fetch(wrong, tmp_path)


def test_a_busy_server_is_asked_again_after_a_while(web, tmp_path):
    web.busy = 2
    pauses: list[float] = []
    assets.fetch(described(f"{web.address}/data"), tmp_path, pause=pauses.append)
    assert pauses == [1.0, 3.0]


def test_a_local_file_is_copied(tmp_path):
    (tmp_path / "with space").write_bytes(CONTENT)
    found = fetch(described(f"file://{tmp_path}/with%20space"), tmp_path / "analysis")
    assert found.read_bytes() == CONTENT
    assert found.stat().st_ino != (tmp_path / "with space").stat().st_ino


def test_a_pipe_is_no_local_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MissingPartError, match="no such file"):
        fetch(described(f"file://{tmp_path}/pipe"), tmp_path)


def test_an_empty_file_needs_no_server(tmp_path):
    assert fetch(described("https://localhost:1/x", content=b""), tmp_path).read_bytes() == b""


@pytest.mark.parametrize("wrong", [b"the user's", CONTENT[::-1]])
def test_a_wrong_file_that_is_there_is_replaced_and_only_by_the_right_one(web, tmp_path, wrong):
    target = tmp_path / "inputs/data"
    target.parent.mkdir()
    target.write_bytes(wrong)
    with pytest.raises(MissingPartError):
        fetch(described(f"{web.address}/gone"), tmp_path)
    assert target.read_bytes() == wrong
    assert fetch(described(f"{web.address}/data"), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["../data", "/data", "a/../../data", "", "link/data", "link/deep/data"])
def test_data_cannot_be_put_outside_the_folder(web, tmp_path, path):
    folder = tmp_path / "analysis"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="can't be put"):
        fetch(described(f"{web.address}/data", path=path), folder)
    assert sorted(tmp_path.rglob("*")) == before
    assert web.asked == []


@pytest.mark.parametrize(
    "location",
    [
        "https://ada:s3cret@example.org/data",
        "https://example.org/data?access_token=s3cret",
        "https://example.org/data?a=1&X-Amz-Signature=s3cret",
        "root://ada@example.org//data",
        "root://example.org//data?authz=s3cret",
    ],
)
def test_a_location_with_a_password_is_refused_without_telling_it(web, tmp_path, location):
    with pytest.raises(InputError, match="holds a password") as caught:
        fetch(described(f"{web.address}/data", location), tmp_path)
    assert "s3cret" not in str(caught.value)
    assert web.asked == []


def test_no_login_of_the_user_is_sent(web, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine localhost login ada password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    web.redirects["/moved"] = f"{web.address}/data"
    fetch(described(f"{web.address}/moved"), tmp_path)
    assert web.logins == [None, None]


def test_a_redirection_away_from_tls_is_not_followed(web, tmp_path):
    web.redirects |= {"/insecure": "http://example.org/data", "/loop": f"{web.address}/loop"}
    data = described(f"{web.address}/insecure", f"{web.address}/loop")
    with pytest.raises(MissingPartError, match=r"it leads to http://example\.org, without TLS") as caught:
        fetch(data, tmp_path)
    assert "more than 5 redirections" in str(caught.value)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key, made = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


def by_tls(certificate: tuple[Path, Path], cuts: int = 0) -> Callable[[http.server.HTTPServer], None]:
    """What lets a server speak TLS, once it has hung up on so many connections that begin to."""
    left = [None] * cuts
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def wrap(server: http.server.HTTPServer) -> None:
        def get_request() -> tuple[socket.socket, object]:
            connection, address = server.socket.accept()
            if left:
                left.pop()
                with connection:
                    connection.recv(1 << 16)
                raise OSError("hung up")  # for the server: there is nothing to do
            return context.wrap_socket(connection, server_side=True), address

        server.get_request = get_request  # type: ignore[method-assign]

    return wrap


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate, tmp_path):
    with (
        serving(by_tls(certificate)) as web,
        pytest.raises(MissingPartError, match="certificate is not trusted"),
    ):
        fetch(described(f"{web.address}/data"), tmp_path)


def test_tls_that_is_cut_off_as_it_begins_is_a_break_and_no_distrust(certificate, tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with serving(by_tls(certificate, cuts=2)) as web:
        assert fetch(described(f"{web.address}/data"), tmp_path / "a").read_bytes() == CONTENT
        assert web.asked == [("/data", None)]
    with serving(by_tls(certificate, cuts=1)) as web, Remote() as remote:
        with pytest.raises(BreakError, match=r"the connection broke \(SSLError\)"):
            remote.document(f"{web.address}/data")
        assert remote.document(f"{web.address}/data") == CONTENT


def open_data(web: Web, files: list[str]) -> Portals:
    listed = [{"uri": uri, "size": 1, "checksum": "adler32:0"} for uri in files]
    web.files["/api/records/42"] = json.dumps({"metadata": {"files": listed}}).encode()
    return Portals(web.address, web.address)


def test_a_record_of_cern_open_data_is_looked_up(web, tmp_path):
    portals = open_data(web, ["root://eospublic.cern.ch//eos/opendata/cms/a/data", "root://x//eos/b/other"])
    web.files["/eos/opendata/cms/a/data"] = CONTENT
    found = fetch(described("cernopendata:42/data"), tmp_path, portals=portals)
    assert found.read_bytes() == CONTENT
    with pytest.raises(MissingPartError, match="record 42 of CERN Open Data has no file 'ata'"):
        fetch(described("cernopendata:42/ata", path="b"), tmp_path, portals=portals)
    with pytest.raises(MissingPartError, match=r"records/43|HTTP status 404"):
        fetch(described("cernopendata:43/data", path="b"), tmp_path, portals=portals)


def test_a_file_that_only_an_index_of_the_record_lists_is_found(web, tmp_path):
    index = "root://eospublic.cern.ch//eos/opendata/cms/all_file_index.txt"
    portals = open_data(web, [index])
    lines = [f"root://eospublic.cern.ch//eos/opendata/cms/{part}/data" for part in ("0000", "0001")]
    web.files["/eos/opendata/cms/all_file_index.txt"] = "\n".join(lines).encode()
    web.files["/eos/opendata/cms/0001/data"] = CONTENT
    assert fetch(described("cernopendata:42/0001/data"), tmp_path, portals=portals).read_bytes() == CONTENT
    with pytest.raises(MissingPartError, match="has several files 'data'"):
        fetch(described("cernopendata:42/data", path="b"), tmp_path, portals=portals)


def test_a_doi_of_zenodo_is_followed(web, tmp_path):
    web.files["/api/records/123/files/my%20data.root/content"] = CONTENT
    data = described("doi:10.5281/zenodo.123/my data.root")
    assert fetch(data, tmp_path, portals=Portals(zenodo=web.address)).read_bytes() == CONTENT


def test_a_file_that_an_xrootd_server_has_not_is_not_asked_for_again():
    class Absent:
        def read(self, _size: int) -> bytes:
            raise OSError("[ERROR] Server responded with an error: [3011] Unable to locate /none.txt\n")

    with pytest.raises(NoWayError, match="no such file"):
        Opened(Absent(), 0).read(1)


def test_xrootd_that_is_not_installed_is_named(tmp_path):
    pytest.importorskip("fsspec")
    try:
        import fsspec_xrootd  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        with pytest.raises(MissingPartError, match=r"pip install 'relance\[xrootd\]'"):
            fetch(described("root://localhost:1//data"), tmp_path)


def test_processes_that_fetch_the_same_file_ask_for_it_once(web, tmp_path):
    program = (
        "import sys; from pathlib import Path; from relance.specification.model import ExternalData\n"
        "from relance.store import assets\n"
        "data = ExternalData('inputs/data', int(sys.argv[1]), sys.argv[2], (sys.argv[3],))\n"
        "assets.fetch(data, Path(sys.argv[4]))\n"
    )
    data = described(f"{web.address}/data")
    command = [sys.executable, "-c", program, str(data.size), data.sha256, data.locations[0], str(tmp_path)]
    fetchers = [subprocess.Popen(command) for _ in range(3)]
    assert [fetcher.wait(60) for fetcher in fetchers] == [0, 0, 0]
    assert web.asked == [("/data", None)]
    assert names(tmp_path / "inputs") == ["data"]
