"""What somebody who begins gets wrong is told with what was expected, and what to do."""

import http.server
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import Said
from .server import Fault, Standin


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """The address of a web server that is no REANA server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def test_a_server_that_is_no_reana_server_is_told_by_its_address(
    elsewhere: str, say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REANA_SERVER_URL", elsewhere)
    done = say("list")
    assert done.code == 2
    assert f"REANA server {elsewhere}: found HTTP status 404, expected a REANA server" in done.err
    assert "check REANA_SERVER_URL" in done.err


@pytest.mark.parametrize(
    ("address", "code", "found"),
    [
        ("reana.example.org", 2, "no https:// before it"),
        ("http://reana.example.org", 2, "http://reana.example.org"),
        ("https://", 2, "https://"),
        ("https://reana.invalid", 3, "no host of that name"),
        ("http://127.0.0.1:9", 3, "no connection"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_in_words(
    address: str, code: int, found: str, say: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REANA_SERVER_URL", address)
    monkeypatch.setenv("NO_PROXY", "*")
    done = say("list")
    assert done.code == code
    assert f": found {found}, expected" in done.err
    assert "REANA_SERVER_URL" in done.err


@pytest.mark.parametrize(
    "command", ["status", "logs", "files", "fetch", "restart", "stop", "delete", "prune"]
)
def test_a_run_that_is_not_there_is_told_by_its_name(
    command: str, newest: Standin, say: Callable[..., Said]
) -> None:
    done = say(command, "nosuch.3")
    assert done.code == 2
    told = f"run nosuch.3: found none of that name, expected one of yours on {newest.address}"
    assert f"{told}; see 'relance reana list'" in done.err


@pytest.mark.parametrize("content", ["garbage", ""])
def test_a_file_of_authorities_without_any_is_refused_before_a_server_is_asked(
    content: str, newest: Standin, say: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "authority.pem").write_text(content)
    done = say("list", "--ca-file=authority.pem")
    assert done.code == 2
    assert "--ca-file authority.pem: found none, expected certificates" in done.err
    assert newest.asked == []


def test_a_download_that_breaks_off_for_good_names_the_file(
    newest: Standin,
    say: Callable[..., Said],
    serial: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relance.engines.reana.fetching._TRIES", 1)
    assert say("submit", serial(), "--skip-images", "--wait", "--interval=0.1").code == 0
    newest.fault(Fault("GET", "/workspace/out.txt$", "cut"))
    done = say("fetch")
    assert done.code == 3
    assert "found an answer that breaks off: out.txt, expected" in done.err
    assert list((tmp_path / "serial.1").iterdir()) == []
    assert say("fetch").code == 0


def test_a_disk_that_takes_no_more_is_told_with_the_file_and_how_to_go_on(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    folder = serial(second="head -c 9000 /dev/zero > out.txt")
    assert say("submit", folder, "--skip-images", "--wait", "--interval=0.1").code == 0

    # No file of more than 8 KiB can be written, as on a disk that is full then.
    command = ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", sys.executable, "-m", "relance"]
    command += ["reana", "fetch", "serial.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "serial.1/out.txt: found File too large, expected a place to write 9000 bytes" in done.stderr
    assert list((tmp_path / "serial.1").iterdir()) == []
    assert say("fetch", "serial.1").code == 0


def test_an_interrupted_fetch_ends_while_the_server_sends_nothing_and_leaves_nothing_behind(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str], tmp_path: Path
) -> None:
    folder = serial(second="head -c 8388608 /dev/zero > out.txt")
    assert say("submit", folder, "--skip-images", "--wait", "--interval=0.1").code == 0
    newest.fault(Fault("GET", "/out.txt$", "stall", seconds=300))
    command = [sys.executable, "-m", "relance", "reana", "fetch", "serial.1", "-o", "got"]
    got = tmp_path / "got"
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        try:
            deadline = time.monotonic() + 30
            while [path.stat().st_size for path in got.glob(".out.txt-*")] != [4 << 20]:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=30)  # a quarter of what a silent server gets
        finally:
            running.kill()
    assert (running.returncode, "error: interrupted; type the same command" in said) == (130, True), said
    assert list(got.iterdir()) == []
    assert say("fetch", "serial.1", "-o", "got").code == 0
    assert (got / "out.txt").stat().st_size == 8 << 20


def test_an_interrupted_submission_ends_while_the_server_reads_nothing(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    folder = Path(serial())
    (folder / "data/one.txt").write_bytes(b"1" * (32 << 20))
    newest.fault(Fault("POST", "/workspace$", "stall", value=1, seconds=300))
    options = ("submit", str(folder), "--skip-images")
    command = [sys.executable, "-m", "relance", "reana", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        try:
            deadline = time.monotonic() + 30
            while not newest.calls("POST", "/workspace$") and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.5)  # until it can't send any more
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=30)
        finally:
            running.kill()
    assert (running.returncode, "error: interrupted; type the same command" in said) == (130, True), said
    assert newest.only().starts == 0
    assert say(*options, "--wait", "--interval=0.1").code == 0
    assert newest.only().starts == 1


def test_files_of_a_run_that_was_deleted_are_told_to_be_gone_with_it(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    assert say("submit", serial(), "--skip-images", "--wait", "--interval=0.1").code == 0
    assert say("delete", "serial.1").code == 0
    done = say("fetch")
    assert done.code == 2
    assert "found none of that name; the run is deleted" in done.err


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "found nothing, expected a mapping"),
        ("- a", "found something else, expected a mapping"),
        ("inputs: {}", "type of the workflow: found none, expected snakemake"),
        ("workflow: {type: nextflow, file: a}", "type of the workflow: found 'nextflow', expected snakemake"),
        ("workflow: {type: snakemake, file: nosuch.smk}", "path 'nosuch.smk': found none, expected a file"),
        ("workflow: [", "reana.yaml:2: not YAML"),
    ],
)
def test_a_wrong_reana_yaml_is_told_with_its_line(
    text: str, found: str, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    folder = Path(serial())
    (folder / "reana.yaml").write_text(f"{text}\n")
    done = say("submit", str(folder))
    assert done.code == 2
    assert found in done.err
    assert "reana.yaml:" in done.err


def test_no_secret_of_a_name_is_told_by_the_name(newest: Standin, say: Callable[..., Said]) -> None:
    done = say("secrets", "remove", "nosuch")
    assert done.code == 2
    assert "found no secret of that name, expected to have nosuch" in done.err


def test_who_sends_more_than_the_quota_is_told_how_to_free_space(
    newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    newest.quota = 2
    done = say("submit", serial(), "--skip-images")
    assert done.code == 2
    assert "HTTP status 413" in done.err
    assert "free space with 'relance reana delete'" in done.err


@pytest.mark.parametrize("section", [5, "all", [], {"files": 5, "directories": "x", "parameters": [1]}])
def test_a_server_that_tells_nonsense_of_a_specification_ends_no_command_with_a_traceback(
    section: object, newest: Standin, say: Callable[..., Said], serial: Callable[..., str]
) -> None:
    assert say("submit", serial(), "--skip-images", "--wait", "--interval=0.1").code == 0
    told = json.dumps({"specification": {"inputs": section, "outputs": section}}).encode()
    newest.fault(Fault("GET", "/specification$", "answer", value=told, times=9))
    missing = say("fetch")
    assert missing.code == 2
    assert "run serial.1 declares no outputs" in missing.err
    assert say("prune", "serial.1", "--dry-run").code == 0
    assert say("restart", "serial.1", "--set=word=x").code == 0


def test_a_folder_that_is_not_there_may_have_been_meant(say: Callable[..., Said]) -> None:
    done = say("submit", "serail")
    assert done.code == 2
    assert "there is no capsule 'serail'" in done.err
    assert done.err.endswith("; or give the folder of an analysis, with its reana.yaml\n")
