"""The dilepton analysis from end to end, tiny, in every runtime and under both generations of Snakemake."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from relance.engines.snakemake import JOB_ENVIRONMENT

from .reana.server import HERE, TOKEN, Engine, Generation, serving

pytestmark = [pytest.mark.slow, pytest.mark.container]

ROOT = Path(__file__).parents[2]
MACHINE = ROOT / "tests/machine"
PARTS = ("Snakefile", "reana.yaml", "workflows", "containers", "envs", "specs")
TINY = ("--configfile", "workflows/dilepton/config/tiny.yaml")
LIMIT = "results/tiny/fit/result.json"


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone has, with the images built on this machine, as it is when the tests begin."""
    folder = tmp_path_factory.mktemp("original")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    (ROOT / ".envs").mkdir(exist_ok=True)
    (folder / ".envs").symlink_to(ROOT / ".envs")
    return folder


@pytest.fixture(scope="session")
def clone(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Copies the original, for a run of its own."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(original, tmp_path_factory.mktemp(name) / "clone", symlinks=True))

    return copy


@pytest.fixture(scope="session")
def docker_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("dockerd")
    started = subprocess.run(
        [MACHINE / "dockerd.sh", "start", folder], capture_output=True, text=True, check=True
    )
    yield started.stdout.strip()
    subprocess.run([MACHINE / "dockerd.sh", "stop", folder], check=True)


def call(folder: Path, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def relance(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return call(folder, sys.executable, "-m", "relance", *arguments, **environment)


def products(folder: Path) -> Mapping[str, str]:
    """Every file of the run and its sha256, logs too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "results/tiny").rglob("*"))
        if path.is_file()
    }


def observed_limit(folder: Path) -> float:
    result = json.loads((folder / LIMIT).read_text("utf-8"))
    return float(result["limits"]["cross_section"]["observed"])


def assert_same(plain: Path, contained: Path) -> None:
    """Bit for bit with the same C library and Python, else the limit within 1e-3 (docs/running.md)."""
    images = yaml.safe_load((contained / "containers/images.local.yaml").read_text("utf-8"))["images"]
    asked = "import platform, sys; print(*platform.libc_ver(), *sys.version_info[:2])"
    runtime = images["analysis"]["runtime"]["path"]
    inside = call(contained, "apptainer", "exec", "--containall", runtime, "python", "-c", asked).stdout
    outside = call(plain, sys.executable, "-c", asked).stdout
    if inside == outside:
        assert products(plain) == products(contained)
    else:
        assert observed_limit(plain) == pytest.approx(observed_limit(contained), rel=1e-3)


@pytest.fixture(scope="session")
def in_apptainer(clone: Callable[[str], Path]) -> Path:
    """The run that the others are compared with."""
    folder = clone("apptainer")
    options = ("--config", "tiny", "--runtime", "apptainer", "--cores", "2", "--json", "--no-reuse")
    done = relance(folder, "run", *options)
    assert json.loads(done.stdout)["runtime"] == "apptainer"
    return folder


def test_the_result_has_every_product(in_apptainer: Path) -> None:
    made = products(in_apptainer)
    for name in ("workspace.json", "result.json", "limits.txt"):
        assert f"results/tiny/fit/{name}" in made
    assert sum(name.endswith(".png") for name in made) >= 7
    assert not any(".unfinished" in name for name in made)


@pytest.mark.parametrize("runtime", ["podman", "docker"])
def test_every_engine_gives_the_same_files(
    runtime: str, in_apptainer: Path, clone: Callable[[str], Path], request: pytest.FixtureRequest
) -> None:
    folder = clone(runtime)
    environment = {}
    if runtime == "docker":
        environment["DOCKER_HOST"] = request.getfixturevalue("docker_host")
        relance(folder, "images", "load", "docker", **environment)
    options = ("--config", "tiny", "--runtime", runtime, "--cores", "2", "--json", "--no-reuse")
    done = relance(folder, "run", *options, **environment)
    assert json.loads(done.stdout)["runtime"] == runtime
    assert products(folder) == products(in_apptainer)


def test_a_given_hepmc_file_runs_the_path_of_the_signal_alone(in_apptainer: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    shutil.copytree(in_apptainer, folder, symlinks=True)
    events = folder / "results/tiny/generation/templates/signal.0.hepmc.gz"
    events.replace(folder / "theirs.hepmc.gz")
    given = ("--config", "tiny", "--set", "signal.hepmc=theirs.hepmc.gz", "--cores", "2", "--json")
    done = json.loads(relance(folder, "run", *given, "--runtime", "apptainer", "--no-reuse").stdout)
    assert done["steps_done"] == 3  # reduce, histogram, fit
    # The reduction's seed follows from the sample, so the same events give the same limit.
    assert observed_limit(folder) == observed_limit(in_apptainer)


def test_bare_snakemake_with_singularity_finds_the_same_limit(
    in_apptainer: Path, clone: Callable[[str], Path]
) -> None:
    folder = clone("bare")
    call(folder, sys.executable, "-m", "snakemake", "--cores", "2", "--use-singularity", *TINY)
    # Apptainer passes the caller's environment on, which may choose other kernels for linear algebra.
    assert observed_limit(folder) == pytest.approx(observed_limit(in_apptainer), rel=1e-4)
    ours, theirs = products(in_apptainer), products(folder)
    assert [name for name in ours if "/fit" not in name and ours[name] != theirs.get(name)] == []


def test_snakemake_7_runs_the_same_snakefile(in_apptainer: Path, clone: Callable[[str], Path]) -> None:
    folder = clone("snakemake7")
    program = call(folder, str(MACHINE / "snakemake7.sh")).stdout.strip()
    call(folder, program, "--cores", "2", "--use-singularity", *TINY)
    assert observed_limit(folder) == pytest.approx(observed_limit(in_apptainer), rel=1e-4)
    ours, theirs = products(in_apptainer), products(folder)
    assert [name for name in ours if "/fit" not in name and ours[name] != theirs.get(name)] == []


def test_plain_processes_of_an_ordinary_user_give_the_same_files(
    in_apptainer: Path, clone: Callable[[str], Path]
) -> None:
    """Uid 1000 without any capability, and no container engine; environments that are missing are made."""
    folder = clone("plain")
    unprivileged = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    who = call(folder, *unprivileged, "sh", "-c", "id -u; grep CapEff /proc/self/status").stdout.split()
    assert who[0] != "0"
    assert int(who[-1], 16) == 0
    options = ("--config", "tiny", "--runtime", "plain", "--cores", "2", "--json", "--no-reuse")
    done = call(folder, *unprivileged, sys.executable, "-m", "relance", "run", *options)
    assert json.loads(done.stdout)["runtime"] == "plain"
    assert_same(folder, in_apptainer)


@pytest.fixture(scope="session")
def on_servers(
    clone: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[Generation, Path]:
    """What comes back from a server of each generation; each runs everything itself, all at once."""
    folder = clone("reana")
    seven = call(folder, str(MACHINE / "snakemake7.sh")).stdout.strip()
    engines = {Generation.JSON: Engine("7.32.4", (seven,))}  # that of REANA 0.9
    declared = yaml.safe_load((folder / "reana.yaml").read_text("utf-8"))
    tiny = yaml.safe_load((folder / TINY[1]).read_text("utf-8"))
    declared["inputs"]["parameters"] = tiny
    declared["outputs"] = {"directories": [tiny["output"]]}
    (folder / "reana.yaml").write_text(yaml.safe_dump(declared), "utf-8")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    seen_by_jobs = {**JOB_ENVIRONMENT, "PATH": programs, "RELANCE_RUNTIME": "plain"}

    def came(generation: Generation) -> Path:
        place = tmp_path_factory.mktemp(generation.name.lower())
        engine = replace(engines.get(generation, HERE), environment=seen_by_jobs)
        with serving(place / "server", generation, engine=engine) as server:
            reached = {"REANA_SERVER_URL": server.address, "REANA_ACCESS_TOKEN": TOKEN}
            reached["XDG_CACHE_HOME"] = str(place / "cache")
            options = ("--skip-images", "--interval", "0.5", "--fetch", str(place / "got"), "--json")
            done = json.loads(relance(folder, "reana", "submit", *options, **reached).stdout)
            assert server.violations == []
        assert done["status"] == "finished"
        return place / "got"

    with ThreadPoolExecutor() as pool:
        return dict(zip(Generation, pool.map(came, Generation), strict=True))


@pytest.mark.parametrize("generation", Generation, ids=lambda one: one.name.lower())
def test_a_reana_server_of_each_generation_gives_the_same_results(
    generation: Generation, in_apptainer: Path, on_servers: Mapping[Generation, Path]
) -> None:
    got = on_servers[generation]
    # The server's jobs may use other kernels for linear algebra than a container does.
    assert observed_limit(got) == pytest.approx(observed_limit(in_apptainer), rel=1e-4)
    ours, theirs = products(in_apptainer), products(got)
    assert [name for name in ours if "/fit" not in name and ours[name] != theirs.get(name)] == []
    assert set(ours) == set(theirs)
    shown = json.loads(relance(got, "runs", "show", "--json").stdout)
    assert {job["status"] for job in shown["jobs"]} == {"ok"}
    local = json.loads(relance(in_apptainer, "runs", "show", "--json").stdout)
    assert [(job["rule"], job["outputs"]) for job in shown["jobs"]] == [
        (job["rule"], job["outputs"]) for job in local["jobs"]
    ]
