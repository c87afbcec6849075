"""Images with real engines: built by each the same, run by each, moved through a real registry."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from relance.errors import InputError, MissingPartError
from relance.store import base as bases
from relance.store import build as building
from relance.store import place, squashfs
from relance.store.build import PipSettings
from relance.store.builders import all_builders, choose
from relance.store.images import LocalImage, known, write_local
from relance.store.importing import remote
from relance.store.layout import Layout
from relance.store.normalise import Image, Settings, assemble
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access, answers
from relance.store.store import Store

from .registry_server import need, running

pytestmark = pytest.mark.container

REPOSITORY = Path(__file__).parents[2]
DOCKERD = REPOSITORY / "tests" / "machine" / "dockerd.sh"
RELANCE = (sys.executable, "-m", "relance", "images")
UNPINNED = f"localhost:1/none@sha256:{'0' * 64}"
CONTAINERFILE = f"""\
ARG BASE={UNPINNED}
FROM ${{BASE}}
COPY place.txt /opt/place.txt
ENV GREETING="bon jour"
ENV PATH=/opt/bin:/usr/bin:/bin
RUN date +%Y > /run/year; echo "the year is $(date +%Y)"
RUN mkdir -p /opt/bin /opt/empty && \\
    printf '#!/bin/sh\\necho "$GREETING, $(cat /opt/place.txt)"\\n' > /opt/bin/greet && \\
    chmod 755 /opt/bin/greet && ln -s greet /opt/bin/salute && ln /opt/bin/greet /opt/bin/hail && \\
    rm -rf /usr/share/python-wheels && chmod 644 /opt/place.txt && touch /tmp/left-behind
