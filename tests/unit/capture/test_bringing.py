"""Where a run's image is taken from, with a registry and engines that the test answers for."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import capsules

from relance.capture import bringing, images
from relance.capture.bringing import Enter
from relance.errors import MissingPartError
from relance.store.importing import entry
from relance.store.importing.entry import Entered
from relance.store.importing.mapping import Mapped
from relance.store.importing.source import Kind, Source
from relance.store.layout import Layout
from relance.store.normalise import Image

WRITTEN = "docker://registry.example/tools:1"
PLACE = Mapped(WRITTEN, Source(Kind.REGISTRY, "registry.example/tools:1"))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "content")


def image(layout: Layout, text: bytes) -> Image:
    return images.read(layout, capsules.toy_image(layout, text))


@pytest.fixture
def places(layout: Layout) -> Callable[..., tuple[Enter, list[Source]]]:
    """Gives an image for each kind of place that is said to have one, and a list of those that were asked."""

    def having(**kept: bytes) -> tuple[Enter, list[Source]]:
        asked: list[Source] = []

        def enter(place: Mapped) -> Entered:
            asked.append(place.source)
            name = place.source.kind.name.lower()
            if name not in kept:
                raise MissingPartError(name, expected="an answer", found="none", next_step="wait")
            found = image(layout, kept[name])
            return Entered(found, place.name, place.source, None, place.name if place.by_rule else None)

        return enter, asked

    return having


def config(layout: Layout, text: bytes) -> str:
    return image(layout, text).config.digest


def test_the_engine_that_ran_the_jobs_is_asked_first(
    layout: Layout, tmp_path: Path, places: Callable[..., tuple[Enter, list[Source]]]
) -> None:
    enter, asked = places(podman=b"ran", registry=b"moved since")
    found = bringing.bring(layout, PLACE, tmp_path, "podman", enter)
    assert (found.image.config.digest, found.stands_for) == (config(layout, b"ran"), None)
    assert asked == [Source(Kind.PODMAN, "registry.example/tools:1")]


def test_an_engine_that_has_it_no_more_is_no_obstacle(
    layout: Layout, tmp_path: Path, places: Callable[..., tuple[Enter, list[Source]]]
) -> None:
    enter, asked = places(registry=b"published")
    found = bringing.bring(layout, PLACE, tmp_path, "docker", enter)
    assert found.image.config.digest == config(layout, b"published")
    assert [source.kind for source in asked] == [Kind.DOCKER, Kind.REGISTRY]


def test_without_a_registry_the_image_of_the_store_that_has_its_name_is_taken(
    layout: Layout, tmp_path: Path, places: Callable[..., tuple[Enter, list[Source]]]
) -> None:
    entry.name(layout, image(layout, b"imported"), WRITTEN)
    found = bringing.bring(layout, PLACE, tmp_path, "apptainer", places()[0])
    assert found.image.config.digest == config(layout, b"imported")


def test_else_the_file_that_was_pulled_stands_for_it(
    layout: Layout, tmp_path: Path, places: Callable[..., tuple[Enter, list[Source]]]
) -> None:
    name = hashlib.md5(WRITTEN.encode(), usedforsecurity=False).hexdigest()
    pulled = tmp_path / ".snakemake" / "singularity" / f"{name}.simg"
    pulled.parent.mkdir(parents=True)
    pulled.touch()
    enter, asked = places(sif=b"pulled")
    found = bringing.bring(layout, PLACE, tmp_path, "apptainer", enter)
    assert (found.image.config.digest, found.stands_for) == (config(layout, b"pulled"), WRITTEN)
    assert asked[-1] == Source(Kind.SIF, path=pulled)


def test_what_nobody_has_is_told_as_the_registry_tells_it(
    layout: Layout, tmp_path: Path, places: Callable[..., tuple[Enter, list[Source]]]
) -> None:
    with pytest.raises(MissingPartError, match="registry"):
        bringing.bring(layout, PLACE, tmp_path, "podman", places()[0])


def test_a_mapping_counts_before_all_else(
    layout: Layout, tmp_path: Path, places: Callable[..., tuple[Enter, list[Source]]]
) -> None:
    enter, asked = places(sif=b"kept", podman=b"ran")
    by_rule = Mapped(WRITTEN, Source(Kind.SIF, path=tmp_path / "kept.sif"), by_rule=True)
    found = bringing.bring(layout, by_rule, tmp_path, "podman", enter)
    assert (found.image.config.digest, found.stands_for) == (config(layout, b"kept"), WRITTEN)
    assert len(asked) == 1


def test_a_mapping_to_a_registry_counts_before_the_engine_that_ran_the_jobs(
    layout: Layout, tmp_path: Path, places: Callable[..., tuple[Enter, list[Source]]]
) -> None:
    enter, asked = places(registry=b"mapped", podman=b"ran")
    by_rule = Mapped(WRITTEN, Source(Kind.REGISTRY, "registry.example/kept:2"), by_rule=True)
    found = bringing.bring(layout, by_rule, tmp_path, "podman", enter)
    assert (found.image.config.digest, found.stands_for) == (config(layout, b"mapped"), WRITTEN)
    assert asked == [by_rule.source]


def test_a_recast_has_the_images_of_the_capsule_that_it_ran(layout: Layout) -> None:
    known = capsules.toy_image(layout, b"kept", WRITTEN)
    gone = capsules.toy_image(Layout(layout.folder.with_name("other")), b"gone", "docker://gone")
    found = images.of_parent(layout, (gone, known), WRITTEN)
    assert found is not None
    assert found.image.config.digest == known.config
    for written in ("docker://other", "docker://gone"):
        assert images.of_parent(layout, (gone, known), written) is None
