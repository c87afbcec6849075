import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import checkout as checking_out
from relance.capsule import writing
from relance.capsule.checkout import checkout
from relance.capsule.model import Capsule, CapsuleFile, CapsuleLink, Role
from relance.errors import InputError
from relance.model import Stored
from relance.store import locking
from relance.store.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "content")


@pytest.fixture
def capsule(layout: Layout) -> Capsule:
    return capsules.small(layout, image=capsules.toy_image(layout))


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """Return what lies in a folder: bytes of files, targets of links, None for folders."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def test_a_checkout_is_the_analysis_as_it_was(layout: Layout, capsule: Capsule, tmp_path: Path) -> None:
    made = checkout(layout, capsule, tmp_path / "out", papers=False)
    files = {**capsules.SOURCES, **capsules.INPUTS, **capsules.PRODUCTS, **capsules.LOGS}
    found = tree(tmp_path / "out")
    assert {name: data for name, data in found.items() if isinstance(data, bytes)} == files
    assert found["scripts/tally.sh"] == "count.sh"
    assert found["scratch"] is None
    assert (made.files, made.size, made.missing) == (len(files), sum(map(len, files.values())), ())
    modes = {name: stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in files}
    assert {name for name, mode in modes.items() if mode == 0o755} == {"scripts/count.sh"}


def test_all_files_have_one_time(layout: Layout, capsule: Capsule, tmp_path: Path) -> None:
    checkout(layout, capsule, tmp_path / "out", papers=False, mtime=1e9)
    paths = [path for path in (tmp_path / "out").rglob("*") if not path.is_dir() or path.is_symlink()]
    assert {path.lstat().st_mtime for path in paths} == {1e9}


def test_roles_choose_what_comes(layout: Layout, capsule: Capsule, tmp_path: Path) -> None:
    checkout(layout, capsule, tmp_path / "out", roles=(Role.PRODUCT,), papers=False)
    assert {name for name, data in tree(tmp_path / "out").items() if data} == set(capsules.PRODUCTS)


def test_a_folder_that_is_empty_is_filled_and_stays_the_same_folder(
    layout: Layout, capsule: Capsule, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    before = folder.stat().st_ino
    checkout(layout, capsule, folder)
    assert folder.stat().st_ino == before
    assert not list(folder.glob(".relance*"))


@pytest.mark.parametrize("kind", ["file", "full", "dangling link"])
def test_what_is_there_is_never_written_over(
    layout: Layout, capsule: Capsule, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "out"
    if kind == "file":
        folder.write_text("thesis")
    elif kind == "full":
        folder.mkdir()
        (folder / "thesis.tex").write_text("thesis")
    else:
        folder.symlink_to(tmp_path / "none")
    before = tree(tmp_path)
    with pytest.raises(InputError, match="new or empty"):
        checkout(layout, capsule, folder)
    assert tree(tmp_path) == before


def test_the_papers_tell_what_it_is(layout: Layout, capsule: Capsule, tmp_path: Path) -> None:
    index = writing.write(layout, capsule, name=None)
    checkout(layout, capsule, tmp_path / "out", known_as=index.digest)
    letter = (tmp_path / "out" / "CAPSULE.md").read_text("utf-8")
    assert index.digest in letter
    assert "Count events above a threshold" in letter
    assert len(json.loads((tmp_path / "out" / "jobs.json").read_bytes())["jobs"]) == 3
    assert os.access(tmp_path / "out" / "replay.sh", os.X_OK)


def test_papers_give_way_to_files_of_the_analysis(layout: Layout, capsule: Capsule, tmp_path: Path) -> None:
    own = capsules.kept(layout, "CAPSULE.md", b"our own")
    checkout(layout, replace(capsule, files=(own, *capsule.files)), tmp_path / "out")
    assert (tmp_path / "out" / "CAPSULE.md").read_bytes() == b"our own"
    assert b"capsule" in (tmp_path / "out" / ".relance" / "CAPSULE.md").read_bytes()


def test_an_input_that_lay_elsewhere_comes_into_the_folder(
    layout: Layout, capsule: Capsule, tmp_path: Path
) -> None:
    far = capsules.kept(layout, "/data/far.txt", b"far", Role.INPUT)
    made = checkout(layout, replace(capsule, files=(far, *capsule.files)), tmp_path / "out")
    assert made.outside == {"/data/far.txt": tmp_path / "out/.relance/outside/data/far.txt"}
    assert made.outside["/data/far.txt"].read_bytes() == b"far"


@pytest.fixture
def by_reference(capsule: Capsule) -> Capsule:
    files = tuple(
        replace(file, stored=None, locations=("https://example.org/a",))
        if file.path == "data/a.txt"
        else file
        for file in capsule.files
    )
    return replace(capsule, files=files)


def test_a_file_that_is_only_known_is_told_with_its_locations(
    layout: Layout, by_reference: Capsule, tmp_path: Path
) -> None:
    said: list[str] = []
    made = checkout(layout, by_reference, tmp_path / "out", say=said.append)
    assert [file.path for file in made.missing] == ["data/a.txt"]
    assert "https://example.org/a" in said[0]
    assert not (tmp_path / "out" / "data" / "a.txt").exists()


def test_a_file_that_is_only_known_can_be_fetched(
    layout: Layout, by_reference: Capsule, tmp_path: Path
) -> None:
    def fetch(file: CapsuleFile, path: Path) -> bool:
        path.write_bytes(capsules.INPUTS[file.path])
        return True

    made = checkout(layout, by_reference, tmp_path / "out", fetch=fetch)
    assert made.missing == ()
    assert (tmp_path / "out" / "data" / "a.txt").read_bytes() == b"e\ne\n"


def test_images_come_as_a_layout_of_their_own(layout: Layout, capsule: Capsule, tmp_path: Path) -> None:
    checkout(layout, capsule, tmp_path / "out", with_images=True)
    images = Layout(tmp_path / "out" / checking_out.IMAGES)
    (named,) = images.names().values()
    assert named.digest == capsule.images[0].manifest
    assert images.read(capsule.images[0].config)


def test_a_damaged_blob_leaves_no_checkout(layout: Layout, capsule: Capsule, tmp_path: Path) -> None:
    path = layout.path(capsule.files[-1].digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(InputError, match="damaged"):
        checkout(layout, capsule, tmp_path / "out")
    assert sorted(name.name for name in tmp_path.iterdir()) == ["content"]


def test_what_a_job_writes_into_a_checkout_leaves_the_store_as_it_is(
    layout: Layout, capsule: Capsule, tmp_path: Path
) -> None:
    checkout(layout, capsule, tmp_path / "out")
    for file in capsule.files:
        (tmp_path / "out" / file.path).write_bytes(b"altered")
    for file in capsule.files:
        layout.read(file.digest)


def test_what_a_killed_checkout_left_is_no_hindrance_but_what_a_running_one_makes_stays(
    layout: Layout, capsule: Capsule, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    for place in (folder, tmp_path):
        (place / ".relance-checkout-killed" / "made").mkdir(parents=True)
        (place / ".relance-checkout-killed" / "lock").touch()
    (tmp_path / ".relance-checkout-running").mkdir()
    with locking.locked(tmp_path / ".relance-checkout-running" / "lock", shared=False):
        checkout(layout, capsule, folder, papers=False)
        checkout(layout, capsule, tmp_path / "new", papers=False)
        assert [path.name for path in tmp_path.glob(".relance*")] == [".relance-checkout-running"]
    assert tree(folder) == tree(tmp_path / "new")


HOSTILE = {
    "up": ("../outside", None),
    "absolute": ("/outside", None),
    "through a link": ("scripts/tally.sh/x", None),
    "a link out": ("way", "../../outside"),
    "an absolute link": ("way", "/etc"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_capsule_writes_nothing(
    layout: Layout, capsule: Capsule, tmp_path: Path, kind: str
) -> None:
    path, target = HOSTILE[kind]
    stored = capsule.files[0].stored
    assert isinstance(stored, Stored)
    hostile = (
        replace(capsule, links=(*capsule.links, CapsuleLink(path, target)))
        if target
        else replace(capsule, files=(*capsule.files, replace(capsule.files[0], path=path)))
    )
    before = tree(tmp_path)
    with pytest.raises(InputError):
        checkout(layout, hostile, tmp_path / "in" / "out")
    assert tree(tmp_path) == before
