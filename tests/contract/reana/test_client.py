"""The client against a strict server of each generation: what it asks, what it survives, what it refuses."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relance import digest
from relance.engines.reana import declared, fetching, following, submitting
from relance.engines.reana import session as sessions
from relance.engines.reana.address import address
from relance.engines.reana.client import Client
from relance.engines.reana.journal import Journal
from relance.engines.reana.model import Login, Protocol, RemoteFile, Secret, Status, Workflow
from relance.engines.reana.negotiation import negotiate
from relance.engines.reana.refusals import RefusedError, UnreachableError
from relance.engines.reana.session import Access, Session
from relance.engines.reana.submitting import Request
from relance.engines.reana.uploading import upload
from relance.errors import InputError, MissingPartError

from ..registry_server import need
from .server import TOKEN, Fault, Generation, Standin, serving

SERIAL = """
inputs:
  files: [data/one.txt]
workflow:
  type: serial
  specification:
    steps:
      - {name: copy, environment: "docker://bash:5", commands: [cp data/one.txt out.txt]}
"""


@pytest.fixture(params=list(Generation), ids=lambda one: one.name.lower())
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Standin]:
    with serving(tmp_path / "server", request.param) as state:
        yield state
        assert state.violations == []


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[Standin]:
    with serving(tmp_path / "server") as state:
        yield state
        assert state.violations == []


@pytest.fixture
def oldest(tmp_path: Path) -> Iterator[Standin]:
    with serving(tmp_path / "server", Generation.JSON) as state:
        yield state
        assert state.violations == []


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def connect(pauses: list[float]) -> Iterator[Callable[..., Client]]:
    opened: list[Session] = []

    def made(state: Standin, token: str = TOKEN, **more: object) -> Client:
        access = Access(token, pause=pauses.append, **{"timeout": (5, 5), **more})
        with Session(address(state.address), access) as first:
            server, ours = negotiate(first)
        opened.append(ours)
        return Client(server, ours)

    yield made
    for one in opened:
        one.__exit__()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "analysis"
    (made / "data").mkdir(parents=True)
    (made / "reana.yaml").write_text(SERIAL)
    (made / "data/one.txt").write_text("one\n")
    return made


def begun(client: Client, folder: Path) -> Workflow:
    workflow, _ = submitting._create(client, Request(declared.read(folder), "serial"))
    return workflow


def several(folder: Path, count: int = 12) -> list[str]:
    for number in range(count):
        path = folder / f"data/{number}.bin"
        path.write_bytes(bytes([number]) * (number * 1000))
    return [f"data/{number}.bin" for number in range(count)]


def test_each_generation_is_told_from_the_others_and_told_the_token_as_it_wants(
    server: Standin, connect: Callable[..., Client]
) -> None:
    client = connect(server)
    expected = {
        Generation.JSON: (Protocol.JSON, Login.QUERY, None),
        Generation.BUNDLE: (Protocol.BUNDLE, Login.QUERY, "0.95.0a5"),
        Generation.BEARER: (Protocol.BUNDLE, Login.BEARER, "0.95.0a6"),
    }[server.generation]
    assert (client.server.protocol, client.server.login, client.server.version) == expected
    assert client.server.user == "jane.doe@example.org"


def test_a_wrong_token_is_told_and_never_said(server: Standin, connect: Callable[..., Client]) -> None:
    with pytest.raises(InputError) as error:
        connect(server, token="wrong-token-8Xq2")  # noqa: S106
    assert "REANA_ACCESS_TOKEN" in str(error.value)
    assert "wrong-token-8Xq2" not in str(error.value)
    if server.generation is Generation.BEARER:
        assert not server.violations, "a server that asks for a header is not told the token in an address"


def test_a_run_can_be_made_filled_listed_and_deleted(
    server: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    client = connect(server)
    workflow = begun(client, folder)
    assert workflow.name == "serial.1"
    files = several(folder)
    done = upload(client, workflow.id, folder.__truediv__, files, Journal(tmp_path / "journal"))
    assert [one.path for one in done] == sorted(files)
    assert [(one.path, one.size) for one in client.files(workflow.id)] == sorted(
        (path, (folder / path).stat().st_size) for path in files
    )
    assert client.specification("serial.1")["workflow"]["type"] == "serial"
    assert [state.workflow.name for state in client.workflows()] == ["serial.1"]
    assert client.parameters(workflow.id) == {}
    client.remove_files(workflow.id, "data/1*.bin")
    assert len(client.files(workflow.id)) == len(files) - 3
    client.prune(workflow.id)
    assert client.files(workflow.id) == ()
    client.delete(workflow.id)
    assert client.state(workflow.id).status is Status.DELETED
    assert client.workflows() == ()


def test_listings_of_several_pages_are_read_whole(
    newest: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    newest.page = 5
    client = connect(newest)
    workflow = begun(client, folder)
    files = several(folder)
    upload(client, workflow.id, folder.__truediv__, files, Journal(tmp_path / "journal"))
    assert len(client.files(workflow.id)) == len(files)
    assert len(newest.calls("GET", "/workspace$")) >= 3


def test_files_are_sent_several_at_once(
    newest: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    newest.pause_uploads = 0.05
    client = connect(newest)
    workflow = begun(client, folder)
    upload(client, workflow.id, folder.__truediv__, several(folder), Journal(tmp_path / "journal"), threads=4)
    assert newest.most_uploading > 1


def test_an_interrupted_upload_sends_only_what_is_missing_or_changed(
    server: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    client = connect(server)
    workflow = begun(client, folder)
    files = several(folder)
    journal = tmp_path / "journal"
    server.fault(Fault("POST", "/workspace$", "status", status=400, value={"message": "no more"}, times=1))
    with pytest.raises(RefusedError, match="no more"):
        upload(client, workflow.id, folder.__truediv__, files, Journal(journal), threads=1)
    upload(client, workflow.id, folder.__truediv__, files, Journal(journal), threads=1)
    before = len(server.calls("POST", "/workspace$"))
    (folder / "data/3.bin").write_bytes(b"x" * 3000)  # the size stays
    (server.only().workspace / "data/5.bin").unlink()
    with journal.open("a") as stream:
        stream.write('\n{"path": "data/7')  # a killed process tears its last line
    done = upload(client, workflow.id, folder.__truediv__, files, Journal(journal), threads=1)
    assert [one.path for one in done if one.moved] == ["data/3.bin", "data/5.bin"]
    assert len(server.calls("POST", "/workspace$")) == before + 2
    for path in files:
        assert (server.only().workspace / path).read_bytes() == (folder / path).read_bytes()


@pytest.mark.parametrize("how", ["drop", "status", "drop after"])
def test_an_upload_survives_dropped_connections_and_busy_servers(  # noqa: PLR0917
    server: Standin,
    connect: Callable[..., Client],
    folder: Path,
    tmp_path: Path,
    pauses: list[float],
    how: str,
) -> None:
    client = connect(server)
    workflow = begun(client, folder)
    server.fault(Fault("POST", "/workspace$", how, headers={"Retry-After": "7"}, times=2))
    upload(client, workflow.id, folder.__truediv__, ["data/one.txt"], Journal(tmp_path / "journal"))
    assert (server.only().workspace / "data/one.txt").read_text() == "one\n"
    assert len(pauses) == 2
    assert how != "status" or pauses == [7.0, 7.0]


def test_a_connection_that_is_cut_within_a_file_sends_it_again_and_no_other(
    server: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path, pauses: list[float]
) -> None:
    client = connect(server)
    workflow = begun(client, folder)
    files = several(folder, 3)
    (folder / files[1]).write_bytes(bytes(range(256)) * 64_000)
    server.fault(Fault("POST", "/workspace$", "hang up", file=files[1], value=8 << 20, times=2))
    done = upload(client, workflow.id, folder.__truediv__, files, Journal(tmp_path / "journal"), threads=1)
    assert [one.digest for one in done] == [digest.of_file(folder / path) for path in files]
    asked = [call.query["file_name"] for call in server.calls("POST", "/workspace$")]
    assert asked == [files[0], *[files[1]] * 3, files[2]]
    assert len(pauses) == 2
    for path in files:
        assert (server.only().workspace / path).read_bytes() == (folder / path).read_bytes()


def test_a_server_that_reads_no_more_for_a_while_gets_the_file_once(
    newest: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    client = connect(newest, timeout=(0.5, 60))
    workflow = begun(client, folder)
    (folder / "data/large").write_bytes(bytes(24 << 20))  # more than the network holds
    newest.fault(Fault("POST", "/workspace$", "stall", value=1 << 20, seconds=1.5))
    upload(client, workflow.id, folder.__truediv__, ["data/large"], Journal(tmp_path / "journal"))
    assert len(newest.calls("POST", "/workspace$")) == 1


def test_a_file_that_the_server_lists_with_another_size_is_no_success(
    newest: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    client = connect(newest)
    workflow = begun(client, folder)
    listed = {"items": [{"name": "data/one.txt", "size": {"raw": 3}, "last-modified": ""}], "total": 1}
    newest.fault(Fault("GET", "/workspace$", "answer", value=listed, times=2))
    with pytest.raises(UnreachableError, match=r"3 bytes where 4 bytes of data/one\.txt were sent"):
        upload(client, workflow.id, folder.__truediv__, ["data/one.txt"], Journal(tmp_path / "journal"))


def test_a_full_quota_is_told_with_what_to_do(
    server: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    server.quota = 2
    client = connect(server)
    workflow = begun(client, folder)
    (folder / "data/large").write_bytes(bytes(5 << 20))  # more than the server reads before it refuses
    for path in ("data/one.txt", "data/large"):
        with pytest.raises(RefusedError, match=r"quota exceeded.*relance reana delete"):
            upload(client, workflow.id, folder.__truediv__, [path], Journal(tmp_path / "journal"))


def test_a_file_without_content_is_sent_with_its_length(
    server: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    (folder / "data/none").write_bytes(b"")
    client = connect(server)
    workflow = begun(client, folder)
    upload(client, workflow.id, folder.__truediv__, ["data/none"], Journal(tmp_path / "journal"))
    assert server.calls("POST", "/workspace$")[-1].size == 0


def test_a_file_that_grows_while_it_is_sent_is_no_success(
    newest: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    client = connect(newest)
    workflow = begun(client, folder)

    def grow(_: object) -> None:
        with (folder / "data/one.txt").open("a") as stream:
            stream.write("more\n")

    with pytest.raises(InputError, match="found another size"):
        upload(
            client,
            workflow.id,
            folder.__truediv__,
            ["data/one.txt"],
            Journal(tmp_path / "journal"),
            told=grow,
        )


def filled(client: Client, server: Standin, folder: Path) -> Workflow:
    workflow = begun(client, folder)
    results = server.only().workspace / "results"
    results.mkdir()
    (results / "a.txt").write_text("first\n")
    (results / "b c.bin").write_bytes(bytes(range(256)) * 5000)
    return workflow


def test_what_is_fetched_is_verified_and_not_fetched_twice(
    server: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    client = connect(server)
    workflow = filled(client, server, folder)
    listed = fetching.choose(client.files(workflow.id), ["results"])
    journal = Journal(tmp_path / "journal")
    done = fetching.fetch(client, workflow.id, listed, tmp_path / "got", journal)
    assert [one.moved for one in done] == [True, True]
    assert (tmp_path / "got/results/b c.bin").read_bytes() == bytes(range(256)) * 5000
    (tmp_path / "got/results/a.txt").write_text("FIRST\n")
    again = fetching.fetch(client, workflow.id, listed, tmp_path / "got", Journal(tmp_path / "journal"))
    assert [one.moved for one in again] == [True, False]
    assert (tmp_path / "got/results/a.txt").read_text() == "first\n"
    assert sorted(path.name for path in (tmp_path / "got/results").iterdir()) == ["a.txt", "b c.bin"]


def test_a_file_that_changed_on_the_server_is_fetched_again_though_its_size_stays(
    newest: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    client = connect(newest)
    workflow = filled(client, newest, folder)
    theirs = newest.only().workspace / "results/a.txt"
    journal = tmp_path / "journal"
    for text in ("first\n", "FIRST\n"):
        theirs.write_text(text)
        os.utime(theirs, (0, 0) if text == "first\n" else (9, 9))
        listed = fetching.choose(client.files(workflow.id), ["results/a.txt"])
        fetching.fetch(client, workflow.id, listed, tmp_path / "got", Journal(journal))
        assert (tmp_path / "got/results/a.txt").read_text() == text


def test_a_download_that_breaks_off_is_begun_again(
    newest: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    client = connect(newest)
    workflow = filled(client, newest, folder)
    newest.fault(Fault("GET", "/workspace/results/b", "cut", times=2))
    listed = fetching.choose(client.files(workflow.id), ["results/b c.bin"])
    fetching.fetch(client, workflow.id, listed, tmp_path / "got", Journal(tmp_path / "journal"))
    assert (tmp_path / "got/results/b c.bin").stat().st_size == 256 * 5000


@pytest.mark.parametrize("content", [b"firs", b"first\nand more"])
def test_a_file_of_another_size_than_listed_gets_no_name(
    newest: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path, content: bytes
) -> None:
    client = connect(newest)
    workflow = filled(client, newest, folder)
    listed = fetching.choose(client.files(workflow.id), ["results/a.txt"])
    newest.fault(Fault("GET", "/workspace/results/a", "answer", value=content, times=5))
    with pytest.raises(UnreachableError, match=r"(more|fewer) bytes of results/a.txt than the 6 listed"):
        fetching.fetch(client, workflow.id, listed, tmp_path / "got", Journal(tmp_path / "journal"))
    assert [path for path in (tmp_path / "got").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "../outside", "size": 1},
        {"name": "/etc/passwd", "size": 1},
        {"name": "a/../../b", "size": 1},
        {"name": "a//b", "size": 1},
        {"name": "a\\..\\b", "size": 1},
        {"name": "a\x1b[2J", "size": 1},
        {"name": "a", "size": -1},
        {"name": "a", "size": True},
        {"name": "a", "size": {"raw": "1"}},
        {"name": "a"},
        {"size": 1},
        "a",
    ],
)
def test_a_hostile_listing_is_refused(newest: Standin, connect: Callable[..., Client], entry: object) -> None:
    newest.fault(Fault("GET", "/workspace$", "answer", value={"items": [entry], "total": 1}))
    with pytest.raises(UnreachableError) as error:
        connect(newest).files("any.1")
    assert str(error.value).isprintable()


def test_a_file_that_is_a_folder_too_is_refused(newest: Standin, connect: Callable[..., Client]) -> None:
    items = [{"name": "a", "size": 1}, {"name": "a/b", "size": 1}]
    newest.fault(Fault("GET", "/workspace$", "answer", value={"items": items, "total": 2}))
    with pytest.raises(UnreachableError, match="inside what is a file itself"):
        connect(newest).files("any.1")


def test_nothing_is_fetched_through_a_link_that_leads_out(
    newest: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path
) -> None:
    client = connect(newest)
    workflow = filled(client, newest, folder)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "got").mkdir()
    (tmp_path / "got/results").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="a link or a folder"):
        fetching.fetch(
            client, workflow.id, client.files(workflow.id), tmp_path / "got", Journal(tmp_path / "journal")
        )
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_no_redirect_takes_the_token_to_another_host(tmp_path: Path, connect: Callable[..., Client]) -> None:
    with serving(tmp_path / "one", Generation.BUNDLE) as first, serving(tmp_path / "two") as other:
        client = connect(first)
        first.fault(Fault("GET", "/status$", "redirect", status=302, value=f"{other.address}/api/you"))
        with pytest.raises(UnreachableError, match="not followed") as error:
            client.state("any.1")
        assert other.asked == []
        assert TOKEN not in str(error.value)


@pytest.mark.parametrize("target", ["http://[", "", "//evil.example", "file:///etc/passwd"])
def test_a_redirect_to_nowhere_is_told(newest: Standin, connect: Callable[..., Client], target: str) -> None:
    newest.fault(Fault("GET", "/status$", "redirect", status=302, value=target))
    with pytest.raises(UnreachableError, match="redirect"):
        connect(newest).state("any.1")


@pytest.mark.parametrize("status", [302, 307])
def test_what_is_sent_is_not_redirected_on_the_same_host_either(  # noqa: PLR0917
    newest: Standin,
    connect: Callable[..., Client],
    folder: Path,
    tmp_path: Path,
    pauses: list[float],
    status: int,
) -> None:
    client = connect(newest)
    workflow = begun(client, folder)
    for path in ("/start$", "/workspace$"):
        newest.fault(Fault("POST", path, "redirect", status=status, value=f"{newest.address}/api/elsewhere"))
    with pytest.raises(UnreachableError, match=f"HTTP status {status}"):
        client.start(workflow.id, {}, {})
    with pytest.raises(UnreachableError, match=rf"HTTP status {status}|a redirect of what is sent"):
        upload(client, workflow.id, folder.__truediv__, ["data/one.txt"], Journal(tmp_path / "journal"))
    assert newest.calls("POST", "elsewhere") + newest.calls("GET", "elsewhere") == []
    assert pauses == []


def test_no_login_of_a_netrc_file_and_no_cookie_goes_along(
    oldest: Standin, connect: Callable[..., Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login jane password s3cr3t\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    cookie = {"Set-Cookie": "session=1; Path=/"}
    oldest.fault(Fault("GET", "/api/info$", "answer", value={}, headers=cookie))
    client = connect(oldest)
    assert client.snakemake() is None
    client.workflows()
    assert [
        name for call in oldest.asked for name in call.headers if name in {"authorization", "cookie"}
    ] == []


def test_an_answer_that_was_cut_off_is_asked_for_again(
    server: Standin, connect: Callable[..., Client], folder: Path
) -> None:
    client = connect(server)
    workflow = begun(client, folder)
    server.fault(Fault("GET", "/status$", "cut", times=2))
    assert client.state(workflow.id).workflow == workflow


def test_a_redirect_on_the_same_host_is_followed_with_the_token(
    server: Standin, connect: Callable[..., Client], folder: Path
) -> None:
    client = connect(server)
    workflow = begun(client, folder)
    target = f"/api/workflows/{workflow.id}/status"
    server.fault(Fault("GET", "/workflows/moved/status$", "redirect", status=308, value=target))
    assert client.state("moved").workflow == workflow


def test_a_server_that_says_the_token_back_is_not_repeated(
    server: Standin, connect: Callable[..., Client]
) -> None:
    client = connect(server)
    said = {"message": f"bad request ?access_token={TOKEN}\x1b[31m"}
    server.fault(Fault("GET", "/status$", "status", status=400, value=said))
    with pytest.raises(RefusedError) as error:
        client.state("any.1")
    assert TOKEN not in str(error.value)
    assert "?access_token=…" in str(error.value)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize("fault", ["drop", "status"])
def test_no_error_of_a_connection_tells_the_token(
    server: Standin, connect: Callable[..., Client], fault: str, pauses: list[float]
) -> None:
    client = connect(server)
    server.fault(Fault("GET", "/status$", fault, times=5))
    with pytest.raises(UnreachableError) as error:
        client.state("any.1")
    assert TOKEN not in str(error.value)
    assert error.value.__cause__ is None
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_a_slow_answer_is_asked_for_again(
    newest: Standin, connect: Callable[..., Client], folder: Path
) -> None:
    workflow = begun(connect(newest), folder)
    newest.fault(Fault("GET", "/status$", "slow", value=2.5))
    assert connect(newest, timeout=(5, 1)).state(workflow.id).status is Status.CREATED


@pytest.mark.parametrize("how", ["drop after", "cut"])
def test_a_run_whose_making_was_not_answered_is_not_made_twice(
    server: Standin, connect: Callable[..., Client], folder: Path, how: str
) -> None:
    client = connect(server)
    server.fault(Fault("POST", "/api/workflows$", how))
    with pytest.raises(UnreachableError, match="relance reana list"):
        begun(client, folder)
    assert len(server.runs) == 1


def test_a_run_whose_making_went_wrong_on_the_server_is_not_made_twice(
    newest: Standin, connect: Callable[..., Client], folder: Path, pauses: list[float]
) -> None:
    client = connect(newest)
    newest.fault(Fault("POST", "/api/workflows$", "status", status=502))
    with pytest.raises(UnreachableError, match=r"HTTP status 502.*relance reana list"):
        begun(client, folder)
    assert (len(newest.calls("POST", "/api/workflows$")), pauses) == (1, [])


def test_a_busy_server_is_asked_again_for_a_run(
    server: Standin, connect: Callable[..., Client], folder: Path, pauses: list[float]
) -> None:
    client = connect(server)
    server.fault(Fault("POST", "/api/workflows$", "status", status=429, headers={"Retry-After": "3"}))
    begun(client, folder)
    assert pauses == [3.0]
    assert len(server.runs) == 1


def test_an_unknown_run_is_the_users_mistake(server: Standin, connect: Callable[..., Client]) -> None:
    with pytest.raises(RefusedError, match=r"run nothing\.1: found none of that name"):
        connect(server).state("nothing.1")


WONDERING = {"id": "00000000-0000-0000-0000-000000000001", "name": "any.1", "status": "wondering"}


@pytest.mark.parametrize(
    "data",
    [b"<html>", b"[]", b'{"status": "finished"}', b"[" * 100_000, json.dumps(WONDERING).encode()],
    ids=["no JSON", "a list", "nameless", "deep", "no status"],
)
def test_an_answer_of_something_else_is_told(
    newest: Standin, connect: Callable[..., Client], data: bytes
) -> None:
    newest.fault(Fault("GET", "/status$", "answer", value=data))
    with pytest.raises(UnreachableError):
        connect(newest).state("any.1")


def test_an_answer_of_more_than_is_read_into_memory_is_refused(
    newest: Standin, connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(newest)
    monkeypatch.setattr(sessions, "LARGEST_ANSWER", 1000)
    newest.fault(Fault("GET", "/status$", "answer", value=b'{"x": "' + b"y" * 1000 + b'"}'))
    with pytest.raises(UnreachableError, match="more than 1000 bytes"):
        client.state("any.1")


def test_what_is_no_reana_server_is_told(newest: Standin, connect: Callable[..., Client]) -> None:
    newest.fault(Fault("GET", "/ping$", "answer", value={"hello": "world"}))
    with pytest.raises(UnreachableError, match="no REANA server"):
        connect(newest)


def test_secrets_are_given_listed_and_removed(server: Standin, connect: Callable[..., Client]) -> None:
    client = connect(server)
    client.add_secrets({Secret("PASSWORD", "env"): b"s3cr3t"})
    assert client.secrets() == (Secret("PASSWORD", "env"),)
    with pytest.raises(RefusedError, match="already exist"):
        client.add_secrets({Secret("PASSWORD", "env"): b"other"})
    client.add_secrets({Secret("PASSWORD", "env"): b"other"}, overwrite=True)
    client.remove_secrets(["PASSWORD"])
    assert client.secrets() == ()


def test_logs_are_told_once_as_they_grow(newest: Standin, connect: Callable[..., Client]) -> None:
    def said(status: str, text: str) -> dict[str, object]:
        job = {"job_name": "fit", "status": status, "logs": text}
        return {"logs": json.dumps({"workflow_logs": "", "job_logs": {"1": job}})}

    def state(status: str) -> dict[str, object]:
        known = "00000000-0000-0000-0000-000000000001"
        return {"id": known, "name": "fit.1", "status": status, "progress": {}}

    looks = [
        ("running", "running", "one\ntw"),
        ("running", "running", "one\ntwo\n"),
        ("failed", "failed", "one\ntwo\nend"),
    ]
    for over, status, text in looks:
        newest.fault(Fault("GET", "/status$", "answer", value=state(over)))
        newest.fault(Fault("GET", "/logs$", "answer", value=said(status, text)))
    news = list(following.follow(connect(newest), "fit.1"))
    assert "".join(one.text for one in news) == "one\ntwo\nend"
    assert [one.status for one in news if one.status] == ["running", "failed"]
    assert [one.state.status for one in news if one.state] == [Status.RUNNING, Status.FAILED]


def test_logs_can_not_steer_a_terminal(newest: Standin, connect: Callable[..., Client]) -> None:
    job = {"job_name": "a\x1b]0;x\x07", "status": "running", "logs": "b\x1b[2J\n"}
    said = {"logs": json.dumps({"workflow_logs": "c\x9b", "job_logs": {"1": job}})}
    newest.fault(Fault("GET", "/logs$", "answer", value=said))
    logs = connect(newest).logs("any.1")
    assert "\x1b" not in logs.engine + logs.jobs[0].name + logs.jobs[0].text
    assert "\x9b" not in logs.engine


def test_a_difference_that_is_nested_too_deeply_is_told(
    newest: Standin, connect: Callable[..., Client]
) -> None:
    deep = json.loads("[" * 450 + "]" * 450)
    newest.fault(Fault("GET", "/diff/", "answer", value={"reana_specification": deep}))
    with pytest.raises(UnreachableError, match="nested too deeply"):
        connect(newest).difference("any.1", "any.2")


def test_logs_and_differences_do_not_tell_the_token(newest: Standin, connect: Callable[..., Client]) -> None:
    job = {"job_name": "fit", "status": "failed", "cmd": f"curl -H {TOKEN}", "logs": f"TOKEN={TOKEN}\n"}
    said = {"logs": json.dumps({"workflow_logs": f"with {TOKEN}", "job_logs": {"1": job}})}
    newest.fault(Fault("GET", "/logs$", "answer", value=said))
    newest.fault(Fault("GET", "/diff/", "answer", value={"reana_specification": json.dumps({"x": [TOKEN]})}))
    client = connect(newest)
    logs = client.logs("any.1")
    assert (logs.engine, logs.jobs[0].command, logs.jobs[0].text) == ("with …", "curl -H …", "TOKEN=…\n")
    assert client.difference("any.1", "any.2") == {"reana_specification": "x:\n…"}


@pytest.mark.parametrize("written", ["a+b/c=d%e", "a%2Bb%2Fc%3Dd%25e", "a%2Bb/c%3Dd%25e"])
def test_a_token_is_left_out_of_words_as_it_stands_in_addresses_too(written: str) -> None:
    with Session("https://reana.example.org", Access("a+b/c=d%e")) as session:
        assert session.cleaned(f"no such page: /api/you?access_token={written}") == (
            "no such page: /api/you?access_token=…"
        )


def test_a_secret_that_is_not_there_is_told(server: Standin, connect: Callable[..., Client]) -> None:
    with pytest.raises(RefusedError, match=r"no secret of that name.*'relance reana secrets'"):
        connect(server).remove_secrets(["PASSWORD"])


@pytest.mark.parametrize("path", [".git/config", "sub/.git/hooks/x", ".snakemake/relance/run/record.json"])
def test_what_programs_of_this_machine_trust_is_not_fetched(
    newest: Standin, connect: Callable[..., Client], folder: Path, tmp_path: Path, path: str
) -> None:
    client = connect(newest)
    workflow = begun(client, folder)
    with pytest.raises(InputError, match="would take for their own"):
        fetching.fetch(
            client, workflow.id, [RemoteFile(path, 2, "")], tmp_path / "got", Journal(tmp_path / "j")
        )
    assert newest.calls("GET", "/workspace/") == []


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """One that signs itself, for 127.0.0.1, and its key."""
    need("openssl")
    key, made = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", made, "-nodes"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return made, key


def test_tls_is_verified_and_an_authority_can_be_given(
    tmp_path: Path, certificate: tuple[Path, Path], connect: Callable[..., Client]
) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("nothing\n")
    with serving(tmp_path / "server", certificate=certificate) as state:
        with pytest.raises(MissingPartError, match=r"self-signed certificate.*--ca-file"):
            connect(state)
        with pytest.raises(MissingPartError, match="no certificate in the file of authorities"):
            connect(state, authorities=junk)
        assert state.asked == []
        assert connect(state, authorities=certificate[0]).server.login is Login.BEARER
        state.address = state.address.replace("127.0.0.1", "localhost")
        with pytest.raises(MissingPartError, match=r"not valid for 'localhost'.*check the address"):
            connect(state, authorities=certificate[0])


def test_a_server_without_tls_is_told(newest: Standin, connect: Callable[..., Client]) -> None:
    plain = newest.address
    newest.address = plain.replace("http:", "https:")
    with pytest.raises(MissingPartError, match="an answer without TLS"):
        connect(newest)
    newest.address = plain


def test_an_upload_that_is_cut_within_tls_is_sent_again(
    tmp_path: Path,
    certificate: tuple[Path, Path],
    connect: Callable[..., Client],
    folder: Path,
    pauses: list[float],
) -> None:
    (folder / "data/large").write_bytes(bytes(range(256)) * 64_000)
    with serving(tmp_path / "server", certificate=certificate) as state:
        client = connect(state, authorities=certificate[0])
        workflow = begun(client, folder)
        state.fault(Fault("POST", "/workspace$", "hang up", value=4 << 20, times=2))
        upload(client, workflow.id, folder.__truediv__, ["data/large"], Journal(tmp_path / "journal"))
        assert (state.only().workspace / "data/large").read_bytes() == (folder / "data/large").read_bytes()
    assert pauses == [1.0, 2.0]


@pytest.mark.parametrize(
    "text",
    [
        "http://reana.example.org",
        "https://jane:pass@reana.example.org",
        "https://reana.example.org?access_token=x",
        "reana.example.org",
        "ftp://reana.example.org",
        "https://[",
        "",
    ],
)
def test_an_address_that_would_give_the_token_away_is_refused(text: str) -> None:
    with pytest.raises(InputError) as error:
        address(text)
    assert "pass" not in str(error.value).replace("REANA_ACCESS_TOKEN", "")


@pytest.mark.parametrize(
    ("warned", "told"),
    [(5, ()), ("x", ()), ({"a": 1}, ()), (["a\x1b[31m", {"b": 1}], ("a [31m", '{"b": 1}'))],
)
def test_warnings_of_a_server_are_told_if_they_are_any(
    warned: object, told: tuple[str, ...], newest: Standin, connect: Callable[..., Client]
) -> None:
    made = {"workflow_id": WONDERING["id"], "workflow_name": "any.1", "validation_warnings": warned}
    newest.fault(Fault("POST", "/api/workflows$", "status", status=201, value=made))
    assert connect(newest).create_from_bundle("any", b"PK")[1] == told
