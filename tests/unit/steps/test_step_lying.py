"""What lies in a folder before a run, as a plan sees it; the graph is written by hand."""

import base64
from pathlib import Path
from typing import Any

import pytest

from relance.digest import of_bytes
from relance.engines.snakemake import RunFolder
from relance.model import RuntimeKind
from relance.recording.build import Effects
from relance.recording.sources import Graph
from relance.steps import situation
from relance.steps.plan import Situation
from relance.steps.situation import Place, Runner

COUNT: dict[str, Any] = {
    "rule": "count",
    "input": ["data.txt"],
    "output": ["count.txt"],
    "log": [],
    "wildcards": {},
    "params": [],
    "benchmark": None,
    "shellcmd": "wc -l < data.txt > count.txt",
    "kind": "shell",
    "image": None,
    "script": None,
    "environment": None,
    "temporary": [],
    "protected": [],
    "directories": [],
    "threads": 1,
    "checkpoint": False,
    "pending": True,
    "reason": "",
    "special": [],
    "needs_snakefile": False,
}


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    folder = tmp_path / "analysis"
    folder.mkdir()
    for name in ("Snakefile", "data.txt", "count.txt"):
        (folder / name).write_text(name)
    return folder


def seen(analysis: Path, **changes: Any) -> Situation:
    graph = Graph(({**COUNT, **changes},), "Snakefile", (), {}, ())
    place = Place(analysis, RunFolder(analysis / ".snakemake/relance/run-1"), graph)
    effects = Effects(analysis.parent / "digests.json", lambda _text: None, lambda _done, _all: None)
    return situation.read(place, Runner(RuntimeKind.PLAIN), effects)


def test_what_lies_there_is_known_by_its_content(analysis: Path) -> None:
    found = seen(analysis)
    assert found.digests == {name: of_bytes(name.encode()) for name in ("data.txt", "count.txt")}
    assert (found.broken, found.targets) == (frozenset(), ("count.txt",))


def test_what_snakemake_holds_for_half_written_is_broken_and_no_result(analysis: Path) -> None:
    folder = analysis / ".snakemake/incomplete"
    folder.mkdir(parents=True)
    (folder / base64.urlsafe_b64encode(b"count.txt").decode()).touch()
    found = seen(analysis)
    assert set(found.digests) == {"data.txt"}
    assert found.broken == {"count.txt"}


@pytest.mark.parametrize("flag", ["pipe", "service"])
def test_a_job_whose_files_are_no_files_is_never_reused(analysis: Path, flag: str) -> None:
    (asked,) = seen(analysis, special=[flag]).jobs
    assert asked.never == f"its files are marked '{flag}'"
    (asked,) = seen(analysis).jobs
    assert asked.never == ""
