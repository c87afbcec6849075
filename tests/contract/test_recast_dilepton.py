"""The dilepton analysis, tiny, recast from its capsule: the signal alone runs, to the bits of a full run."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.container]

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflows", "containers", "envs", "specs")
BUILT = "containers/images.local.yaml"
RESULT = "results/tiny/fit/result.json"
TINY = ("--config", "tiny", "--runtime", "apptainer", "--cores", "2", "-q")
ALWAYS = ("--runtime", "apptainer", "--cores", "2", "-q")
SIGNAL = {
    "generate part=0 sample=signal stream=templates",
    "reduce part=0 sample=signal stream=templates",
    "histogram sample=signal",
    "fit",
}


@pytest.fixture(scope="module")
def relance(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The command, with a store that knows nothing at first."""
    store = tmp_path_factory.mktemp("store")

    def call(*arguments: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "relance", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "RELANCE_STORE": str(store)},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    def copy(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name) / "clone"
        for part in PARTS:
            if (ROOT / part).is_dir():
                left_out = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / part, folder / part, ignore=left_out)
            else:
                folder.mkdir(exist_ok=True)
                shutil.copy(ROOT / part, folder / part)
        return folder

    return copy


@pytest.fixture(scope="module")
def capsule(relance: Callable[..., str], clone: Callable[[str], Path], tmp_path_factory) -> Path:
    """One file, as it comes to somebody else's machine."""
    folder = clone("original")
    for name, image in yaml.safe_load((folder / BUILT).read_text("utf-8"))["images"].items():
        store = Path(image["runtime"]["path"]).parents[2]
        kept = f"{name}/{image['config'].removeprefix('sha256:')[:12]}"
        relance("images", "import", f"oci:{store / 'content'}:{kept}", "--name", name, "-q")
    tar = tmp_path_factory.mktemp("capsule") / "dilepton.tar"
    relance("run", folder, *TINY)
    relance("capture", folder, "-o", tar, "-q")
    shutil.rmtree(folder)
    return tar


@pytest.fixture(scope="module")
def heavy(relance: Callable[..., str], clone: Callable[[str], Path]) -> Path:
    """A full run from scratch with another mass."""
    folder = clone("heavy")
    relance("run", folder, *TINY, "--set", "signal.mass=2500.0", "--no-reuse")
    return folder


def ran(folder: Path) -> set[str]:
    record = json.loads((folder / "recast.json").read_text("utf-8"))
    return {job["name"] for job in record["jobs"] if job["state"] == "run"}


def assert_same(recast: Path, full: Path) -> None:
    """All that the recast has, it has bit for bit; among that the limit."""
    analysis = recast / "work/analysis"
    made = [path for path in sorted((analysis / "results").rglob("*")) if path.is_file()]
    names = [str(path.relative_to(analysis)) for path in made if path.name != ".snakemake_timestamp"]
    assert RESULT in names
    for name in names:
        digests = {hashlib.sha256((folder / name).read_bytes()).hexdigest() for folder in (analysis, full)}
        assert len(digests) == 1, name


def test_another_mass_runs_the_path_of_the_signal_and_gives_the_limit_of_a_full_run(
    relance: Callable[..., str], capsule: Path, heavy: Path, tmp_path: Path
) -> None:
    relance("recast", capsule, "--set", "signal.mass=2.5 TeV", "-o", tmp_path / "recast", *ALWAYS)
    assert ran(tmp_path / "recast") == SIGNAL
    assert_same(tmp_path / "recast", heavy)


def test_given_events_run_what_reads_them_and_give_the_limit_of_a_full_run(
    relance: Callable[..., str], capsule: Path, heavy: Path, tmp_path: Path
) -> None:
    """The events are those that the full run made on its way: given as a file, they lead to the same."""
    events = tmp_path / "theirs.hepmc.gz"
    shutil.copy(heavy / "results/tiny/generation/templates/signal.0.hepmc.gz", events)
    relance("recast", capsule, "--input", f"signal={events}", "-o", tmp_path / "recast", *ALWAYS)
    assert ran(tmp_path / "recast") == SIGNAL - {"generate part=0 sample=signal stream=templates"}
    assert_same(tmp_path / "recast", heavy)
