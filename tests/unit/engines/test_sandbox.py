"""What a sandbox shows of the machine, and what it refuses to show."""

import io
import json
import os
import sys
import tarfile
from pathlib import Path

import pytest

from relance.digest import of_bytes
from relance.engines import roots, sandbox
from relance.engines.sandbox import Mount
from relance.errors import InputError, MissingPartError


def test_a_program_is_shown_python_libraries_and_relance_and_no_home() -> None:
    shown = [mount.target for mount in sandbox.own_programs(Path("/home/somebody"))]
    assert not any(mount.writable for mount in sandbox.own_programs(Path("/home/somebody")))
    for needed in (sys.prefix, sys.base_prefix, "/usr", sandbox.__file__):
        assert any(Path(needed).is_relative_to(path) for path in shown), needed
    for secret in ("/", "/etc", "/etc/shadow", "/root/.ssh", "/home", "/run", "/var/run", str(Path.cwd())):
        assert not any(Path(secret).is_relative_to(path) for path in shown), secret


def test_a_python_that_lies_above_the_home_folder_is_refused() -> None:
    with pytest.raises(MissingPartError) as raised:
        sandbox.own_programs(Path(sys.prefix) / "home")
    assert "--trust" in raised.value.next_step


def test_of_the_callers_variables_the_engines_see_only_what_they_need() -> None:
    outer = {"PATH": "/bin", "DOCKER_HOST": "x", "AWS_SECRET_ACCESS_KEY": "x", "APPTAINERENV_X": "x"}
    assert sandbox.client_environment(outer) == {"PATH": "/bin", "DOCKER_HOST": "x"}


def test_a_machine_without_any_sandbox_is_told_what_to_do() -> None:
    with pytest.raises(MissingPartError) as raised:
        sandbox.find(None, lambda _: None, {**os.environ, "PATH": "/nonexistent"})
    assert "podman" in raised.value.found
    assert "--trust" in raised.value.next_step


@pytest.mark.parametrize("name", ["a:b", "a,b", "a\nb", 'a"b'])
def test_a_path_that_an_engine_would_misread_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="can't be mounted"):
        sandbox.check_mountable([Path("/work") / name])


def test_the_image_of_the_root_is_always_the_same_and_named_by_its_configuration() -> None:
    content, digest = roots.archive((1000, 1000))
    assert (content, digest) == roots.archive((1000, 1000))
    assert roots.archive((0, 0))[1] != digest
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        (entry,) = json.load(tar.extractfile("manifest.json") or io.BytesIO())
        config = (tar.extractfile(entry["Config"]) or io.BytesIO()).read()
        layer = (tar.extractfile("layer.tar") or io.BytesIO()).read()
    assert of_bytes(config) == digest
    assert json.loads(config)["rootfs"]["diff_ids"] == [of_bytes(layer)]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        files = {member.name for member in tar if member.isfile()}
    assert files == {"etc/passwd", "etc/group"}


def test_a_root_has_nothing_in_it(tmp_path: Path) -> None:
    roots.make_folder(tmp_path / "root", (1000, 1000))
    files = [path for path in (tmp_path / "root").rglob("*") if path.is_file() and not path.is_symlink()]
    assert sorted(path.name for path in files) == ["group", "passwd"]


def test_every_mount_has_its_place_before_an_engine_starts(tmp_path: Path) -> None:
    scratch, source = tmp_path / "scratch", tmp_path / "source.txt"
    source.write_text("x")
    for name in ("home", "tmp", "root"):
        (scratch / name).mkdir(parents=True)
    targets = ("/data/deep/a.txt", "/tmp/b.txt", "/home/relance/c.txt")  # noqa: S108 - of the container
    mounts = [Mount(source, Path(target)) for target in targets]
    mounts += [Mount(tmp_path, Path("/folder")), Mount(source, Path("/folder/inside/of/it"))]
    sandbox.make_mount_points(scratch, mounts)
    made = sorted(str(path.relative_to(scratch)) for path in scratch.rglob("*") if path.is_file())
    assert made == ["home/c.txt", "root/data/deep/a.txt", "tmp/b.txt"]
    assert (scratch / "root" / "folder").is_dir()
