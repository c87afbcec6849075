from pathlib import Path

import pytest

from relance.engines import mounts
from relance.engines.mounts import Mount
from relance.errors import InputError


@pytest.mark.parametrize("name", ["a:b", "a,b", "a\nb", 'a"b'])
def test_a_path_that_an_engine_would_misread_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="can't be mounted"):
        mounts.check([Path("/work") / name])


def test_every_mount_has_its_place_before_an_engine_starts(tmp_path: Path) -> None:
    scratch, source = tmp_path / "scratch", tmp_path / "source.txt"
    source.write_text("x")
    for name in ("home", "tmp", "root"):
        (scratch / name).mkdir(parents=True)
    targets = ("/data/deep/a.txt", "/tmp/b.txt", "/home/relance/c.txt")  # noqa: S108 - of the container
    shown = [Mount(source, Path(target)) for target in targets]
    shown += [Mount(tmp_path, Path("/folder")), Mount(source, Path("/folder/inside/of/it"))]
    mounts.make_points(scratch, shown)
    made = sorted(str(path.relative_to(scratch)) for path in scratch.rglob("*") if path.is_file())
    assert made == ["home/c.txt", "root/data/deep/a.txt", "tmp/b.txt"]
    assert (scratch / "root" / "folder").is_dir()
