"""Capsules and images through a real registry: pushed, killed, pulled, listed, read by other tools."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.killing import Killer
from tests.unit.store import foreign
from tests.unit.store.tarballs import file, layer

from relance.store import fsck
from relance.store.descriptors import INDEX_TYPE, MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.store.registry import pulling, pushing, referrers, upload
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import NotFoundError
from relance.store.registry.session import Access
from relance.store.store import Store

from .registry_server import need, running

ACCESS = Access(pause=lambda _: None)
EMPTY = "application/vnd.oci.empty.v1+json"
CAPSULE = "application/vnd.example.capsule"
PUSHES = 8  # killed; how many captures and recasts are, test_capture.py says


def artifact(layout: Layout, *blobs: bytes, subject: Descriptor | None = None) -> Descriptor:
    config = layout.add(b"{}", EMPTY)
    layers = [layout.add(blob, "application/octet-stream") for blob in blobs]
    value: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": "application/vnd.example.content",
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    if subject is not None:
        value |= {"subject": subject.to_json(), "artifactType": "application/vnd.example.report"}
    return layout.add_json(value, MANIFEST_TYPE)


def index(layout: Layout, *children: Descriptor) -> Descriptor:
    manifests = [child.to_json() for child in children]
    value = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "artifactType": CAPSULE, "manifests": manifests}
    return layout.add_json(value, INDEX_TYPE)


def capsule(store: Store, *, blobs: int = 40, size: int = 50_000, seed: int = 1) -> Descriptor:
    """Store something of a capsule's shape, with an empty file among its files, and name it `thing`."""
    noise = random.Random(seed)
    layout = store.layout
    parts = [artifact(layout, b"", *(noise.randbytes(size) for _ in range(blobs // 2))) for _ in range(2)]
    root = index(layout, *parts)
    layout.name("thing", root)
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[str]:
    with running(folder) as found:
        yield found


def arrived(folder: Path, repository: str) -> int:
    """How many blobs and manifests a registry has in a repository."""
    place = folder / "data/docker/registry/v2/repositories" / repository
    return sum(1 for kind in ("_layers", "_manifests/revisions") for _ in place.glob(f"{kind}/sha256/*/link"))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "relance", *map(str, arguments)]


def relance(*arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, env=os.environ | environment
    )


def test_what_was_pushed_is_pulled_bit_by_bit(host, tmp_path):
    mine, yours = Store(tmp_path / "mine"), Store(tmp_path / "yours")
    root = capsule(mine)
    pushed = relance("push", "--store", mine.folder, "thing", f"{host}/group/thing:1", "--json")
    assert pushed.returncode == 0, pushed.stderr
    said = json.loads(pushed.stdout)
    assert (said["digest"], said["reference"]) == (root.digest, f"{host}/group/thing:1@{root.digest}")
    pulled = relance("pull", "--store", yours.folder, f"{host}/group/thing:1", "--json")
    assert pulled.returncode == 0, pulled.stderr
    assert json.loads(pulled.stdout)["digest"] == root.digest
    assert set(yours.layout.blobs()) == set(mine.layout.blobs())
    assert relance("store", "fsck", "--store", yours.folder).returncode == 0
    again = relance("push", "--store", mine.folder, "thing", f"{host}/group/thing:1", "--json")
    assert json.loads(again.stdout)["sent"] == 0
    assert (
        json.loads(relance("pull", "--store", yours.folder, said["reference"], "--json").stdout)["fetched"]
        == 0
    )


def test_a_dry_run_pushes_nothing(host, tmp_path):
    store = Store(tmp_path / "store")
    capsule(store, blobs=2)
    done = relance("push", "--store", store.folder, "thing", f"{host}/group/untouched:1", "--dry-run")
    assert (done.returncode, "would be pushed" in done.stdout) == (0, True)
    missing = relance("pull", "--store", store.folder, f"{host}/group/untouched:1")
    assert (missing.returncode, "check the name and the tag" in missing.stderr) == (2, True)
    assert relance("inspect", "--store", store.folder, f"{host}/group/untouched:1").returncode == 2
    away = relance("pull", "--store", store.folder, "127.0.0.1:9/group/untouched:1")
    assert (away.returncode, "found no connection" in away.stderr) == (3, True)


def test_a_large_blob_goes_in_pieces(host, tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "CHUNK", 1_000_000)
    layout = Layout(tmp_path / "mine")
    root = artifact(layout, random.Random(2).randbytes(3_500_000))
    pushing.push(layout, root, Reference.parse(f"{host}/pieces:1"), ACCESS)
    yours = Layout(tmp_path / "yours")
    assert pulling.pull(yours, Reference.parse(f"{host}/pieces:1"), ACCESS).manifest.digest == root.digest


def test_blobs_of_another_repository_are_mounted(host, tmp_path):
    store = Store(tmp_path / "store")
    capsule(store, seed=3)
    assert relance("push", "--store", store.folder, "thing", f"{host}/base/images:1").returncode == 0
    options = ("--mount-from", "base/images", "--json")
    done = relance("push", "--store", store.folder, "thing", f"{host}/group/mounted:1", *options)
    assert json.loads(done.stdout)["sent"] == 0, done.stderr


def test_skopeo_reads_what_was_pushed(host, tmp_path):
    need("skopeo")
    layout = Layout(tmp_path / "mine")
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    stored = layout.add_json(config, "application/vnd.oci.image.config.v1+json")
    value = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": stored.to_json(), "layers": []}
    image = layout.add_json(value, MANIFEST_TYPE)
    report = artifact(layout, b"all well", subject=image)
    both = index(layout, artifact(layout, b"a file", b""), image)
    pushing.push(layout, both, Reference.parse(f"{host}/for/skopeo:both"), ACCESS)
    pushing.push(layout, report, Reference.parse(f"{host}/for/skopeo:report"), ACCESS)
    for name, root in (("both", both), ("report", report)):
        source = f"docker://{host}/for/skopeo:{name}"
        raw = subprocess.run(
            ["skopeo", "inspect", "--tls-verify=false", "--raw", source], capture_output=True, check=True
        )
        assert raw.stdout == layout.read(root.digest)
        copy = ["skopeo", "copy", "--all", "--preserve-digests", "--src-tls-verify=false", "--quiet"]
        subprocess.run([*copy, source, f"oci:{tmp_path / 'copy'}:{name}"], check=True, capture_output=True)
    assert set(Layout(tmp_path / "copy").blobs()) <= set(layout.blobs())
    assert Layout(tmp_path / "copy").names()["both"].digest == both.digest


def test_reports_are_listed_by_a_registry_without_such_a_list(host, tmp_path):
    mine, yours = Store(tmp_path / "mine"), Store(tmp_path / "yours")
    root = capsule(mine, blobs=4, seed=4)
    reports = [artifact(mine.layout, text, subject=root) for text in (b"first", b"second")]
    for report in reports:
        mine.layout.attach(report)
    done = relance("push", "--store", mine.folder, "thing", f"{host}/group/reported:1", "--with-reports")
    assert done.returncode == 0, done.stderr
    listed = referrers.listed(Reference.parse(f"{host}/group/reported@{root.digest}"), ACCESS)
    assert {entry.digest for entry in listed} == {report.digest for report in reports}
    assert {entry.artifact_type for entry in listed} == {"application/vnd.example.report"}
    done = relance("pull", "--store", yours.folder, f"{host}/group/reported:1", "--with-reports")
    assert done.returncode == 0, done.stderr
    found = referrers.in_layout(yours.layout, root.digest)
    assert {entry.digest for entry in found} == {report.digest for report in reports}


def sound(store: Store) -> None:
    assert fsck.check(store).sound


@pytest.mark.slow
def test_a_push_killed_at_any_moment_is_finished_by_the_same_command(folder, host, tmp_path):
    store = Store(tmp_path / "store")
    moments = random.Random(5)
    killed = 0
    with Killer(5) as killer:
        capsule(store, blobs=2, seed=99)
        assert killer.load("push", "--store", store.folder, "thing", f"{host}/killed/none:1") == 0
        for number in range(3 * PUSHES):
            root = capsule(store, blobs=30, size=200_000, seed=100 + number)
            reference = f"{host}/killed/n{number}:1"
            push = ("push", "--store", store.folder, "thing", reference, "--quiet")
            # 32 blobs, then three manifests; the last of them is the tag's.
            few = moments.choice([moments.randrange(32), moments.randrange(32), 32, 33, 34])
            enough = lambda few=few, name=f"killed/n{number}": arrived(folder, name) >= few  # noqa: E731
            killed += killer.kill_when(enough, *push)
            half = Store(tmp_path / f"half{number}")
            # The tag is set last: either it isn't there, or all is.
            with suppress(NotFoundError):
                early = pulling.pull(half.layout, Reference.parse(reference), ACCESS)
                assert early.manifest.digest == root.digest
            assert killer.run(*push) == 0
            pulled = pulling.pull(half.layout, Reference.parse(reference), ACCESS)
            assert pulled.manifest.digest == root.digest
            sound(half)
            shutil.rmtree(half.folder)
            if killed == PUSHES:
                break
    assert killed == PUSHES
    sound(store)


@pytest.mark.slow
def test_a_pull_killed_at_any_moment_is_finished_by_the_same_command(host, tmp_path):
    mine = Store(tmp_path / "mine")
    root = capsule(mine, blobs=60, size=200_000, seed=6)
    reference = f"{host}/killed/pull:1"
    pushing.push(mine.layout, root, Reference.parse(reference), ACCESS)
    moments = random.Random(7)
    killed = 0
    with Killer(7) as killer:
        assert killer.load("pull", "--store", tmp_path / "first", reference) == 0
        for number in range(8):
            yours = Store(tmp_path / f"yours{number}")
            blobs = yours.content / "blobs/sha256"
            pull = ("pull", "--store", yours.folder, reference)
            few = moments.randrange(60)
            enough = lambda few=few, blobs=blobs: len(list(blobs.glob("*"))) >= few  # noqa: E731
            killed += killer.kill_when(enough, *pull)
            if yours.content.exists():
                sound(yours)
            assert killer.run(*pull) == 0
            assert set(mine.layout.blobs()) == set(yours.layout.blobs())
            sound(yours)
            shutil.rmtree(yours.folder)
    assert killed >= 6


@pytest.mark.slow
def test_an_import_killed_at_any_moment_is_finished_by_the_same_command(host, tmp_path):
    noise = random.Random(9)
    layers = [layer(file(f"noise{number}", noise.randbytes(3_000_000))) for number in range(12)]
    image = foreign.image(*layers)
    theirs = Layout(tmp_path / "theirs")
    reference = f"{host}/killed/image:1"
    pushing.push(theirs, foreign.put(theirs, image), Reference.parse(reference), ACCESS)
    killed = 0
    with Killer(9) as killer:
        assert killer.load("images", "import", reference, "--store", tmp_path / "first") == 0
        for number in range(6):
            store = Store(tmp_path / f"store{number}")
            blobs = store.content / "blobs/sha256"
            bring = ("images", "import", reference, "--store", store.folder)
            few = noise.randrange(12)
            enough = lambda few=few, blobs=blobs: len(list(blobs.glob("*"))) >= few  # noqa: E731
            killed += killer.kill_when(enough, *bring)
            if store.content.exists():
                sound(store)
            done = relance(*bring, "--json")
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["config"] == image.identity
            sound(store)
            shutil.rmtree(store.folder)
    assert killed >= 4


def test_two_pulls_of_the_same_at_once_agree(host, tmp_path):
    mine, yours = Store(tmp_path / "mine"), Store(tmp_path / "yours")
    root = capsule(mine, seed=8)
    pushing.push(mine.layout, root, Reference.parse(f"{host}/group/twice:1"), ACCESS)
    pull = command("pull", "--store", yours.folder, f"{host}/group/twice:1")
    both = [subprocess.Popen(pull, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert {process.communicate()[0].strip() for process in both} == {root.digest}
    assert relance("store", "fsck", "--store", yours.folder).returncode == 0


# login and TLS

SECRET = "s3cret!"  # noqa: S105


def test_a_password_of_the_environment_opens_a_registry(tmp_path):
    need("perl")
    folder = tmp_path / "registry"
    folder.mkdir()
    hashed = ["perl", "-e", "print crypt($ARGV[0], q($2b$05$abcdefghijklmnopqrstuu))", SECRET]
    known = subprocess.run(hashed, capture_output=True, text=True, check=True).stdout
    (folder / "htpasswd").write_text(f"ada:{known}\n")
    store = Store(tmp_path / "store")
    root = capsule(store, blobs=4)
    with running(folder, auth={"htpasswd": {"realm": "x", "path": str(folder / "htpasswd")}}) as host:
        push = ("push", "--store", store.folder, "thing", f"{host}/group/thing:1")
        closed = relance(*push, HOME=str(tmp_path))
        assert (closed.returncode, "RELANCE_REGISTRY_USER" in closed.stderr) == (2, True)
        wrong = relance(*push, RELANCE_REGISTRY_USER="ada", RELANCE_REGISTRY_PASSWORD="wr0ng")  # noqa: S106
        assert (wrong.returncode, "wr0ng" in wrong.stderr + wrong.stdout) == (2, False)
        elsewhere = {"RELANCE_REGISTRY_HOST": "registry.example.org"}
        login = {"RELANCE_REGISTRY_USER": "ada", "RELANCE_REGISTRY_PASSWORD": SECRET}
        assert relance(*push, **login, **elsewhere).returncode == 2
        done = relance(*push, **login)
        assert (done.returncode, SECRET in done.stderr + done.stdout) == (0, False), done.stderr
        half = relance(*push, RELANCE_REGISTRY_USER="ada")
        assert (half.returncode, "only RELANCE_REGISTRY_USER" in half.stderr) == (2, True)
        logged_in = tmp_path / "auth.json"
        need("skopeo")
        subprocess.run(
            [
                "skopeo",
                "login",
                "--tls-verify=false",
                "--authfile",
                logged_in,
                "-u",
                "ada",
                "-p",
                SECRET,
                host,
            ],
            check=True,
            capture_output=True,
        )
        pulled = relance(
            "pull", "--store", tmp_path / "yours", f"{host}/group/thing:1", REGISTRY_AUTH_FILE=str(logged_in)
        )
        assert pulled.stdout.strip() == root.digest, pulled.stderr


def test_a_certificate_is_verified(tmp_path):
    need("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", certificate, "-nodes"]
    made += ["-days", "2", "-subj", "/CN=registry.test", "-addext", "subjectAltName=DNS:registry.test"]
    subprocess.run(made, check=True, capture_output=True)
    # A name that isn't written as this machine's: TLS is spoken, though the server is on this machine.
    with running(tmp_path, {"tls": {"certificate": str(certificate), "key": str(key)}}) as host:
        program = (
            "import socket, sys; real = socket.getaddrinfo\n"
            "def local(name, *rest, **more): return real('127.0.0.1' if name == 'registry.test' else name, "
            "*rest, **more)\n"
            "socket.getaddrinfo = local\n"
            "from relance.cli import run_command_line; sys.exit(run_command_line(sys.argv[1:]))\n"
        )
        store = Store(tmp_path / "store")
        capsule(store, blobs=2)
        target = f"registry.test:{host.rpartition(':')[2]}/group/thing:1"
        push = [sys.executable, "-c", program, "push", "--store", store.folder, "thing", target]
        refused = subprocess.run(push, capture_output=True, text=True, check=False)
        assert (refused.returncode, "--ca-file" in refused.stderr) == (3, True), refused.stderr
        trusted = subprocess.run(
            [*push, "--ca-file", certificate], capture_output=True, text=True, check=False
        )
        assert trusted.returncode == 0, trusted.stderr
