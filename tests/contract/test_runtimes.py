"""An analysis in real Apptainer, Podman and Docker: the same files, isolated, nothing left behind."""

import hashlib
import json
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.contract.conftest import Relance, containers_of, say

from relance.engines import runtimes, standin
from relance.engines.standin import measured
from relance.model import Runtime, RuntimeKind

pytestmark = pytest.mark.container

ENGINES = ("apptainer", "podman", "docker")
PROGRAMS = ("program.py", "measured.py")
NOTHING = "sha256:" + "0" * 64


@pytest.fixture(scope="session")
def engine_environment(request: pytest.FixtureRequest) -> Callable[[str], dict[str, str]]:
    def environment(engine: str) -> dict[str, str]:
        secrets = {
            "RELANCE_SECRET": "x",
            "APPTAINERENV_LEAK": "x",
            "SINGULARITYENV_LEAK": "x",
            "LC_ALL": "de_DE",
        }
        if engine == "docker":
            secrets["DOCKER_HOST"] = request.getfixturevalue("docker_host")
        return {**os.environ, **secrets}

    return environment


@pytest.fixture(scope="session")
def image(root_filesystem: Path, engine_environment: Callable[[str], dict[str, str]]) -> Callable[[str], str]:
    """Makes the image for an engine; returns containers/images.local.yaml."""
    made: dict[str, str] = {}
    runtime = root_filesystem.with_name("toy.sqsh")

    def make(engine: str) -> str:
        if not runtime.exists():
            say("mksquashfs", root_filesystem, runtime, "-all-root", "-quiet", "-no-progress")
        if engine not in made:
            config = NOTHING
            if engine != "apptainer":
                tar = root_filesystem.with_name("toy.tar")
                say("tar", "-C", root_filesystem, "--owner=0", "--group=0", "-cf", tar, ".")
                # An entry point that must not be used, as Apptainer uses none.
                change = ["--change", 'ENTRYPOINT ["/bin/false"]', "--change", "ENV PATH=/usr/bin:/bin"]
                config = say(engine, "import", *change, tar, env=engine_environment(engine))
            digest = hashlib.sha256(runtime.read_bytes()).hexdigest()
            made[engine] = (
                "version: 1\nimages:\n  toy:\n"
                f"    config: {config}\n"
                f"    key: {NOTHING}\n    manifest: {NOTHING}\n    base: {NOTHING}\n"
                "    builder: podman\n    reference: localhost/relance/toy:0\n"
                f"    runtime: {{path: {runtime}, digest: 'sha256:{digest}', size: 1}}\n"
            )
        return made[engine]

    return make


@pytest.fixture
def contained(
    analysis: Callable[[str], Relance], image: Callable[[str], str]
) -> Callable[[str, str], Relance]:
    def copy(name: str, engine: str) -> Relance:
        relance = analysis(name)
        (relance.folder / "containers").mkdir()
        (relance.folder / "containers" / "images.local.yaml").write_text(image(engine))
        return relance

    return copy


