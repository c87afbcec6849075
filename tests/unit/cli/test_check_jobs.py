"""What `relance check` asks of the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from relance.cli import check_jobs
from relance.store.descriptors import Descriptor
from relance.store.importing import entry
from relance.store.store import Store

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"


def put(store: Store, name: str, settings: dict[str, str] | None) -> Descriptor:
    layout = store.layout
    configuration = layout.add_json({"config": settings} if settings is not None else {}, CONFIGURATION)
    manifest = layout.add_json(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": configuration.to_json(), "layers": []}, MANIFEST
    )
    layout.name(entry.index_name(name), manifest)
    return manifest


@pytest.mark.parametrize(
    ("settings", "user"),
    [({"User": "500"}, "500"), ({"User": "atlas:atlas"}, "atlas:atlas"), ({}, ""), (None, "")],
)
def test_the_user_of_an_image_is_that_of_its_configuration(
    settings: dict[str, str] | None, user: str, tmp_path: Path
) -> None:
    put(Store(tmp_path), "docker.io/atlas/analysisbase:21", settings)
    user_of = check_jobs.users(tmp_path)
    assert user_of("docker.io/atlas/analysisbase:21") == user
    assert user_of("atlas/analysisbase:21") == user


def test_of_an_image_that_is_not_there_nothing_is_known(tmp_path: Path) -> None:
    put(Store(tmp_path), "busybox:1", {"User": "1"})
    assert check_jobs.users(tmp_path)("busybox:2") is None
    assert check_jobs.users(tmp_path / "nowhere")("busybox:1") is None
    assert not (tmp_path / "nowhere").exists()
