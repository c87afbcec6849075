"""Images that `relance reana submit` can push: those of a capsule, and those that were built here."""

from dataclasses import replace
from pathlib import Path

import yaml
from tests import capsules

from relance.cli.reana import supply
from relance.model import Digest
from relance.store.layout import Layout

FILE = "/somewhere/runtime/toy.sqsh"


def listed(folder: Path, config: Digest, manifest: Digest) -> None:
    """Write the list of images that were built on a machine."""
    other = "sha256:" + "0" * 64
    toy = {"key": other, "config": config, "manifest": manifest, "base": other, "builder": "podman"}
    toy |= {"reference": "localhost/relance/toy:0", "runtime": {"path": FILE, "digest": other, "size": 1}}
    (folder / "containers").mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"version": 1, "images": {"toy": toy}})
    (folder / "containers/images.local.yaml").write_text(text)


def test_an_image_of_a_capsule_that_its_list_knows_can_be_listed_as_published(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "content")
    image = capsules.toy_image(layout, written=FILE)
    capsule = capsules.small(layout, image=image)
    listed(tmp_path, image.config, image.manifest)
    held = supply.of_capsule(tmp_path, capsule)(FILE)
    assert held is not None
    assert (held.name, held.config, held.manifest.digest) == ("toy", image.config, image.manifest)
    assert held.listed is not None
    listed(tmp_path, Digest("sha256:" + "1" * 64), image.manifest)
    other = supply.of_capsule(tmp_path, capsule)(FILE)
    assert other is not None
    assert other.listed is None, "the list names another image than the capsule has"


def test_an_image_of_a_capsule_is_called_as_its_repository_else_by_its_digest(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "content")
    image = capsules.toy_image(layout)
    capsule = capsules.small(layout, image=image)
    named = supply.of_capsule(tmp_path, capsule)(capsules.NOWHERE)
    assert named is not None
    assert named.name == "counting"
    file = replace(capsule, images=(replace(image, written=("/x/A B.sif",)),))
    nameless = supply.of_capsule(tmp_path, file)("/x/A B.sif")
    assert nameless is not None
    assert nameless.name == image.config.removeprefix("sha256:")[:12]
    assert supply.of_capsule(tmp_path, capsule)("docker://another.example/x:1") is None


def test_what_the_store_lacks_can_not_be_pushed(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "content")
    image = capsules.toy_image(layout)
    listed(tmp_path, image.config, image.manifest)
    found = supply.of_folder(tmp_path, layout)("docker://relance/toy")
    assert found is not None
    assert found.manifest.size == image.manifest_size
    assert supply.of_folder(tmp_path, None)("docker://relance/toy") is None
    listed(tmp_path, image.config, Digest("sha256:" + "1" * 64))
    assert supply.of_folder(tmp_path, layout)("docker://relance/toy") is None
    assert supply.of_folder(tmp_path, layout)("bash:5") is None
    assert supply.of_folder(tmp_path, layout)("NOT A REFERENCE") is None
