import io
import json
import tarfile
from pathlib import Path

from relance.digest import of_bytes
from relance.engines import roots


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
