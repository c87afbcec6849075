"""The broker: a real process that runs real jobs, here as plain processes, for callers over its socket."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from relance.engines import broker, standin
from relance.engines.broker import Broker
from relance.engines.jobs import Rules
from relance.model import Runtime, RuntimeKind

WRITTEN = "docker://relance/toy"


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    (tmp_path / "analysis").mkdir()
    for name in ("home", "tmp"):
        (tmp_path / "scratch" / name).mkdir(parents=True)
    return Rules(
        runtime=Runtime(RuntimeKind.PLAIN, ""),
        program="",
        folder=str(tmp_path / "analysis"),
        run=str(tmp_path),
        label="relance.run=test",
        environment={"LANG": "C.UTF-8"},
        images={WRITTEN: "/usr/bin"},
        hardened=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A socket whose path is longer than a socket's address can be."""
    folder = tmp_path / ("deep-" * 30)
    folder.mkdir()
    standin.install_caller(folder / "broker", [WRITTEN], folder)
    return folder / "broker"


@pytest.fixture
def running(rules: Rules, place: Path, tmp_path: Path) -> Iterator[Broker]:
    environment = {"PATH": os.environ["PATH"]}
    with broker.broking(
        rules, place, environment=environment, left=["touch", str(tmp_path / "left")], log=tmp_path / "log"
    ) as started:
        yield started
    assert (tmp_path / "log").read_text() == ""


def connected(place: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(place.parent, os.O_RDONLY)
    connection.connect(f"/proc/self/fd/{folder}/{place.name}")
    os.close(folder)
    connection.settimeout(30)
    return connection


def asked(place: Path, rules: Rules, text: str, image: str = WRITTEN) -> socket.socket:
    connection = connected(place)
    message = "\0".join([rules.folder, image, "", "bash", "-c", text]).encode()
    connection.sendall(len(message).to_bytes(4, "big") + message)
    return connection


def answer(connection: socket.socket) -> tuple[bytes, bytes, int | None]:
    """Return what came back on both streams, and the status; None if there was none."""
    streams: dict[int, bytes] = {0: b"", 1: b"", 2: b""}
    with connection, connection.makefile("rb") as stream:
        while size := int.from_bytes(stream.read(4), "big"):
            part = stream.read(size)
            streams[part[0]] += part[1:]
    return streams[1], streams[2], int(streams[0]) if streams[0] else None


def test_what_a_job_prints_comes_back_with_its_status(running: Broker, place: Path, rules: Rules) -> None:
    assert answer(asked(place, rules, "echo out; echo err >&2; exit 7")) == (b"out\n", b"err\n", 7)


def test_much_output_arrives_whole(running: Broker, place: Path, rules: Rules) -> None:
    out, _, status = answer(asked(place, rules, "seq 300000"))
    assert (out, status) == (b"".join(b"%d\n" % number for number in range(1, 300001)), 0)


def test_several_jobs_run_at_once(running: Broker, place: Path, rules: Rules) -> None:
    # Each waits for the other: one after the other they would never end.
    first = asked(place, rules, "touch a; while [ ! -e b ]; do sleep 0.05; done; echo 1")
    second = asked(place, rules, "while [ ! -e a ]; do sleep 0.05; done; touch b; echo 2")
    assert (answer(first)[0], answer(second)[0]) == (b"1\n", b"2\n")


def test_an_image_of_nobody_is_refused_and_named(running: Broker, place: Path, rules: Rules) -> None:
    _, said, status = answer(asked(place, rules, "touch made", image="docker://other"))
    assert (status, said) == (
        255,
        b"relance: the image 'docker://other' is none of the capsule's (they are: docker://relance/toy)\n",
    )
    assert not Path(rules.folder, "made").exists()


@pytest.mark.parametrize(
    "data", [b"", b"\0\0", b"\xff\xff\xff\xff", b"\0\0\0\4abc", b"\0\0\0\3abc", b"GET / HTTP/1.1\r\n\r\n" * 9]
)
def test_noise_runs_nothing_and_disturbs_nobody(
    running: Broker, place: Path, rules: Rules, data: bytes
) -> None:
    with connected(place) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1000)
    assert answer(asked(place, rules, "echo still here"))[0] == b"still here\n"


