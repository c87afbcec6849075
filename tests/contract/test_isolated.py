"""A workflow that isn't trusted, in real containers: it runs, and finds nothing of the machine."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from tests.contract.conftest import ANALYSES, Relance, containers_of, say

from relance.engines.base import Watch
from relance.engines.isolated import preparing
from relance.engines.isolated.engine import IsolatedEngine
from relance.engines.sandbox.kinds import BubblewrapSandbox
from relance.errors import MissingPartError
from relance.model import Digest, ImageRef, RunRequest, RunResult, RunStatus, RuntimeKind

pytestmark = pytest.mark.container

ENGINES = (RuntimeKind.APPTAINER, RuntimeKind.PODMAN, RuntimeKind.DOCKER)
TOKEN = "relance-test-token-5d1f"  # noqa: S105 - it opens nothing
WRITTEN = "docker://relance/toy"
MARKER = "86123.5"  # seconds that nobody else sleeps


@pytest.fixture(scope="session")
def runtime_image(root_filesystem: Path) -> Path:
    path = root_filesystem.with_name("isolated.sqsh")
    say("mksquashfs", root_filesystem, path, "-all-root", "-quiet", "-no-progress")
    return path


@pytest.fixture
def images(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    root_filesystem: Path,
    runtime_image: Path,
) -> Iterator[Callable[[RuntimeKind], tuple[ImageRef, ...]]]:
    """Makes the image of the toy ready for an engine."""
    imported: list[tuple[str, str]] = []

    def ready(kind: RuntimeKind) -> tuple[ImageRef, ...]:
        config = "sha256:" + "0" * 64
        if kind is RuntimeKind.DOCKER:
            monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("docker_host"))
        if kind is not RuntimeKind.APPTAINER:
            tar = root_filesystem.with_name(f"isolated-{kind}.tar")
            say("tar", "-C", root_filesystem, "--owner=0", "--group=0", "-cf", tar, ".")
            path = ["--change", "ENV PATH=/usr/bin:/bin", "--change", 'ENTRYPOINT ["/bin/false"]']
            config = say(kind.value, "import", *path, tar)
            imported.append((kind.value, config))
        return (ImageRef("toy", (WRITTEN,), Digest(config), runtime_image),)

    yield ready
    for program, image in imported:
        subprocess.run([program, "rmi", "--force", image], capture_output=True, check=False)


@dataclass(frozen=True)
class Bench:
    """An analysis in a work folder, and the engine to run it."""

    folder: Path
    engine: IsolatedEngine

    @property
    def analysis(self) -> Path:
        return self.folder / "analysis"

    def run(self, stop: Callable[[], signal.Signals | None] = lambda: None, **settings: object) -> RunResult:
        request = RunRequest(self.analysis, cores=2, settings=settings)
        return self.engine.run(request, Watch(lambda _: None, stop))


@pytest.fixture
def bench(
    tmp_path: Path,
    images: Callable[[RuntimeKind], tuple[ImageRef, ...]],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Callable[[str, RuntimeKind], Bench]:
    def make(name: str, kind: RuntimeKind) -> Bench:
        if kind is RuntimeKind.DOCKER:
            monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("docker_host"))
        folder = tmp_path / "work"
        ignored = shutil.ignore_patterns(".snakemake", "__pycache__")
        shutil.copytree(ANALYSES / name, folder / "analysis", ignore=ignored)
        outer = {
            **os.environ,
            "SECRET_TOKEN": TOKEN,
            "APPTAINERENV_LEAK": TOKEN,
            "SINGULARITYENV_LEAK": TOKEN,
        }
        engine = preparing.prepare(
            images, folder / "runs", wanted=kind, trusted=False, outer=outer, say=lambda _: None
        )
        assert engine.sandbox.kind is kind
        return Bench(folder, engine)

    return make


def files(folder: Path) -> dict[str, str]:
    results = folder / "results"
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in results.rglob("*.txt")
        if path.name != "environment.txt"
    }


@pytest.mark.parametrize("kind", ENGINES)
def test_the_toy_gives_the_same_products_as_without_a_sandbox(
    bench: Callable[[str, RuntimeKind], Bench],
    analysis: Callable[[str], Relance],
    runtime_image: Path,
    kind: RuntimeKind,
) -> None:
    isolated_toy = bench("toy", kind)
    result = isolated_toy.run()
    assert (result.status, result.message, result.steps_done) == (RunStatus.OK, "", 2)
    assert result.uncontained == ()
    local = analysis("toy")
    (local.folder / "containers").mkdir()
    nothing = "sha256:" + "0" * 64
    (local.folder / "containers" / "images.local.yaml").write_text(
        f"version: 1\nimages:\n  toy:\n    config: {nothing}\n    key: {nothing}\n    manifest: {nothing}\n"
        f"    base: {nothing}\n    builder: podman\n    reference: localhost/relance/toy:0\n"
        f"    runtime: {{path: {runtime_image}, digest: '{nothing}', size: 1}}\n"
    )
    done = local("run", "--runtime", "apptainer", "-q")
    assert done.returncode == 0, done.stderr
    ours, theirs = files(isolated_toy.analysis), files(local.folder)
    assert ours == theirs
    assert set(ours) == {"greeting.txt", "shout.txt"}
    if kind is RuntimeKind.APPTAINER:  # each engine tells of itself in variables of its own
        variables = [
            set((folder / "results" / "environment.txt").read_text().split()) - {"TERM"}
            for folder in (isolated_toy.analysis, local.folder)
        ]
        assert variables[0] == variables[1]


@pytest.fixture
def listening() -> Iterator[dict[str, object]]:
    """Servers of this machine that nothing in a sandbox may reach."""
    name = f"relance-test-{os.getpid()}"
    reached = []
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as abstract,
    ):
        abstract.bind(f"\0{name}")
        abstract.listen()

        def accept() -> None:
            try:
                while True:
                    server.accept()
                    reached.append(True)
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield {"port": server.getsockname()[1], "abstract": name}
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert not reached


@pytest.mark.parametrize("kind", ENGINES)
def test_a_hostile_workflow_finds_nothing_of_the_machine(
    bench: Callable[[str, RuntimeKind], Bench],
    listening: dict[str, object],
    tmp_path: Path,
    kind: RuntimeKind,
) -> None:
    attack(bench("hostile", kind), listening, tmp_path)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed; others are tested")
def test_a_hostile_workflow_finds_nothing_from_within_bubblewrap(
    bench: Callable[[str, RuntimeKind], Bench], listening: dict[str, object], tmp_path: Path
) -> None:
    hostile = bench("hostile", RuntimeKind.APPTAINER)
    engine = replace(hostile.engine, sandbox=BubblewrapSandbox())
    attack(replace(hostile, engine=engine), listening, tmp_path)


def attack(hostile: Bench, listening: dict[str, object], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    secret = home / "token"
    secret.write_text(TOKEN)
    target = tmp_path / "precious.txt"
    target.write_text("untouched")
    with (
        subprocess.Popen(["sleep", MARKER]) as stranger,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server,
    ):
        server.bind(str(home / "socket"))
        server.listen()
        settings = {
            **listening,
            "home": str(home),
            "secret": str(secret),
            "target": str(target),
            "socket": str(home / "socket"),
            "pid": stranger.pid,
            "marker": MARKER,
            "token": TOKEN,
        }
        (hostile.analysis / "token.txt").write_text(f"{TOKEN}\n")
        (hostile.analysis / "config.json").write_text(json.dumps(settings))
        result = hostile.run()
        stranger.terminate()
    assert (result.status, result.message) == (RunStatus.OK, "")
    seen = hostile.analysis / "seen"
    for stage in ("parsing", "rule"):
        attempts = json.loads((seen / f"{stage}.json").read_text())
        assert len(attempts) > 15
        assert {name: said for name, said in attempts.items() if not said.startswith("nothing")} == {}
    assert (seen / "job.txt").read_text() == "begun\nended\n"
    assert target.read_text() == "untouched"

    names = {path.name for path in hostile.analysis.iterdir()}
    assert not {"products", "key", "pipe", "device", "late"} & names
    assert "removed 'products'" in (result.record / "console.log").read_text()
    (hostile.analysis / "alive").unlink()
    time.sleep(1)  # whatever outlives its run would show itself now, five times a second
    assert not (hostile.analysis / "alive").exists()
    assert not os.path.lexists(hostile.analysis / "late")


@pytest.mark.parametrize("kind", ENGINES)
def test_an_interrupted_run_leaves_no_container_and_no_process(
    bench: Callable[[str, RuntimeKind], Bench], kind: RuntimeKind
) -> None:
    toy = bench("toy", kind)
    half = toy.analysis / "results" / "greeting.txt"
    result = toy.run(stop=lambda: signal.SIGINT if half.exists() else None, pause=61.5)
    assert result.status is RunStatus.INTERRUPTED
    assert not half.exists()
    assert not list(toy.analysis.glob(".snakemake/locks/*"))
    assert _soon_gone(kind, toy.analysis, "61.5")
    assert toy.run().status is RunStatus.OK


def _line(process: psutil.Process) -> list[str]:
    return process.info["cmdline"] or []


KILLED = """
import os, sys
from pathlib import Path
from relance.engines.isolated import preparing
from relance.engines.base import Watch
from relance.model import Digest, ImageRef, RunRequest, RuntimeKind

