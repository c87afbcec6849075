"""Images of real engines and tools enter the store with their identity, and run in Apptainer."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from relance import digest
from relance.errors import InputError
from relance.store import squashfs
from relance.store.descriptors import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE
from relance.store.docker import Docker
from relance.store.importing import entry, sif
from relance.store.importing.entry import Entered
from relance.store.importing.mapping import ImageMapping
from relance.store.importing.source import Kind
from relance.store.layout import Layout
from relance.store.podman import Podman
from relance.store.registry import pushing
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access
from relance.store.store import Store

from .registry_server import need, running

pytestmark = pytest.mark.container

REPOSITORY = Path(__file__).parents[2]
DOCKERD = REPOSITORY / "tests" / "machine" / "dockerd.sh"
BUSYBOX = Path("/bin/busybox")
ACCESS = Access(pause=lambda _: None)
PROGRAMS = ("cat", "env", "id", "ls", "mkdir", "sh", "stat", "tail", "test", "wc")
# That a program may open raw sockets: version 2 of capabilities, cap_net_raw.
ATTRIBUTES = {"SCHILY.xattr.security.capability": "\x01\0\0\2\0\x20\0\0" + "\0" * 12}
ENGINES = {Kind.DOCKER: Docker(), Kind.PODMAN: Podman()}


def member(tar: tarfile.TarFile, name: str, data: bytes = b"", **more: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o755 if name.startswith("bin/") or more.get("type") == tarfile.DIRTYPE else 0o644
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))


def layers() -> tuple[bytes, ...]:
    """What old and foreign images bring: links, devices, attributes, odd names, whiteouts, opaque folders."""
    low, high = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=low, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member(tar, "./", type=tarfile.DIRTYPE)
        member(tar, "bin/busybox", BUSYBOX.read_bytes())
        for program in PROGRAMS:
            member(tar, f"bin/{program}", type=tarfile.LNKTYPE, linkname="bin/busybox")
        member(tar, "./data/one", b"first")
        member(tar, "data/again", type=tarfile.LNKTYPE, linkname="data/one")
        member(tar, "data/gone", b"hidden")
        member(tar, "data/hidden/deep", b"hidden")
        member(tar, "opaque/below", b"hidden")
        member(tar, "lib/udev/devices/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)
        member(tar, "run/pipe", type=tarfile.FIFOTYPE)
        member(tar, "dev/sda", type=tarfile.BLKTYPE, devmajor=8)
        member(tar, "bin/ping", b"#!/bin/sh\n", pax_headers=ATTRIBUTES)
        member(tar, "data/naïve Ω", b"utf-8")
        member(tar, "data/" + "long" * 60, b"long")
        member(tar, "tmp", type=tarfile.SYMTYPE, linkname="var/tmp")
        member(tar, "secret", b"mode", mode=0o600, uid=1234, gid=4321)
    with tarfile.open(fileobj=high, mode="w", format=tarfile.GNU_FORMAT) as tar:
        member(tar, "data/.wh.gone")
        member(tar, "data/.wh.hidden")
        member(tar, "opaque/.wh..wh..opq")
        member(tar, "opaque/above", b"seen")
        info = tarfile.TarInfo("data/latin")
        info.size = 6
        tar.addfile(info, io.BytesIO(b"latin1"))
    return low.getvalue(), high.getvalue()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OCI layout with a foreign image, its layers in gzip."""
    if not BUSYBOX.is_file():
        pytest.skip(f"{BUSYBOX} is not here")
    layout = Layout(tmp_path_factory.mktemp("theirs"))
    plain = layers()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": ["PATH=/bin", 'QUOTED=it\'s "so" $HOME', "BASH_FUNC_module%%=() { true; }"],
            "Cmd": ["sh"],
        },
        "rootfs": {"type": "layers", "diff_ids": [digest.of_bytes(layer) for layer in plain]},
        "history": [{"created_by": "somebody"} for _ in plain],
    }
    stored = layout.add(json.dumps(config).encode(), CONFIG_TYPE)
    packed = [layout.add(gzip.compress(layer, mtime=0), f"{LAYER_TYPE}+gzip") for layer in plain]
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": stored.to_json(),
        "layers": [layer.to_json() for layer in packed],
    }
    layout.name("foreign", layout.add_json(value, MANIFEST_TYPE))
    return layout.folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def known(store: Store, theirs: Path) -> Entered:
    return enter(store.layout, f"oci:{theirs}")


def enter(layout: Layout, text: str) -> Entered:
    place = entry.find(text, ImageMapping(), Path())
    return entry.enter(layout, place, "amd64", ACCESS, ENGINES)


