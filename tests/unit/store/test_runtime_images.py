"""A runtime image that a rule names by its path is known by what the store made it of."""

from pathlib import Path

import pytest
from tests import capsules

from relance.model import Digest
from relance.store import runtime_images
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.importing import entry
from relance.store.normalise import Image
from relance.store.store import Store

pytestmark = pytest.mark.container  # sqfstar makes the file


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def image(store: Store) -> Image:
    toy = capsules.toy_image(store.layout)
    return Image.read(store.layout, Descriptor(MANIFEST_TYPE, toy.manifest, toy.manifest_size))


def config_of(store: Store, file: Path) -> Digest | None:
    found = runtime_images.image_of(store, file)
    return None if found is None else found.config.digest


def test_a_runtime_image_is_known_by_what_it_was_made_of(store: Store, image: Image, tmp_path: Path) -> None:
    entry.name(store.layout, image, "docker://example.org/toy:1")
    made = runtime_images.make(store, image)
    link = tmp_path / "toy.sqsh"
    link.symlink_to(made.path)
    assert config_of(store, made.path) == config_of(store, link) == image.config.digest


def test_another_file_is_not_taken_for_it(store: Store, image: Image, tmp_path: Path) -> None:
    made = runtime_images.make(store, image)
    assert config_of(store, made.path) is None  # its image has no name, and may be collected
    entry.name(store.layout, image, "docker://example.org/toy:1")
    copy = tmp_path / made.path.name
    copy.write_bytes(made.path.read_bytes())
    assert config_of(store, copy) is None  # nobody knows who writes there
    assert config_of(store, store.runtime) is None
    made.path.chmod(0o644)
    made.path.write_bytes(b"altered")
    assert config_of(store, made.path) is None