CMD ["greet"]
"""


def certificates() -> Path | None:
    path = Path(os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt"))
    return path if path.is_file() else None


PIP = PipSettings(os.environ.get("PIP_INDEX_URL"), certificates())


@pytest.fixture(scope="module")
def docker_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need("dockerd")
    folder = tmp_path_factory.mktemp("d")
    started = subprocess.run(["bash", DOCKERD, "start", folder], capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stderr
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = started.stdout.strip()
    yield started.stdout.strip()
    subprocess.run(["bash", DOCKERD, "stop", folder], check=True)
    if before is None:
        del os.environ["DOCKER_HOST"]
    else:
        os.environ["DOCKER_HOST"] = before


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def base(store: Store) -> Image:
    """The Debian base of the images that were built on this machine; made where there is none."""
    need("mmdebstrap")
    theirs = Store(place.store(os.environ))
    image = bases.present(theirs.layout) if theirs.content.exists() else None
    if image is None:
        return bases.bootstrap(store.layout, print)
    for part in (image.manifest, image.config, *image.layers):
        store.layout.add(theirs.layout.read(part.digest), part.media_type)
    for name, described in theirs.layout.names().items():
        if described.digest == image.manifest.digest:
            store.layout.name(name, image.manifest)
    return image


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    (folder / "containers" / "small").mkdir(parents=True)
    (folder / "containers" / "small" / "Containerfile").write_text(CONTAINERFILE, encoding="utf-8")
    (folder / "place.txt").write_text("Genève", encoding="utf-8")
    return folder


def built_by(builder: str, repository: Path, store: Store, base: Image) -> tuple[LocalImage, list[str]]:
    said: list[str] = []
    (todo,) = building.plan(repository, ["small"])
    chosen = choose(builder, all_builders())
    return building.build(repository, store, base, todo, chosen, PIP, said.append), said


@pytest.fixture(scope="module")
def by_podman(repository: Path, store: Store, base: Image) -> Iterator[LocalImage]:
    need("podman")
    image, _ = built_by("podman", repository, store, base)
    yield image
    subprocess.run(["podman", "rmi", "--force", image.reference], capture_output=True, check=True)


@pytest.fixture(scope="module")
def by_docker(docker_host: str, repository: Path, store: Store, base: Image) -> LocalImage:
    image, _ = built_by("docker", repository, store, base)
    return image


@pytest.fixture(scope="module")
def by_apptainer(repository: Path, store: Store, base: Image) -> LocalImage:
    need("apptainer")
    image, _ = built_by("apptainer", repository, store, base)
    return image


def output(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_docker_builds_the_same_image_as_podman(by_docker, by_podman):
    assert (by_docker.config, by_docker.runtime) == (by_podman.config, by_podman.runtime)


def test_apptainer_builds_the_same_image_as_podman(by_apptainer, by_podman):
    assert (by_apptainer.config, by_apptainer.runtime) == (by_podman.config, by_podman.runtime)


def test_podman_runs_the_image_by_its_digest_as_any_user(by_podman):
    run = ["podman", "run", "--rm", "--network", "none"]
    for user in ("0:0", "4321:4321"):
        assert output(*run, "--user", user, by_podman.config) == "bon jour, Genève"
    assert output(*run, by_podman.config, "sh", "-c", "salute; hail; ls /opt/bin /tmp").split("\n")[2:] == [
        "/opt/bin:",
        "greet",
        "hail",
        "salute",
        "",
        "/tmp:",  # noqa: S108
    ]


def test_podman_says_of_the_image_what_the_recipe_says(by_podman):
    said = json.loads(output("podman", "image", "inspect", by_podman.reference))[0]
    assert f"sha256:{said['Id']}" == by_podman.config
    assert said["Config"]["Cmd"] == ["greet"]
    assert "GREETING=bon jour" in said["Config"]["Env"]
    assert said["Config"].get("Labels") in (None, {})


def test_docker_runs_the_image_by_its_digest(by_docker):
    client = docker.from_env()
    try:
        said = client.containers.run(by_docker.config, network_mode="none", user="4321:4321", remove=True)
    finally:
        client.close()
    assert said.decode().strip() == "bon jour, Genève"


@pytest.mark.parametrize("options", [[], ["--containall", "--network", "none"], ["--cleanenv"]])
def test_apptainer_runs_the_runtime_image_with_the_image_s_environment(by_apptainer, options):
    assert output("apptainer", "exec", *options, by_apptainer.runtime.path, "greet") == "bon jour, Genève"


def test_what_a_recipe_removes_is_not_in_the_runtime_image(by_apptainer):
    listing = output("unsquashfs", "-l", by_apptainer.runtime.path)
    assert "python-wheels" not in listing
    assert "left-behind" not in listing
    assert "/run/" not in listing


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_every_user_makes_the_same_runtime_image_as_root():
    need("sqfstar")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        layout = Layout(folder / "layout")
        with (folder / "rootfs.tar").open("w+b") as stream:
            with tarfile.open(fileobj=stream, mode="w") as tar:
                tar.add(REPOSITORY / "tests" / "machine", "opt")
            image = assemble(layout, None, stream, Settings({"A": "1"}), architecture="amd64")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777)
        made = squashfs.build(layout, image, folder / "by-root")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setgroups([])
                os.setgid(4321)
                os.setuid(4321)
                status = squashfs.build(layout, image, folder / "by-user").digest != made.digest
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_damaged_layer_is_noticed_before_an_image_is_made_of_it(by_podman, store, base, tmp_path):
    damaged = Layout(tmp_path / "layout")
    shutil.copytree(store.layout.folder, damaged.folder, dirs_exist_ok=True)
    with damaged.path(base.layers[0].digest).open("r+b") as stream:
        stream.seek(100_000)
        stream.write(b"tampered")
    with pytest.raises(InputError, match="damaged"):
        squashfs.build(damaged, base, tmp_path / "runtime")
    assert not list((tmp_path / "runtime").rglob("*.sqsh"))


def test_a_build_that_fails_says_why_and_leaves_no_image(repository, store, base, tmp_path):
    need("podman")
    broken = tmp_path / "broken"
    shutil.copytree(repository, broken)
    path = broken / "containers" / "small" / "Containerfile"
    path.write_text(CONTAINERFILE + "RUN echo no such thing as muons >&2; exit 7\n", encoding="utf-8")
    environment = os.environ | {"RELANCE_STORE": str(store.folder)}
    done = subprocess.run(
        [*RELANCE, "build", "--builder", "podman", "--base", "debian"],
        cwd=broken,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no such thing as muons" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert known(broken).local == {}


def test_without_any_builder_the_command_says_what_to_install(repository, tmp_path):
    environment = os.environ | {"PATH": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    done = subprocess.run(
        [*RELANCE, "build"],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "podman, docker, apptainer" in done.stderr
    assert known(repository).local == {}


def test_images_that_are_current_are_not_built_again(repository, store, base, tmp_path):
    need("podman")
    copy = tmp_path / "copy"
    shutil.copytree(repository, copy)
    environment = os.environ | {"RELANCE_STORE": str(store.folder)}

    def relance(*arguments: str) -> str:
        done = subprocess.run(
            [*RELANCE, *arguments],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(relance("list", "--json"))[0]["state"] == "missing"
    # Its base can't be reached, so Debian's packages serve.
    first = json.loads(relance("build", "--builder", "podman", "--json"))
    assert first["built"] == ["small"]
    assert json.loads(relance("build", "--json"))["built"] == []
    assert json.loads(relance("list", "--json"))[0]["state"] == "built"
    (copy / "place.txt").write_text("Meyrin", encoding="utf-8")
    assert json.loads(relance("build", "--dry-run", "--json"))["would_build"] == ["small"]
    assert json.loads(relance("list", "--json"))[0]["state"] == "outdated"

    # Its repository uses it, so that it stays until that lists it no more.
    there = ["podman", "image", "exists", first["images"]["small"]["reference"]]
    assert json.loads(relance("prune", "--json"))["images"] == []
    assert subprocess.run(there, check=False).returncode == 0
    (copy / "containers" / "images.local.yaml").unlink()
    for dry in (["--dry-run"], []):
        (pruned,) = json.loads(relance("prune", "--json", *dry))["images"]
        assert pruned["built_for"] == [str(copy)]
        assert subprocess.run(there, check=False).returncode == (0 if dry else 1)
    assert pruned["name"] not in store.layout.names()


SNAKEFILE = """\
rule greet:
    output:
        "results/greeting.txt",
    container:
        "docker://relance/small"
    shell:
        "greet > {output}"