def output(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_foreign_image_runs_in_apptainer_and_its_runtime_image_is_repeated(store, known, tmp_path):
    need("apptainer")
    made = squashfs.build(store.layout, known.image, store.runtime)
    again = squashfs.build(store.layout, known.image, tmp_path)
    assert again.path.read_bytes() == made.path.read_bytes()
    run = ["apptainer", "exec", "--containall", "--no-home", made.path]
    assert output(*run, "cat", "/data/one", "/data/again", "/data/naïve Ω", "/opaque/above") == (
        "firstfirstutf-8seen"
    )
    assert output(*run, "ls", "/opaque") == "above"
    assert output(*run, "sh", "-c", 'printf "%s" "$QUOTED"') == 'it\'s "so" $HOME'
    assert output(*run, "sh", "-c", "ls /data | wc -l") == "5"
    assert output(*run, "stat", "-c", "%h %i", "/data/one") == output(
        *run, "stat", "-c", "%h %i", "/data/again"
    )
    listed = output("unsquashfs", "-lln", made.path)
    assert " 0/0 " in listed
    assert "sda" not in listed
    assert "null" not in listed
    assert "gone" not in listed


def test_an_image_of_one_file_has_all_that_apptainer_needs(store, theirs, tmp_path):
    need("apptainer")
    layout = Layout(tmp_path / "layout")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        member(tar, "bin/busybox", BUSYBOX.read_bytes())
    config = {"architecture": "amd64", "os": "linux", "config": None}
    config["rootfs"] = {"type": "layers", "diff_ids": [digest.of_bytes(data.getvalue())]}
    stored = layout.add_json(config, CONFIG_TYPE)
    layer = layout.add(data.getvalue(), LAYER_TYPE)
    value = {"schemaVersion": 2, "config": stored.to_json(), "layers": [layer.to_json()]}
    layout.name("one", layout.add_json(value, MANIFEST_TYPE))
    entered = enter(store.layout, f"oci:{layout.folder}")
    made = squashfs.build(store.layout, entered.image, store.runtime)
    assert squashfs.build(store.layout, entered.image, tmp_path / "again").digest == made.digest
    run = ["apptainer", "exec", "--containall", "--no-home", made.path, "/bin/busybox"]
    assert output(*run, "echo", "runs") == "runs"
    assert " 0/0 " in output("unsquashfs", "-lln", made.path)


def relance(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "relance", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_image_comes_from_a_registry_by_the_command(theirs, known, tmp_path):
    with running(tmp_path) as host:
        need("skopeo")
        target = f"docker://{host}/group/foreign:1"
        output("skopeo", "copy", "--dest-tls-verify=false", "--quiet", f"oci:{theirs}:foreign", target)
        (tmp_path / "map.yaml").write_text(
            f"version: 1\nimages:\n  - prefix: gone.example.org/atlas\n    use: {host}/group\n"
        )
        options = ("--store", tmp_path / "store", "--mapping", tmp_path / "map.yaml", "--json")
        planned = relance("images", "import", "docker://gone.example.org/atlas/foreign:1", *options, "-n")
        assert json.loads(planned.stdout)["mapped"], planned.stderr
        assert not (tmp_path / "store").exists()
        done = relance("images", "import", "docker://gone.example.org/atlas/foreign:1", *options, "--runtime")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["config"] == known.image.config.digest
        assert said["stands_for"] == "docker://gone.example.org/atlas/foreign:1"
        assert said["name"] == "image/gone.example.org/atlas/foreign:1"
        assert any("the tag '1' means sha256:" in remark for remark in said["remarks"])
        assert Path(said["runtime"]["path"]).is_file()
        layout = Store(tmp_path / "store").layout
        assert entry.named(layout, "gone.example.org/atlas/foreign:1") is not None
        assert relance("store", "fsck", "--store", tmp_path / "store").returncode == 0
        missing = relance("images", "import", f"{host}/group/none:1", *options)
        assert (missing.returncode, "MANIFEST_UNKNOWN" in missing.stderr) == (2, True)


def test_an_image_of_podman_keeps_its_identity(theirs, known, tmp_path):
    need("podman")
    loaded = output("podman", "pull", "--quiet", f"oci:{theirs}:foreign")
    try:
        for name in (loaded, f"podman:{loaded[:12]}"):
            text = name if name.startswith("podman:") else f"containers-storage:{name}"
            entered = enter(Layout(tmp_path / "layout"), text)
            assert entered.image.config.digest == known.image.config.digest
            assert [one.digest for one in entered.image.layers] == [one.digest for one in known.image.layers]
            assert entered.remarks == ()
        for form in ("docker-archive", "oci-archive"):
            path = tmp_path / f"{form}.tar"
            output("podman", "save", "--quiet", "--format", form, "--output", path, loaded)
            assert enter(Layout(tmp_path / form), str(path)).image.config.digest
    finally:
        subprocess.run(["podman", "rmi", "--force", loaded], capture_output=True, check=True)
    with pytest.raises(InputError, match="podman has"):
        enter(Layout(tmp_path / "layout"), "podman:localhost/no/such:image")


def test_an_image_that_podman_has_in_docker_s_form_keeps_its_identity(theirs, tmp_path):
    need("podman")
    need("skopeo")
    archive = tmp_path / "docker.tar"
    output("skopeo", "copy", "--quiet", f"oci:{theirs}:foreign", f"docker-archive:{archive}:foreign:1")
    loaded = output("podman", "pull", "--quiet", f"docker-archive:{archive}")
    try:
        entered = enter(Layout(tmp_path / "layout"), f"podman:{loaded}")
        assert (entered.image.config.digest, entered.remarks) == (f"sha256:{loaded}", ())
    finally:
        subprocess.run(["podman", "rmi", "--force", loaded], capture_output=True, check=True)


@pytest.fixture(scope="module")
def docker_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need("dockerd")
    folder = tmp_path_factory.mktemp("d")
    started = subprocess.run(["bash", DOCKERD, "start", folder], capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", started.stdout.strip())
        yield started.stdout.strip()
    subprocess.run(["bash", DOCKERD, "stop", folder], check=True)


def test_an_image_of_docker_keeps_its_identity(docker_host, theirs, known, tmp_path):
    need("skopeo")
    archive = tmp_path / "docker.tar"
    output("skopeo", "copy", "--quiet", f"oci:{theirs}:foreign", f"docker-archive:{archive}:foreign:1")
    output("docker", "-H", docker_host, "load", "--quiet", "--input", archive)
    entered = enter(Layout(tmp_path / "layout"), "docker-daemon:foreign:1")
    assert entered.remarks == ()
    assert [one.digest for one in entered.image.layers] == [one.digest for one in known.image.layers]
    saved = tmp_path / "saved.tar"
    output("docker", "-H", docker_host, "save", "--output", saved, "foreign:1")
    assert enter(Layout(tmp_path / "another"), f"{saved}:foreign:1").image == entered.image
    with pytest.raises(InputError, match="docker has"):
        enter(Layout(tmp_path / "layout"), "docker-daemon:no/such:image")


@pytest.fixture(scope="module")
def sif_file(theirs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("apptainer")
    folder = tmp_path_factory.mktemp("sif")
    definition = folder / "image.def"
    definition.write_text("Bootstrap: oci\nFrom: " + f"{theirs}\n\n%environment\nexport EXPERIMENT=ATLAS\n")
    environment = os.environ | {"APPTAINER_CACHEDIR": str(folder / "cache")}
    path = folder / "image.sif"
    done = subprocess.run(
        ["apptainer", "build", "--force", path, definition],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return path


def test_the_file_tree_of_a_sif_file_enters_and_runs(sif_file, tmp_path):
    store = Store(tmp_path / "store")
    entered = enter(store.layout, str(sif_file))
    assert any("SIF" in remark for remark in entered.remarks)
    assert entered.image.settings.environment["PATH"].startswith("/bin")
    again = enter(Store(tmp_path / "again").layout, f"sif:{sif_file}")
    assert again.image == entered.image
    made = squashfs.build(store.layout, entered.image, store.runtime)
    run = ["apptainer", "exec", "--containall", "--no-home", made.path]
    assert output(*run, "sh", "-c", "cat /data/one /opaque/above; echo $EXPERIMENT") == "firstseenATLAS"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_every_user_makes_the_same_image_of_a_sif_file_as_root(sif_file):
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        folder.chmod(0o777)
        copy = folder / "image.sif"
        shutil.copy(sif_file, copy)
        copy.chmod(0o644)
        as_root = sif.take_in(Layout(folder / "root"), copy, "amd64")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setgroups([])
                os.setgid(4321)
                os.setuid(4321)
                status = sif.take_in(Layout(folder / "user"), copy, "amd64").config != as_root.config
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("change", ["cut", "size", "scrambled", "no partition"])
def test_a_broken_sif_file_is_refused_with_a_message(sif_file, tmp_path, change):
    data = bytearray(sif_file.read_bytes())
    part = sif.find(sif_file)
    if change == "cut":
        del data[part.offset + part.size // 2 :]
    elif change == "size":
        at = data.index(part.size.to_bytes(8, "little"))
        data[at : at + 8] = (1 << 60).to_bytes(8, "little")
    elif change == "scrambled":
        data[part.offset + 96 : part.offset + part.size] = os.urandom(part.size - 96)
    else:
        at = data.index((0x4004).to_bytes(4, "little"))
        data[at : at + 4] = (0x4001).to_bytes(4, "little")
    path = tmp_path / "broken.sif"
    path.write_bytes(data)
    layout = Layout(tmp_path / "layout")
    with pytest.raises(InputError, match=r"broken\.sif"):
        enter(layout, str(path))
    assert list(layout.blobs()) == []
    assert [one.name for one in layout.folder.iterdir() if one.name.startswith(".part")] == []


def test_what_was_pushed_by_relance_is_an_image_for_podman(theirs, known, store, tmp_path):
    need("podman")
    with running(tmp_path) as host:
        target = Reference.parse(f"{host}/group/foreign:2")
        pushing.push(store.layout, known.image.manifest, target, ACCESS)
        pulled = output("podman", "pull", "--quiet", "--tls-verify=false", f"docker://{host}/group/foreign:2")
        try:
            assert f"sha256:{pulled}" == known.image.config.digest
        finally:
            subprocess.run(["podman", "rmi", "--force", pulled], capture_output=True, check=True)