work, kind, config, file = Path(sys.argv[1]), RuntimeKind(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
image = ImageRef("toy", ("docker://relance/toy",), Digest(config), file)
engine = preparing.prepare(
    lambda _: (image,), work / "runs", wanted=kind, trusted=False, outer=os.environ, say=print
)
request = RunRequest(work / "analysis", settings={"pause": 62.5})
engine.run(request, Watch(lambda _: None, lambda: None))
"""


@pytest.mark.parametrize("kind", [RuntimeKind.APPTAINER, RuntimeKind.PODMAN])
def test_a_killed_relance_leaves_no_container_and_no_process(
    bench: Callable[[str, RuntimeKind], Bench], kind: RuntimeKind
) -> None:
    toy = bench("toy", kind)
    (image,) = toy.engine.images
    half = toy.analysis / "results" / "greeting.txt"
    arguments = [str(toy.folder), kind.value, str(image.config), str(image.runtime_path)]
    with subprocess.Popen([sys.executable, "-c", KILLED, *arguments]) as running:
        while not half.exists():
            assert running.poll() is None
            time.sleep(0.05)
        running.kill()
    assert _soon_gone(kind, toy.analysis, "62.5")
    assert toy.run().status is RunStatus.OK


def _soon_gone(kind: RuntimeKind, analysis: Path, pause: str) -> bool:
    """Whether all containers and processes of a run end; the kernel takes a moment to end what is killed."""
    deadline = time.monotonic() + 60
    while not _gone(kind, analysis, pause):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _gone(kind: RuntimeKind, analysis: Path, pause: str) -> bool:
    lines = [" ".join(_line(process)) for process in psutil.process_iter(["cmdline"])]
    left = [line for line in lines if str(analysis.parent) in line or f"sleep {pause}" in line]
    return not left and (kind is RuntimeKind.APPTAINER or containers_of(kind.value, analysis) == "")


@pytest.mark.parametrize("kind", ENGINES)
def test_a_run_that_was_started_but_is_not_needed_leaves_nothing(
    bench: Callable[[str, RuntimeKind], Bench], kind: RuntimeKind
) -> None:
    toy = bench("toy", kind)
    before = sorted(toy.analysis.rglob("*"))
    with toy.engine.starting(RunRequest(toy.analysis)) as start:
        name = start.call.name
        assert start.child.process.poll() is None
    assert sorted(toy.analysis.rglob("*")) == before
    assert list(toy.engine.runs.iterdir()) == []
    assert start.child.process.poll() is not None
    if kind is not RuntimeKind.APPTAINER:
        listed = say(kind.value, "ps", "--all", "--format", "{{.Names}}")
        assert name not in listed.split()


def test_a_failed_job_is_told_as_in_any_run(bench: Callable[[str, RuntimeKind], Bench]) -> None:
    toy = bench("toy", RuntimeKind.APPTAINER)
    snakefile = toy.analysis / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("tr a-z A-Z", "exit 7; tr a-z A-Z"))
    result = toy.run()
    assert (result.status, [step.rule for step in result.failed]) == (RunStatus.FAILED, ["shout"])
    assert "exit status 7" in (result.record / "events.jsonl").read_text()


def test_an_image_that_is_none_of_the_capsules_is_refused_and_named(
    bench: Callable[[str, RuntimeKind], Bench],
) -> None:
    toy = bench("toy", RuntimeKind.APPTAINER)
    snakefile = toy.analysis / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace(WRITTEN, "docker://library/debian"))
    result = toy.run()
    assert result.status is RunStatus.REFUSED
    assert "docker://library/debian' is not known" in result.message
    assert WRITTEN in result.message


def test_events_that_snakemake_did_not_write_end_the_run(bench: Callable[[str, RuntimeKind], Bench]) -> None:
    toy = bench("toy", RuntimeKind.APPTAINER)
    snakefile = toy.analysis / "Snakefile"
    forged = "import glob, time\nwith open(glob.glob('../runs/run-*/events.jsonl')[0], 'a') as s:\n    "
    forged += "s.write('[' * 100000 + '\\n')\ntime.sleep(60)\n"
    snakefile.write_text(forged + snakefile.read_text())
    with pytest.raises(Exception, match="nothing can be told of the run"):
        toy.run()


def test_nothing_that_a_workflow_says_steers_the_terminal(bench: Callable[[str, RuntimeKind], Bench]) -> None:
    toy = bench("toy", RuntimeKind.APPTAINER)
    snakefile = toy.analysis / "Snakefile"
    snakefile.write_text(
        "from snakemake.exceptions import WorkflowError\nraise WorkflowError('a\\x1b]0;b')\n"
    )
    result = toy.run()
    assert (result.status, "\x1b" in result.message) == (RunStatus.REFUSED, False)
    assert "a\ufffd]0;b" in result.message


def test_plain_processes_are_refused_to_what_is_not_trusted(
    tmp_path: Path, images: Callable[[RuntimeKind], tuple[ImageRef, ...]]
) -> None:
    with pytest.raises(MissingPartError) as raised:
        preparing.prepare(
            images, tmp_path, wanted=RuntimeKind.PLAIN, trusted=False, outer=os.environ, say=lambda _: None
        )
    assert "--trust" in raised.value.next_step
