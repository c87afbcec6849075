"""Servers of each generation, analyses to submit, and `relance reana` as users type it."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from relance.cli import run_command_line

from .server import TOKEN, Generation, Standin, serving

REMOTE = Path(__file__).parents[2] / "analyses" / "remote"
SERIAL = {
    "inputs": {"files": ["data/one.txt"], "parameters": {"word": "hello", "times": 2}},
    "workflow": {
        "type": "serial",
        "specification": {
            "steps": [
                {"name": "first", "environment": "docker://bash:5", "commands": ["echo ${word} > one.txt"]},
                {
                    "name": "second",
                    "environment": "docker://bash:5",
                    "commands": ["cat data/one.txt one.txt > out.txt"],
                },
            ]
        },
    },
    "outputs": {"files": ["out.txt"]},
}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("REANA_ACCESS_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Callable[..., Said]]:
    """`relance reana …` in this process; whatever it says or keeps, the token isn't in it."""
    told: list[str] = []

    def called(*arguments: str) -> Said:
        code = run_command_line(["reana", *arguments])
        out, err = capsys.readouterr()
        told.append(out + err)
        return Said(code, out, err)

    yield called
    assert all(TOKEN not in text for text in told)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path


def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generation: Generation) -> Iterator[Standin]:
    with serving(tmp_path / "server", generation) as state:
        monkeypatch.setenv("REANA_SERVER_URL", state.address)
        yield state
        assert state.violations == []


@pytest.fixture(params=list(Generation), ids=lambda one: one.name.lower())
def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Standin]:
    yield from served(tmp_path, monkeypatch, request.param)


@pytest.fixture
def newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    yield from served(tmp_path, monkeypatch, Generation.BEARER)


@pytest.fixture
def oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    yield from served(tmp_path, monkeypatch, Generation.JSON)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    shutil.copytree(REMOTE, tmp_path / "remote", ignore=shutil.ignore_patterns(".snakemake"))
    return tmp_path / "remote"


@pytest.fixture
def serial(tmp_path: Path) -> Callable[..., str]:
    def made(**commands: str) -> str:
        folder = tmp_path / "serial"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "data/one.txt").write_text("one\n")
        content = json.loads(json.dumps(SERIAL))
        for step in content["workflow"]["specification"]["steps"]:
            step["commands"] = [commands.get(step["name"], step["commands"][0])]
        (folder / "reana.yaml").write_text(yaml.safe_dump(content))
        return str(folder)

    return made