"""


@pytest.fixture
def small_analysis(repository: Path, store: Store, by_podman: LocalImage, tmp_path: Path) -> Path:
    folder = tmp_path / "analysis"
    shutil.copytree(repository, folder)
    write_local(folder, {"small": by_podman})
    (folder / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    return folder


def relance(
    folder: Path, store: Path, *arguments: str, docker_host: str = ""
) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"RELANCE_STORE": str(store)}
    if docker_host:
        environment["DOCKER_HOST"] = docker_host
    return subprocess.run(
        [sys.executable, "-m", "relance", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_load_gives_a_built_image_to_an_engine_once(small_analysis, store, docker_host, by_podman):
    host = ["docker", "-H", docker_host]
    subprocess.run([*host, "rmi", "--force", by_podman.config], capture_output=True, check=False)
    for loaded in (True, False):
        done = relance(
            small_analysis, store.folder, "images", "load", "docker", "--json", docker_host=docker_host
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [
            {"engine": "docker", "name": "small", "config": by_podman.config, "loaded": loaded}
        ]
    assert output(*host, "run", "--rm", "--network", "none", by_podman.config) == "bon jour, Genève"


def test_docker_is_found_by_its_context_too(small_analysis, store, docker_host, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    environment |= {"DOCKER_CONFIG": str(tmp_path / "docker"), "RELANCE_STORE": str(store.folder)}

    def run(*command: str) -> str:
        return subprocess.run(
            command, cwd=small_analysis, env=environment, capture_output=True, text=True, check=True
        ).stdout

    run("docker", "context", "create", "ours", "--docker", f"host={docker_host}")
    run("docker", "context", "use", "ours")
    (row,) = json.loads(run(*RELANCE, "load", "docker", "--json"))
    assert row["engine"] == "docker"


def test_load_says_which_engine_does_not_answer(small_analysis, store, tmp_path):
    nowhere = f"unix://{tmp_path}/none.sock"
    done = relance(small_analysis, store.folder, "images", "load", "docker", docker_host=nowhere)
    assert (done.returncode, "found no answer of docker" in done.stderr) == (3, True)


def test_load_without_built_images_says_what_to_type(repository, store):
    done = relance(repository, store.folder, "images", "load")
    assert (done.returncode, "type 'relance images build'" in done.stderr) == (3, True)


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_a_run_loads_the_image_that_its_engine_lacks(  # noqa: PLR0917 - fixtures
    engine, small_analysis, store, docker_host, by_podman, tmp_path
):
    command = ["docker", "-H", docker_host] if engine == "docker" else ["podman"]
    subprocess.run([*command, "rmi", "--force", by_podman.config], capture_output=True, check=False)
    options = ("run", "--runtime", engine, "--cores", "1")

    elsewhere = relance(small_analysis, tmp_path / "empty", *options, docker_host=docker_host)
    assert elsewhere.returncode == 3
    assert "it lacks the image 'small'" in elsewhere.stderr
    assert "relance images build --force" in elsewhere.stderr
    assert not (tmp_path / "empty").exists()

    damaged = tmp_path / "damaged"
    shutil.copytree(store.folder, damaged)
    layer = max((damaged / "content/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    with layer.open("r+b") as stream:
        stream.seek(100_000)
        stream.write(b"tampered")
    refused = relance(small_analysis, damaged, *options, docker_host=docker_host)
    assert (refused.returncode, "is damaged" in refused.stderr) == (3, True)

    done = relance(small_analysis, store.folder, *options, docker_host=docker_host)
    assert done.returncode == 0, done.stderr
    assert f"loading the image 'small' into {engine.capitalize()} (once)" in done.stderr
    assert (small_analysis / "results/greeting.txt").read_text("utf-8") == "bon jour, Genève\n"
    again = relance(small_analysis, store.folder, *options, docker_host=docker_host)
    assert (again.returncode, "loading" in again.stderr) == (0, False)


BY_PATH = """\
import yaml

