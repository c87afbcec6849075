"""A small analysis to run, and `relance` as users run it: in a process of its own."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ANALYSES = Path(__file__).parents[1] / "analyses"
MACHINE = Path(__file__).parents[1] / "machine"
PROGRAMS = ("bash", "cat", "cut", "env", "id", "mkdir", "sed", "seq", "sleep", "sort", "tee", "touch", "tr")


def say(*command: str | Path, **options: object) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout.strip()


def containers_of(engine: str, folder: Path, **options: object) -> str:
    """The containers, running or not, that have an analysis's folder: other tests' are there, too."""
    return say(engine, "ps", "--all", "--quiet", "--filter", f"volume={folder}", **options)


@dataclass(frozen=True)
class Relance:
    """The command `relance`, called in one folder."""

    folder: Path

    def __call__(self, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments), cwd=self.folder, capture_output=True, text=True, check=False, **options
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "relance", *arguments]

    def start(self, *arguments: str, **options: object) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, stdout=pipe, stderr=pipe, text=True, **options
        )


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the environments of all analyses of a test session: each is made once."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def analysis(tmp_path: Path, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Relance]:
    """Copies an analysis of tests/analyses and returns the command in it; the test has a store of its own."""
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))

    def copy(name: str) -> Relance:
        folder = tmp_path / name
        shutil.copytree(ANALYSES / name, folder)
        (folder / ".envs").symlink_to(environments)
        return Relance(folder)

    return copy


@pytest.fixture
def toy(analysis: Callable[[str], Relance]) -> Iterator[Relance]:
    yield analysis("toy")


@pytest.fixture(scope="session")
def root_filesystem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest root that the analyses can run in: this machine's bash and a few programs."""
    root = tmp_path_factory.mktemp("image") / "root"
    for name in ("usr/bin", "tmp", "proc", "sys", "dev", "etc", "home", "run"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/bin/sh").symlink_to("bash")
    for name in PROGRAMS:
        program = shutil.which(name)
        assert program is not None, name
        shutil.copy(program, root / "usr/bin" / name)
        for library in re.findall(r"/\S+", say("ldd", program)):
            if not library.endswith(":"):
                copy = root / library.removeprefix("/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, copy)
    return root


@pytest.fixture(scope="session")
def busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root that has busybox and nothing else, as many small images do: no bash."""
    root = tmp_path_factory.mktemp("busybox") / "root"
    for name in ("bin", "tmp", "proc", "sys", "dev", "etc", "home", "run"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    program = shutil.which("busybox")
    assert program is not None
    shutil.copy(program, root / "bin/busybox")
    for name in say(program, "--list").split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    return root


@pytest.fixture(scope="session")
def docker_host() -> Iterator[str]:
    """A Docker daemon of these tests' own, which leaves a mount behind that would block pytest's cleaning."""
    folder = Path(tempfile.mkdtemp(prefix="relance-docker-"))
    yield say(MACHINE / "dockerd.sh", "start", folder)
    say(MACHINE / "dockerd.sh", "stop", folder)
    subprocess.run(["umount", folder / "exec" / "netns" / "default"], capture_output=True, check=False)
    shutil.rmtree(folder)
