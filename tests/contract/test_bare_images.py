"""An image with Busybox and nothing else runs wherever relance itself runs something in an image."""

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contract.conftest import Relance

from relance import digest
from relance.store import images, squashfs
from relance.store.descriptors import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE
from relance.store.images import LocalImage
from relance.store.normalise import Image
from relance.store.store import Store

pytestmark = pytest.mark.container

# A user who may write nowhere, and a program that fails before any command: as some of the field's images.
SETTINGS = {"Env": ["PATH=/bin"], "User": "500:500", "Entrypoint": ["/bin/false"], "WorkingDir": "/opt/exp"}


def bare(busybox: Path) -> bytes:
    """A layer with programs and nothing else: no /tmp, no users, no folder to write to."""

    def closed(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.mode, entry.uid, entry.gid = 0o555, 0, 0
        entry.uname = entry.gname = ""
        return entry

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        root = tarfile.TarInfo(".")
        root.type = tarfile.DIRTYPE
        tar.addfile(closed(root))
        tar.add(busybox / "bin", "bin", filter=closed)
    return stream.getvalue()


@pytest.fixture
def analysis_in(analysis: Callable[[str], Relance], tmp_path: Path, busybox: Path) -> Relance:
    """The analysis `bare` with its image, as if it had been built."""
    copied = analysis("bare")
    store = Store(tmp_path / "store")
    layer, layout = bare(busybox), store.layout
    roots = {"type": "layers", "diff_ids": [digest.of_bytes(layer)]}
    config = {"architecture": "amd64", "os": "linux", "config": SETTINGS, "rootfs": roots}
    stored = layout.add(json.dumps(config).encode(), CONFIG_TYPE)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": stored.to_json()}
    manifest["layers"] = [layout.add(layer, LAYER_TYPE).to_json()]
    described = layout.add(json.dumps(manifest).encode(), MANIFEST_TYPE)
    runtime = squashfs.build(layout, Image.read(layout, described), store.runtime)
    digests = (stored.digest, stored.digest, described.digest, stored.digest)
    built = LocalImage(*digests, "podman", "localhost/relance/bare:test", runtime)
    (copied.folder / "containers").mkdir()
    images.write_local(copied.folder, {"bare": built})
    return copied


def well(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("engine", ["apptainer", "docker"])
def test_an_image_with_busybox_alone_is_run(
    engine: str, analysis_in: Relance, request: pytest.FixtureRequest
) -> None:
    environment = dict(os.environ)
    if engine == "docker":
        environment["DOCKER_HOST"] = request.getfixturevalue("docker_host")
    well(analysis_in("run", "--runtime", engine, "-q", env=environment))
    results = analysis_in.folder / "results"
    assert (results / "count.txt").read_text() == "e\na\nb\n5\n"
    assert {path.owner() for path in results.iterdir()} == {analysis_in.folder.owner()}


def test_what_was_run_in_busybox_alone_is_captured_verified_recast_and_replayed(
    analysis_in: Relance, tmp_path: Path
) -> None:
    def relance(*arguments: str) -> None:
        well(analysis_in(*arguments, "-q"))

    relance("run", "--runtime", "podman")
    relance("capture")
    relance("verify", "bare", "--rerun", "--runtime", "podman")
    relance("recast", "bare", "--set", "threshold=7", "--runtime", "podman", "-o", str(tmp_path / "recast"))
    assert (tmp_path / "recast/work/analysis/results/total.json").read_text() == '{"total": 7}\n'
    relance("export", "bare", str(tmp_path / "bare.tar"))
    shutil.unpack_archive(tmp_path / "bare.tar", tmp_path / "unpacked", filter="data")
    line = ["sh", "replay.sh", "--with", "podman", str(tmp_path / "replayed")]
    replayed = subprocess.run(line, cwd=tmp_path / "unpacked", capture_output=True, text=True, check=False)
    well(replayed)
    assert "equal    results/total.json" in replayed.stdout


def test_a_rehearsal_says_that_reana_needs_bash(analysis_in: Relance) -> None:
    done = analysis_in("reana", "rehearse", "--runtime", "apptainer")
    assert (done.returncode, "the image has no bash, in which REANA runs" in done.stderr) == (1, True)
