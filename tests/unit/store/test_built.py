"""Images that no repository uses any more can go, and no others."""

from pathlib import Path

import pytest

from relance.errors import InputError
from relance.model import Digest
from relance.store import built, images
from relance.store.built import Unused
from relance.store.descriptors import MANIFEST_TYPE
from relance.store.images import LocalImage
from relance.store.squashfs import RuntimeImage
from relance.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return made(tmp_path / "analysis")


def made(folder: Path) -> Path:
    (folder / "containers").mkdir(parents=True)
    return folder


def image(letter: str) -> LocalImage:
    sha = Digest(f"sha256:{letter * 64}")
    runtime = RuntimeImage(Path("/nowhere.sqsh"), sha, 1)
    return LocalImage(sha, sha, sha, sha, "podman", built.reference_of("fit", sha), runtime)


def build(store: Store, repository: Path, letter: str) -> str:
    """What `relance images build` leaves of an image, but for the image itself."""
    found = image(letter)
    name = built.index_name("fit", found.config)
    store.layout.name(name, store.layout.add(letter.encode(), MANIFEST_TYPE))
    images.write_local(repository, {"fit": found})
    built.note(store, repository, {"fit": found})
    return name


def test_what_was_built_anew_is_unused_and_what_it_became_is_not(store: Store, repository: Path) -> None:
    old, new = build(store, repository, "a"), build(store, repository, "b")
    assert built.unused(store) == (Unused(old, (repository,)),)
    built.forget(store, [old])
    assert set(store.layout.names()) == {new}
    assert built.unused(store) == ()


def test_an_image_of_two_repositories_stays_until_neither_uses_it(
    store: Store, repository: Path, tmp_path: Path
) -> None:
    other = made(tmp_path / "other")
    shared = build(store, repository, "a")
    build(store, other, "a")
    build(store, repository, "b")
    assert built.unused(store) == ()
    build(store, other, "b")
    (found,) = built.unused(store)
    assert found.name == shared
    assert set(found.built_for) == {repository, other}
    assert found.reference == image("a").reference


def test_a_repository_that_is_gone_uses_nothing(store: Store, repository: Path) -> None:
    name = build(store, repository, "a")
    repository.rename(repository.with_name("moved"))
    assert [one.name for one in built.unused(store)] == [name]
    built.forget(store, [name])
    assert list((store.folder / "built").glob("*.json")) == []


def test_what_nobody_noted_stays(store: Store, repository: Path) -> None:
    blob = store.layout.add(b"theirs", MANIFEST_TYPE)
    for name in ("fit/aaaaaaaaaaaa", "image/docker.io/library/debian:12", "capsule/fit:1.0"):
        store.layout.name(name, blob)
    build(store, repository, "b")
    (store.folder / "built" / "damaged.json").write_text('{"version": 1', "utf-8")
    assert built.unused(store) == ()
    assert built.unknown(store) == ("fit/aaaaaaaaaaaa",)


def test_a_list_of_images_that_cannot_be_read_keeps_everything(store: Store, repository: Path) -> None:
    build(store, repository, "a")
    (repository / images.LOCAL).write_text("version: 1\nimages: [", "utf-8")
    with pytest.raises(InputError, match=r"images\.local\.yaml"):
        built.unused(store)