with open("containers/images.local.yaml") as file:
    IMAGE = yaml.safe_load(file)["images"]["small"]["runtime"]["path"]

rule greet:
    output:
        "results/greeting.txt",
    container:
        IMAGE
    shell:
        "greet > {output}"
"""


def test_an_image_at_another_path_is_the_same_image(small_analysis, by_podman, tmp_path):
    need("apptainer")
    (small_analysis / "Snakefile").write_text(BY_PATH, encoding="utf-8")
    run = ("run", "--runtime", "apptainer", "--json")
    first = relance(small_analysis, tmp_path / "first", *run)
    assert json.loads(first.stdout)["steps_done"] == 1, first.stderr
    moved = tmp_path / "moved.sqsh"
    moved.symlink_to(by_podman.runtime.path)
    elsewhere = replace(by_podman, runtime=replace(by_podman.runtime, path=moved))
    write_local(small_analysis, {"small": elsewhere})
    # Another store, too, as another user of the folder has it.
    again = relance(small_analysis, tmp_path / "store", *run)
    assert json.loads(again.stdout)["steps_total"] == 0, again.stderr
    assert "up to date" in relance(small_analysis, tmp_path / "store", *run[:-1]).stdout


@pytest.fixture(scope="module")
def registry_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("registry")
    with running(folder) as host:
        yield host, folder / "data"


def publish(layout: Layout, image: Image, host: str) -> Reference:
    layout.name("to-publish", image.manifest)
    target = f"{host}/relance/small:1"
    # skopeo compresses the layers on the way, as every publisher does.
    output(
        "skopeo",
        "copy",
        "--dest-tls-verify=false",
        "--dest-compress",
        f"oci:{layout.folder}:to-publish",
        f"docker://{target}",
    )
    digest = output(
        "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{target}"
    )
    return Reference.pinned(f"{target}@{digest}")


def test_lock_pins_the_digests_of_a_published_image(base, store, registry_host, repository, tmp_path):
    need("skopeo")
    copy = tmp_path / "copy"
    shutil.copytree(repository, copy)
    reference = publish(store.layout, base, registry_host[0])
    output(
        "env",
        f"RELANCE_STORE={tmp_path}/another",
        *RELANCE,
        "lock",
        "-C",
        copy,
        f"small={reference}",
    )
    pinned = known(copy).published["small"]
    runtime = squashfs.build(store.layout, base, tmp_path / "runtime")
    assert (pinned.reference, pinned.manifest) == (str(reference), reference.digest)
    assert (pinned.config, pinned.runtime, pinned.runtime_size) == (
        base.config.digest,
        runtime.digest,
        runtime.size,
    )
    unpinned = subprocess.run(
        [*RELANCE, "lock", "-C", copy, "small=docker.io/library/python:3.11"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert unpinned.returncode == 2
    assert "is not pinned" in unpinned.stderr
    assert known(copy).published == {"small": pinned}


def test_a_published_image_is_pulled_with_its_identity(base, store, registry_host, tmp_path):
    need("skopeo")
    host, data = registry_host
    reference = publish(store.layout, base, host)
    assert answers(reference)
    pulled = remote.pull(Layout(tmp_path / "pulled"), reference, bases.architecture(), Access()).image
    assert (pulled.config, pulled.layers) == (base.config, base.layers)
    for blob in data.rglob("data"):
        if blob.stat().st_size > 1_000_000:
            with blob.open("r+b") as stream:
                stream.seek(500_000)
                stream.write(b"tampered")
    with pytest.raises(InputError, match="not what its digest says"):
        remote.pull(Layout(tmp_path / "tampered"), reference, bases.architecture(), Access())


def test_a_registry_that_is_not_there_does_not_answer_and_is_told(tmp_path):
    assert not answers(Reference.parse(UNPINNED))
    with pytest.raises(MissingPartError, match=r"found no connection.*--base debian"):
        bases.obtain(Layout(tmp_path / "layout"), UNPINNED, UNPINNED, print, Access(pause=lambda _: None))


def with_another_clock(store: Store, moment: str) -> dict[str, str]:
    """Offer a build a clock that shows another moment, and return the variables that turn it on."""
    need("faketime")
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    store.offered.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(library, store.offered / "clock.so")
    return {"LD_PRELOAD": "/run/relance/clock.so", "FAKETIME": moment}


@pytest.mark.parametrize("builder", ["podman", "docker", "apptainer"])
def test_the_time_of_a_build_leaves_no_trace(  # noqa: PLR0917 - fixtures
    builder, by_podman, docker_host, repository, store, base
):
    environment = with_another_clock(store, "@2031-01-02 03:04:05")
    said: list[str] = []
    (todo,) = building.plan(repository, ["small"])
    chosen = choose(builder, all_builders())
    image = building.build(repository, store, base, todo, chosen, PIP, said.append, environment)
    assert "the year is 2031" in said
    assert (image.config, image.runtime) == (by_podman.config, by_podman.runtime)


@pytest.mark.slow
def test_empty_caches_another_clock_and_another_builder_give_the_same_bytes(
    store, base, docker_host, tmp_path
):
    """The generation image, its base included, is built twice from nothing.

    Where one of them was built here before, that is the first of the two.
    """
    need("podman")
    # Three days: further ahead, the certificates of Debian's archive and of the package index have ended.
    later = Store(tmp_path / "later")
    environment = with_another_clock(later, "+3d")
    program = "from pathlib import Path; from relance.store import base, layout\n"
    program += f"base.bootstrap(layout.Layout(Path({str(later.content)!r})), print)"
    output("faketime", "+3 days", sys.executable, "-c", program)
    later_base = bases.present(later.layout)
    assert later_base is not None
    if later_base != base:  # some packages of Debian are newer than those of the base that was here
        store = Store(tmp_path / "now")
        base = bases.bootstrap(store.layout, print)
    assert later_base == base

    (todo,) = building.plan(REPOSITORY, ["generation"])
    first = todo.local
    if first is None or not todo.current or first.base != base.config.digest:
        first = building.build(REPOSITORY, store, base, todo, choose("podman", all_builders()), PIP, print)
    docker_builder = choose("docker", all_builders())
    second = building.build(REPOSITORY, later, later_base, todo, docker_builder, PIP, print, environment)
    assert second.config == first.config
    assert second.runtime.digest == first.runtime.digest
