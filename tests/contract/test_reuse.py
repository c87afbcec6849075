"""Steps restored from the store in real runs, and run again exactly where something changed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.contract.conftest import ANALYSES, Relance

from relance.cli import record
from relance.steps import entries
from relance.store.store import Store

SOURCES = ("Snakefile", "config.yaml", "data", "envs", "scripts")
RUNTIME = ("--runtime", "plain")


@dataclass(frozen=True)
class Ran:
    """What a run said of itself."""

    result: Any
    said: str

    def of(self, state: str) -> set[str]:
        return {step["name"] for step in self.result["plan"] if step["state"] == state}

    def why(self, name: str) -> str:
        return str(next(step["why"] for step in self.result["plan"] if step["name"] == name))


@dataclass(frozen=True)
class Place:
    """An analysis in a folder, with a store."""

    folder: Path
    store: Path

    def run(self, *arguments: str, status: int = 0) -> Ran:
        done = self.relance("run", *RUNTIME, "--json", *arguments)
        assert done.returncode == status, done.stderr
        return Ran(json.loads(done.stdout), done.stderr)

    def relance(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return Relance(self.folder)(*arguments, env=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"RELANCE_STORE": str(self.store)}

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text)

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def pending(self) -> str:
        """What Snakemake itself would do."""
        command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "--sdm", "apptainer"]
        return subprocess.run(
            [*command, "--nolock"], cwd=self.folder, capture_output=True, text=True, check=True
        ).stdout


def place(folder: Path, store: Path, environments: Path, analysis: str = "reusable") -> Place:
    folder.mkdir(parents=True)
    for name in (path.name for path in (ANALYSES / analysis).iterdir()):
        source = ANALYSES / analysis / name
        if name in SOURCES:
            copy: Callable[..., object] = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, folder / name)
    (folder / ".envs").symlink_to(environments)
    return Place(folder, store)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / "results").rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Place:
    """One run from scratch, whose results the store has."""
    root = tmp_path_factory.mktemp("reuse")
    first = place(root / "original", root / "store", environments)
    ran = first.run()
    assert (ran.result["steps_done"], ran.result["plan"]) == (7, [])
    assert not (first.folder / "results" / "events.txt").exists()
    return first


@pytest.fixture
def elsewhere(original: Place, tmp_path: Path, environments: Path) -> Place:
    """Another folder of the same analysis, with a copy of the store."""
    shutil.copytree(original.store, tmp_path / "store", symlinks=True, dirs_exist_ok=True)
    return place(tmp_path / "elsewhere", tmp_path / "store", environments)


@pytest.fixture
def again(original: Place, tmp_path: Path) -> Place:
    """The folder of the first run, with its results, to change something in."""
    shutil.copytree(original.store, tmp_path / "store", symlinks=True, dirs_exist_ok=True)
    # Times too: they are what Snakemake knows outdated files by.
    shutil.copytree(original.folder, tmp_path / "again", symlinks=True)
    return Place(tmp_path / "again", tmp_path / "store")


def test_another_folder_of_the_same_analysis_restores_all_and_snakemake_agrees(
    original: Place, elsewhere: Place
) -> None:
    ran = elsewhere.run()
    assert "restored 4 steps from the store" in ran.said
    assert (ran.result["steps_total"], ran.result["status"]) == (0, "ok")
    assert ran.of("run") == set()
    expected = files(original.folder)
    assert files(elsewhere.folder) == {
        name: expected[name] for name in expected if not name.startswith(("results/squares", "results/logs"))
    }
    results = elsewhere.folder / "results"
    assert (results / "tables" / "two.txt").readlink() == Path("one.txt")
    assert os.access(results / "tables" / "run.sh", os.X_OK)
    assert (results / "tables" / "empty").is_dir()
    assert (results / "total.txt").stat().st_mode & 0o777 == 0o444
    assert len({path.stat().st_mtime for path in results.glob("*.txt")}) == 1
    assert "Nothing to be done" in elsewhere.pending()
    assert elsewhere.run().result["steps_total"] == 0
    shown = json.loads(elsewhere.relance("runs", "show", "--json").stdout)
    assert {job["status"] for job in shown["jobs"]} == {"not run"}
    # Snakemake's graph has no steps above the restored checkpoint; who captures the run needs them all.
    assert {job["rule"] for job in shown["jobs"]} >= {"generate", "split", "total", "tables", "scripted"}


def test_a_dry_run_says_what_would_be_restored_and_why_the_rest_would_run(elsewhere: Place) -> None:
    elsewhere.replace("Snakefile", "factor=2.0", "factor=3.0")
    done = elsewhere.relance("run", *RUNTIME, "--dry-run")
    assert "tables\n    restored: the store has its results\n" in done.stdout
    assert "scripted\n    why: parameter factor changed: 2.0 → 3.0" in done.stdout
    assert done.stdout.endswith("2 steps would be restored, 2 steps would run\n")
    assert not (elsewhere.folder / "results").exists()
    planned = elsewhere.run("--dry-run").result["planned"]
    assert [step["rule"] for step in planned] == ["scripted", "total"]


def test_editing_an_undeclared_imported_module_reruns_its_job_and_those_behind_it(again: Place) -> None:
    assert again.run().result["steps_total"] == 0
    again.write("scripts/shapes/scaled.py", "def number(value, scale):\n    return value + scale\n")
    # The checkpoint is done: Snakemake's graph doesn't have the jobs above it any more.
    dry = again.run("--dry-run")
    assert dry.why("the step that makes results/parts").startswith("code scripts/shapes/scaled.py changed")
    ran = again.run()
    assert (again.folder / "results" / "total.txt").read_text() == "9+16\n", ran
    assert {"scripted", "tables"} <= ran.of("reuse")


def test_editing_it_elsewhere_reruns_what_depends_on_it_and_restores_the_rest(elsewhere: Place) -> None:
    elsewhere.write("scripts/shapes/scaled.py", "def number(value, scale):\n    return value + scale\n")
    ran = elsewhere.run()
    assert (elsewhere.folder / "results" / "total.txt").read_text() == "9+16\n"
    assert ran.of("run") == {"generate", "split", "total"}
    assert ran.of("restore") == {"scripted", "tables"}
    assert ran.why("generate") == "code scripts/shapes/scaled.py changed"
    assert ran.why("split") == "input results/events.txt is made by a step that runs"


def test_editing_an_unrelated_module_reruns_nothing(again: Place, elsewhere: Place) -> None:
    for one in (again, elsewhere):
        one.write("scripts/unrelated.py", "print('another text')\n")
        assert one.run().result["steps_total"] == 0


def test_a_changed_configuration_runs_what_it_reaches_and_the_former_is_restored(again: Place) -> None:
    ran = again.run("--set", "scale=10")
    assert (again.folder / "results" / "total.txt").read_text() == "400+900\n"
    assert {"generate", "split", "total", "scripted"} <= ran.of("run")
    assert ran.of("restore") == set()
    assert "tables" in ran.of("reuse")
    assert ran.why("generate") == "parameter scale changed: 1 → 10"
    back = again.run()
    assert back.result["steps_total"] == 0, back
    assert (again.folder / "results" / "total.txt").read_text() == "4+9\n"
    assert (again.folder / "results" / "scripted.txt").read_text() == "2.0 1\n"
    # The checkpoint's results were restored, so that Snakemake knows nothing of their parameters.
    dry = again.run("--dry-run", "--set", "scale=10")
    assert dry.why("the step that makes results/parts").startswith(
        "it was restored for another configuration"
    )
    forth = again.run("--set", "scale=10")
    assert (again.folder / "results" / "total.txt").read_text() == "400+900\n", forth
    assert forth.of("run") <= {"total"}
    once_more = again.run("--set", "scale=10")
    assert once_more.result["steps_total"] == 0, once_more
    recorded = json.loads(record.last(again.folder, quiet=True).read_text())
    assert recorded["run"]["configuration"]["scale"] == 10, "a capture takes the record of a run with no step"


def test_a_changed_input_runs_what_reads_it(again: Place) -> None:
    time.sleep(0.1)
    again.write("data/seed.txt", "5\n")
    ran = again.run()
    assert (again.folder / "results" / "total.txt").read_text() == "25\n"
    assert (again.folder / "results" / "tables" / "one.txt").read_text() == "5\n"
    assert ran.why("tables") == "input data/seed.txt changed"


def test_another_environment_of_locked_packages_is_another_image(elsewhere: Place) -> None:
    lock = elsewhere.folder / "envs" / "toy.txt"
    lock.write_text(lock.read_text() + "\n# another lock\n")
    ran = elsewhere.run("--dry-run")
    assert ran.of("restore") == set()
    assert ran.why("tables").startswith("image changed: ")


def test_what_is_kept_by_no_reuse_is_neither_restored_nor_remembered(
    tmp_path: Path, environments: Path
) -> None:
    toy = place(tmp_path / "toy", tmp_path / "store", environments, "toy")
    assert toy.run("--no-reuse").result["steps_done"] == 2
    assert entries.empty(Store(toy.store))
    assert toy.run("--keep", "none", "--", "--forcerun", "shout").result["steps_done"] == 1
    other = place(tmp_path / "other", tmp_path / "store", environments, "toy")
    ran = other.run()
    assert (ran.of("restore"), ran.result["steps_done"]) == (set(), 2)


def test_two_analyses_share_what_is_the_same_in_both(elsewhere: Place) -> None:
    shell = (ANALYSES / "reusable" / "Snakefile").read_text().split("rule tables:")[1].split("\n\n")[0]
    elsewhere.write("Snakefile", f"IMAGE = 'docker://relance/toy'\n\n\nrule table:{shell}\n")
    ran = elsewhere.run()
    assert ran.of("restore") == {"table"}
    assert (elsewhere.folder / "results" / "tables" / "one.txt").read_text() == "2\n3\n"


def test_an_interrupted_run_goes_on_in_another_folder(tmp_path: Path, environments: Path) -> None:
    first = place(tmp_path / "first", tmp_path / "store", environments)
    command = Relance(first.folder).command("run", *RUNTIME, "--set", "pause=60")
    with subprocess.Popen(
        command, cwd=first.folder, env=first.environment, stderr=subprocess.PIPE, text=True
    ) as running:
        while not (first.folder / ".snakemake" / "metadata").exists() or not any(_asleep(running)):
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGTERM)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 143, told
    second = place(tmp_path / "second", tmp_path / "store", environments)
    ran = second.run("--dry-run", "--set", "pause=60")
    assert {"split"} <= ran.of("restore")
    done = second.run("--set", "pause=0")
    assert "total" in done.of("run")
    assert "generate" not in done.of("run")
    assert (second.folder / "results" / "total.txt").read_text() == "4+9\n"


def _asleep(running: "subprocess.Popen[str]") -> Iterator[bool]:
    import psutil

    for process in psutil.Process(running.pid).children(recursive=True):
        try:
            yield process.cmdline() == ["sleep", "60"]
        except psutil.Error:
            continue


def test_a_damaged_store_is_told_and_the_step_runs(elsewhere: Place) -> None:
    for blob in (elsewhere.store / "content" / "blobs" / "sha256").iterdir():
        if blob.read_bytes() == b"2.0 1\n":
            blob.chmod(0o644)
            blob.write_bytes(b"9.0 1\n")
    ran = elsewhere.run()
    assert "not restored, so its step runs: results/scripted.txt" in ran.said
    assert (elsewhere.folder / "results" / "scripted.txt").read_text() == "2.0 1\n"


def test_a_file_that_somebody_made_by_hand_is_left_alone(elsewhere: Place) -> None:
    (elsewhere.folder / "results").mkdir()
    elsewhere.write("results/scripted.txt", "by hand\n")
    elsewhere.run("--", "results/scripted.txt")
    assert (elsewhere.folder / "results" / "scripted.txt").read_text() == "by hand\n"
