"""A capsule's own script, run by real container engines where there is no network and no relance."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import archive, writing
from relance.capsule.checkout import checkout
from relance.capsule.model import Capsule, CapsuleImage, Role
from relance.capsule.ordering import ordered
from relance.model import ImageRecord
from relance.store.layout import Layout

pytestmark = pytest.mark.container

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return Layout(tmp_path_factory.mktemp("layout") / "content")


@pytest.fixture(scope="module")
def image(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CapsuleImage]:
    made = capsules.shell_image(layout, tmp_path_factory.mktemp("image"))
    yield made
    if shutil.which("podman"):
        subprocess.run(["podman", "rmi", "--force", made.config], capture_output=True, check=False)


@pytest.fixture
def capsule(layout: Layout, image: CapsuleImage) -> Capsule:
    return ordered(capsules.small(layout, image=image))


@pytest.fixture
def unpacked(layout: Layout, capsule: Capsule, tmp_path: Path) -> Path:
    return unpack(layout, capsule, tmp_path)


def unpack(layout: Layout, capsule: Capsule, folder: Path) -> Path:
    """Return a folder with the unpacked tar file of a capsule."""
    index = writing.write(layout, capsule, name=None)
    archive.export_tar(layout, index, folder / "capsule.tar")
    shutil.rmtree(folder / "unpacked", ignore_errors=True)
    (folder / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", folder / "capsule.tar", "-C", folder / "unpacked"], check=True)
    return folder / "unpacked"


@pytest.fixture
def replay(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """Runs the script of a folder in a network namespace of its own (where root can make one)."""

    def run(folder: Path, engine: str, *options: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.environ["HOME"], "SECRET": "x"}
        if engine == "docker":
            environment["DOCKER_HOST"] = request.getfixturevalue("docker_host")
        offline = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-current-user"]
        command = [*offline, "sh", "replay.sh", "--with", engine, *options, str(tmp_path / f"work-{engine}")]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.parametrize("engine", ["apptainer", "podman", "docker"])
def test_the_script_makes_every_product_again(
    unpacked: Path, replay: Shell, tmp_path: Path, engine: str
) -> None:
    done = replay(unpacked, engine)
    assert done.returncode == 0, done.stderr
    assert [
        line for line in done.stdout.splitlines() if line.startswith(("equal", "differs", "missing"))
    ] == [
        "equal    results/a.count",
        "equal    results/b.count",
        "equal    results/total.json",
    ]
    files = tmp_path / f"work-{engine}" / "files"
    assert (files / "results" / "total.json").read_bytes() == b'{"total": 5}\n'
    assert (files / "logs" / "sum.log").read_bytes() == b"2 samples\n"
    assert {path.owner() for path in files.rglob("*")} == {unpacked.owner()}


ENGINES = ["apptainer", "podman"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_job_sees_no_network_no_home_and_nothing_of_the_machine(
    layout: Layout, capsule: Capsule, replay: Shell, tmp_path: Path, engine: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    command = f"ls /sys/class/net > net.txt; env > env.txt; ls {secret} 2> gone.txt || true; ls ~ > home.txt"
    record = capsules.job("look", command, (), ("net.txt", "env.txt", "gone.txt", "home.txt"))
    shown = ImageRecord(capsule.images[0].written[0], config=capsule.images[0].config)
    looking = replace(capsule, jobs=(capsules.captured(replace(record, image=shown)),))
    done = replay(unpack(layout, looking, tmp_path), engine)
    assert done.returncode == 0, done.stderr
    files = tmp_path / f"work-{engine}" / "files"
    assert (files / "net.txt").read_text() in {"lo\n", ""}
    assert "SECRET" not in (files / "env.txt").read_text()
    assert "GREETING=bon jour" in (files / "env.txt").read_text()
    assert "No such file" in (files / "gone.txt").read_text()
    assert (files / "home.txt").read_text() == ""


def test_what_is_done_is_not_done_again(unpacked: Path, replay: Shell, tmp_path: Path) -> None:
    assert replay(unpacked, "podman").returncode == 0
    files = tmp_path / "work-podman" / "files"
    before = {path: path.stat().st_mtime_ns for path in files.rglob("*") if path.is_file()}
    again = replay(unpacked, "podman")
    assert (again.returncode, again.stdout.count("job ")) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in files.rglob("*") if path.is_file()} == before
    (files / "results" / "total.json").unlink()
    assert replay(unpacked, "podman", "--only-check").returncode == 1
    assert replay(unpacked, "podman").stdout.count("job 3 of 3") == 1


def test_a_product_that_differs_is_told(
    layout: Layout, capsule: Capsule, replay: Shell, tmp_path: Path
) -> None:
    other = capsules.kept(layout, "results/total.json", b'{"total": 6}\n', Role.PRODUCT)
    files = tuple(other if file.path == other.path else file for file in capsule.files)
    done = replay(unpack(layout, replace(capsule, files=files), tmp_path), "podman")
    assert done.returncode == 1
    assert "differs  results/total.json" in done.stdout


def test_a_job_that_fails_is_told_and_tried_again(
    layout: Layout, capsule: Capsule, replay: Shell, tmp_path: Path
) -> None:
    job = capsule.jobs[1]
    command = "test -e allowed || exit 7; " + str(job.record.command)
    record = replace(job.record, command=command)
    failing = replace(capsule, jobs=(capsule.jobs[0], replace(job, record=record), capsule.jobs[2]))
    folder = unpack(layout, failing, tmp_path)
    done = replay(folder, "apptainer")
    assert done.returncode == 1
    assert "job 2 (count sample=b) failed with exit status 7" in done.stderr
    (tmp_path / "work-apptainer" / "files" / "allowed").touch()
    done = replay(folder, "apptainer")
    assert done.returncode == 0
    assert "job 1 of 3" not in done.stdout


@pytest.mark.parametrize("engine", ENGINES)
def test_a_link_that_a_job_makes_is_never_followed(
    layout: Layout, capsule: Capsule, replay: Shell, tmp_path: Path, engine: str
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "total.json").write_text("thesis")
    job = capsule.jobs[1]
    record = replace(
        job.record,
        command=f"{job.record.command}; cp -r results r; rm -r results; ln -s {victim} results; : > x",
    )
    hostile = replace(
        capsule, jobs=(capsule.jobs[0], replace(job, record=replace(record, outputs=("x",))), capsule.jobs[2])
    )
    done = replay(unpack(layout, hostile, tmp_path), engine)
    assert done.returncode != 0
    assert (victim / "total.json").read_text() == "thesis"
    assert [path.name for path in victim.iterdir()] == ["total.json"]


def test_a_damaged_blob_is_told_before_any_job_runs(unpacked: Path, capsule: Capsule, replay: Shell) -> None:
    blob = unpacked / "blobs" / "sha256" / capsule.files[0].digest.removeprefix("sha256:")
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes()[::-1])
    done = replay(unpacked, "podman")
    assert done.returncode == 2
    assert "damaged" in done.stderr
    assert "job 1" not in done.stdout


def test_a_checkout_with_its_images_replays_too(
    layout: Layout, capsule: Capsule, replay: Shell, tmp_path: Path
) -> None:
    checkout(layout, capsule, tmp_path / "out", with_images=True)
    done = replay(tmp_path / "out", "apptainer")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("equal") == 4


def test_a_folder_with_something_in_it_is_left_alone(unpacked: Path, replay: Shell, tmp_path: Path) -> None:
    work = tmp_path / "work-podman"
    work.mkdir()
    (work / "thesis.tex").write_text("x")
    done = replay(unpacked, "podman")
    assert done.returncode == 2
    assert [path.name for path in work.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_the_engine_loads_the_images_of_a_capsule_s_tar_file(
    layout: Layout, capsule: Capsule, tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    environment = dict(os.environ)
    if engine == "docker":
        environment["DOCKER_HOST"] = request.getfixturevalue("docker_host")
    second = capsules.toy_image(layout, b"second", "docker://registry.example/second:1.0")
    unpack(layout, ordered(replace(capsule, images=(*capsule.images, second))), tmp_path)

    def say(*words: str | Path) -> str:
        done = subprocess.run([engine, *words], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    for config in (capsule.images[0].config, second.config):
        subprocess.run([engine, "rmi", "--force", config], env=environment, capture_output=True, check=False)
    say("load", "--input", tmp_path / "capsule.tar")
    for config in (capsule.images[0].config, second.config):
        assert say("image", "inspect", "--format", "{{.Id}}", config).removeprefix("sha256:") in config
    assert (
        say("run", "--rm", "--network", "none", capsule.images[0].config, "bash", "-c", "echo $GREETING")
        == "bon jour"
    )
    if engine == "podman":
        say("rmi", "--force", second.config)
