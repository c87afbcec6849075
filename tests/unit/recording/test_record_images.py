"""An image has the digests that are known for certain, and it is said whence they are."""

import hashlib
import os
from pathlib import Path

import pytest

from relance import digest
from relance.recording.images import Resolver
from relance.store.images import KnownImages, LocalImage
from relance.store.squashfs import RuntimeImage

ENDED = 1_000_000.0
MANIFEST = digest.of_bytes(b"manifest")
CONFIG = digest.of_bytes(b"config")
RUNTIME = digest.of_bytes(b"runtime")


def resolver(folder: Path, runtime: str = "apptainer", known: KnownImages | None = None) -> Resolver:
    return Resolver(folder, known or KnownImages(), runtime, ENDED, digest.of_file)


def built(folder: Path) -> KnownImages:
    image = RuntimeImage(folder / "toy.sqfs", RUNTIME, 7)
    local = LocalImage(CONFIG, CONFIG, MANIFEST, MANIFEST, "podman", "relance/toy", image)
    return KnownImages(local={"toy": local})


def pulled(folder: Path, written: str, time: float) -> Path:
    file = folder / ".snakemake" / "singularity" / f"{hashlib.md5(written.encode()).hexdigest()}.simg"  # noqa: S324
    file.parent.mkdir(parents=True)
    file.write_bytes(b"runtime")
    os.utime(file, (time, time))
    return file


def test_a_digest_that_the_rule_writes_needs_no_looking_up(tmp_path: Path) -> None:
    found = resolver(tmp_path).resolve(f"docker://some/fit@{MANIFEST}")
    assert (found.manifest, found.config, found.resolved) == (MANIFEST, "unknown", "written")


@pytest.mark.parametrize(("time", "resolved"), [(ENDED - 5, "run"), (ENDED + 5, "afterwards")])
def test_a_tag_is_the_file_that_was_pulled_unless_that_came_later(
    tmp_path: Path, time: float, resolved: str
) -> None:
    pulled(tmp_path, "docker://some/fit:1", time)
    found = resolver(tmp_path).resolve("docker://some/fit:1")
    assert (found.manifest, found.runtime, found.resolved) == ("unknown", RUNTIME, resolved)


def test_a_tag_without_a_file_is_unknown(tmp_path: Path) -> None:
    assert resolver(tmp_path).resolve("docker://some/fit:1").resolved == "unknown"


def test_a_plain_run_claims_no_image_file(tmp_path: Path) -> None:
    pulled(tmp_path, "docker://some/fit:1", ENDED - 5)
    found = resolver(tmp_path, "plain").resolve("docker://some/fit:1")
    assert (found.runtime, found.resolved) == ("unknown", "unknown")


def test_an_image_built_here_is_known_by_all_its_digests(tmp_path: Path) -> None:
    (tmp_path / "toy.sqfs").touch()
    os.utime(tmp_path / "toy.sqfs", (ENDED - 5, ENDED - 5))
    found = resolver(tmp_path, known=built(tmp_path)).resolve(str(tmp_path / "toy.sqfs"))
    assert (found.config, found.runtime, found.resolved) == (CONFIG, RUNTIME, "run")


def test_an_image_built_here_that_is_gone_or_newer_is_marked(tmp_path: Path) -> None:
    written = str(tmp_path / "toy.sqfs")
    assert resolver(tmp_path, known=built(tmp_path)).resolve(written).resolved == "afterwards"
    (tmp_path / "toy.sqfs").touch()
    assert resolver(tmp_path, known=built(tmp_path)).resolve(written).resolved == "afterwards"