@pytest.mark.parametrize("engine", ENGINES)
def test_an_analysis_gives_the_same_files_in_every_runtime(
    contained: Callable[[str, str], Relance], engine_environment: Callable[[str], dict[str, str]], engine: str
) -> None:
    toy = contained("toy", engine)
    done = toy("run", "--runtime", engine, env=engine_environment(engine))
    assert (done.returncode, done.stderr.count("FAILED")) == (0, 0), done.stderr
    results = toy.folder / "results"
    assert (results / "greeting.txt").read_bytes() == b"hello\nhello\n"
    assert (results / "shout.txt").read_bytes() == b"HELLO\nHELLO\n"
    assert {path.owner() for path in results.rglob("*")} == {toy.folder.owner()}
    (record,) = toy.folder.glob(".snakemake/relance/run-*/record.json")
    for times in json.loads(record.read_text())["times"]["jobs"]:
        told = engine != "docker"  # its daemon runs jobs, and nobody else can tell what they took
        assert times["peak_memory_of"] == ("largest process" if told else "unknown")
        assert not told or 1 << 20 < times["peak_memory"] < 1 << 30
    shutil.rmtree(results)
    known = toy("run", "--runtime", engine, "--dry-run", "--json", env=engine_environment(engine))
    states = [step["state"] for step in json.loads(known.stdout)["plan"]]
    assert (len(states), set(states) <= {"restore", "reuse"}) == (2, True), known.stderr
    assert sorted(path.name for path in toy.folder.iterdir()) == sorted(
        [".envs", ".snakemake", "Snakefile", "config", "config.yaml", "containers", "envs"]
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_sees_nothing_of_the_machine(
    contained: Callable[[str, str], Relance],
    engine_environment: Callable[[str], dict[str, str]],
    tmp_path: Path,
    engine: str,
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    isolation = contained("isolation", engine)
    arguments = ["--runtime", engine, "--set", f"secret={secret}"]
    done = isolation("run", *arguments, env=engine_environment(engine))
    assert done.returncode == 0, done.stderr

    def result(name: str) -> str:
        return (isolation.folder / "results" / f"{name}.txt").read_text()

    environment = dict(line.partition("=")[::2] for line in result("environment").splitlines())
    assert (result("user"), result("network"), result("host")) == (f"{os.getuid()}\n", "lo\n", "unseen\n")
    assert not {"RELANCE_SECRET", "LEAK", "LC_ALL", "DOCKER_HOST"} & set(environment)
    expected = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TMPDIR": "/tmp"}  # noqa: S108
    assert {name: environment[name] for name in expected} == expected
    assert environment["HOME"] == "/home/relance"


@pytest.mark.parametrize("engine", ENGINES)
def test_an_interrupted_run_leaves_no_container_and_nothing_half_written(
    contained: Callable[[str, str], Relance], engine_environment: Callable[[str], dict[str, str]], engine: str
) -> None:
    toy = contained("toy", engine)
    environment = engine_environment(engine)
    half = toy.folder / "results" / "greeting.txt"
    with toy.start("run", "--runtime", engine, "--set", "pause=60", env=environment) as running:
        while not half.exists():
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    assert running.returncode == 130
    assert not half.exists()
    assert not list(toy.folder.glob(".snakemake/locks/*"))
    if engine != "apptainer":
        assert containers_of(engine, toy.folder, env=environment) == ""


@pytest.fixture
def ordinary_user() -> Iterator[pwd.struct_passwd]:
    """A user without privileges, made for the test where root runs it."""
    if os.geteuid() != 0:
        yield pwd.getpwuid(os.getuid())
        return
    name = f"relance-{os.getpid()}"
    say("useradd", "--create-home", name)
    yield pwd.getpwnam(name)
    say("su", "--login", name, "--command", "podman system migrate")  # ends what Podman keeps running
    say("userdel", "--force", name)
    subprocess.run(["groupdel", name], capture_output=True, check=False)
    shutil.rmtree(f"/home/{name}")


def test_rootless_podman_gives_what_a_step_writes_to_its_user(
    ordinary_user: pwd.struct_passwd, root_filesystem: Path
) -> None:
    user = ordinary_user
    folder = Path(tempfile.mkdtemp(prefix="relance-rootless-", dir=user.pw_dir))
    root = os.geteuid() == 0

    def as_user(*command: str | Path, **options: object) -> str:
        line = shlex.join(map(str, command))
        return say(*(["su", "--login", user.pw_name, "--command", line] if root else command), **options)

    tar = folder / "toy.tar"
    say("tar", "-C", root_filesystem, "--owner=0", "--group=0", "-cf", tar, ".")
    tar.chmod(0o644)
    folder.chmod(0o755)
    image = as_user("podman", "import", "--quiet", tar)
    (folder / "analysis").mkdir()
    stand_in = standin.StandIn(
        runtime=Runtime(RuntimeKind.PODMAN, "", rootless=True),
        program=runtimes.program(RuntimeKind.PODMAN),
        folder=folder / "analysis",
        scratch=folder / "scratch",
        label="relance.run=rootless",
        environment={},
        images={"/images/toy.sqsh": image},
        memory=folder / "memory.tsv",
        user=(user.pw_uid, user.pw_gid),
    )
    standin.install(stand_in, folder / "bin")
    program, _ = (shutil.copy(Path(standin.__file__).with_name(name), folder) for name in PROGRAMS)
    if root:
        say("chown", "--recursive", f"{user.pw_uid}:{user.pw_gid}", folder)
    # This interpreter may lie where only root can read: the system's serves as well.
    python = ("/usr/bin/python3", "-I", "-S", program, folder / "bin" / "settings.tsv")
    step = "id -u > inside.txt; echo x > $HOME/x"
    as_user(*python, "exec", "--home", folder / "analysis", "/images/toy.sqsh", "bash", "-c", step)
    written = folder / "analysis" / "inside.txt"
    assert (written.read_text(), written.stat().st_uid) == (f"{user.pw_uid}\n", user.pw_uid)
    key, peak = (folder / "memory.tsv").read_text().split()
    assert (key, int(peak) > 1 << 20) == (measured.digest(step), True)
    as_user("podman", "rmi", "--force", image)
    shutil.rmtree(folder)


def test_an_image_that_was_removed_is_missed_before_anything_runs(
    contained: Callable[[str, str], Relance],
) -> None:
    toy = contained("toy", "apptainer")
    listed = toy.folder / "containers" / "images.local.yaml"
    listed.write_text(listed.read_text().replace("toy.sqsh", "gone.sqsh"))
    done = toy("run", "--runtime", "apptainer")
    assert done.returncode == 3
    assert "gone.sqsh is missing" in done.stderr
    assert "relance images build" in done.stderr
    assert not (toy.folder / "results").exists()