def ended(marker: str) -> bool:
    for _ in range(600):
        lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        if not any(marker in line for line in lines):
            return True
        time.sleep(0.1)
    return False


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


def test_a_job_ends_with_its_caller(running: Broker, place: Path, rules: Rules) -> None:
    connection = asked(place, rules, "touch begun; trap '' TERM; sleep 81.25 & wait; sleep 81.25")
    wait_for(Path(rules.folder, "begun"))
    connection.close()
    assert ended("81.25")


def test_all_jobs_end_with_the_run(running: Broker, place: Path, rules: Rules, tmp_path: Path) -> None:
    callers = [asked(place, rules, f"touch begun{number}; sleep 82.25") for number in range(3)]
    for number in range(3):
        wait_for(Path(rules.folder, f"begun{number}"))
    running.wait()
    assert ended("82.25")
    assert [answer(caller)[2] for caller in callers] == [None] * 3
    assert not (tmp_path / "left").exists()  # the run ended in order: its own container is gone


def test_all_jobs_end_when_relance_is_killed(rules: Rules, place: Path, tmp_path: Path) -> None:
    program = (
        "import sys, time, json\n"
        "from pathlib import Path\n"
        "from relance.engines import broker\n"
        "from relance.engines.jobs import Rules\n"
        "rules = Rules.from_json(json.loads(sys.argv[1]))\n"
        "left = ['touch', sys.argv[3] + '/left']\n"
        "with broker.broking(rules, Path(sys.argv[2]), environment={'PATH': '/usr/bin:/bin'}, left=left,\n"
        "                    log=Path(sys.argv[3], 'log')):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    arguments = [json.dumps(rules.to_json()), str(place), str(tmp_path)]
    with subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE) as relance:
        assert relance.stdout is not None
        assert relance.stdout.readline() == b"ready\n"
        with asked(place, rules, "touch begun; sleep 83.25"):
            wait_for(Path(rules.folder, "begun"))
            relance.send_signal(signal.SIGKILL)
            relance.wait()
            assert ended("83.25")
    wait_for(tmp_path / "left")  # what the caller's container was removed with


def test_the_stand_in_in_a_sandbox_asks_the_broker(running: Broker, rules: Rules, place: Path) -> None:
    program = [str(place.parent / "apptainer")]
    pulled = subprocess.run([*program, "pull", "--name", "x.simg", WRITTEN], cwd=place.parent, check=False)
    assert pulled.returncode == 0
    line = [*program, "exec", "--home", rules.folder, "x.simg", "bash", "-c", "echo $LANG; pwd; exit 5"]
    done = subprocess.run(line, cwd=place.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (5, f"C.UTF-8\n{rules.folder}\n")
    running.wait()
    done = subprocess.run(line, cwd=place.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert done.stderr.startswith("relance: ")


def test_a_stand_in_that_is_interrupted_takes_its_job_along(
    running: Broker, rules: Rules, place: Path
) -> None:
    line = [str(place.parent / "apptainer"), "exec", "--home", rules.folder, WRITTEN, "bash", "-c"]
    with subprocess.Popen([*line, "touch begun; sleep 84.25"], cwd=place.parent) as caller:
        wait_for(Path(rules.folder, "begun"))
        caller.send_signal(signal.SIGINT)
        assert caller.wait() == 130
    assert ended("84.25")


def test_a_job_that_missed_its_first_signal_is_sent_another(
    running: Broker, rules: Rules, place: Path
) -> None:
    text = "trap 'trap \"touch heard; exit\" TERM' TERM; touch begun; while true; do sleep 0.02; done"
    with asked(place, rules, text):
        wait_for(Path(rules.folder, "begun"))
        running.wait()
    assert Path(rules.folder, "heard").exists()
