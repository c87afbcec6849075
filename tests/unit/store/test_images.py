from pathlib import Path

import pytest

from relance import schema
from relance.errors import InputError
from relance.model import Digest
from relance.store import build, images
from relance.store.images import LocalImage, PublishedImage
from relance.store.registry.reference import Reference
from relance.store.squashfs import RuntimeImage

REPOSITORY = Path(__file__).parents[3]


def sha(letter: str) -> Digest:
    return Digest(f"sha256:{letter * 64}")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "containers" / "fit").mkdir(parents=True)
    (tmp_path / "containers" / "fit" / "Containerfile").write_text("FROM a\nCOPY lock.txt /lock.txt\n")
    (tmp_path / "lock.txt").write_text("numpy==2\n")
    return tmp_path


def local(repository: Path, base: Digest) -> LocalImage:
    runtime = repository / "fit.sqsh"
    runtime.write_bytes(b"squashfs")
    key = build.build_key(repository, build.plan(repository, ["fit"])[0].recipe, base)
    return LocalImage(
        key, sha("a"), sha("b"), base, "podman", "localhost/fit:a", RuntimeImage(runtime, sha("d"), 8)
    )


def test_local_and_published_images_are_read_back_as_written(repository):
    here = {"fit": local(repository, sha("c"))}
    there = {"fit": PublishedImage(f"host.test/fit@{sha('b')}", sha("b"), sha("a"), sha("d"), 8)}
    images.write_local(repository, here)
    images.write_lock(repository, there)
    assert images.known(repository) == images.KnownImages(here, there)


def test_a_repository_without_either_file_knows_no_image(repository):
    assert images.known(repository) == images.KnownImages()


def test_the_committed_lock_lists_nothing_that_is_not_published():
    assert images.known(REPOSITORY).published == {}


def test_a_broken_lock_is_refused_with_its_line(repository):
    images.write_lock(repository, {})
    path = repository / images.LOCK
    path.write_text("version: 1\nimages:\n  fit:\n    reference: root:latest\n")
    with pytest.raises(InputError, match=r"images\.lock\.yaml:4"):
        images.known(repository)


@pytest.mark.parametrize("change", ["lock.txt", "containers/fit/Containerfile", "runtime"])
def test_an_image_is_outdated_once_something_it_is_made_from_changes(repository, change):
    images.write_local(repository, {"fit": local(repository, sha("c"))})
    assert build.plan(repository, [])[0].current
    if change == "runtime":
        (repository / "fit.sqsh").unlink()
    else:
        with (repository / change).open("a") as stream:
            stream.write("# changed\n")
    assert not build.plan(repository, [])[0].current


def test_an_unknown_image_is_refused_with_the_known_ones(repository):
    with pytest.raises(InputError, match="expected one of fit"):
        build.plan(repository, ["fti"])


@pytest.mark.parametrize("text", ["python:3.11", "docker.io/library/python:3.11", f"python@{sha('a')}", ""])
def test_a_reference_without_registry_or_digest_is_refused(text):
    with pytest.raises(InputError, match="not pinned"):
        Reference.pinned(text)


def test_a_tag_beside_a_digest_says_nothing():
    reference = Reference.parse(f"docker.io/library/python:3.11@{sha('a')}")
    assert (reference.host, reference.repository, reference.digest) == (
        "docker.io",
        "library/python",
        sha("a"),
    )


def test_the_schemas_are_correct_json_schemas():
    from jsonschema import Draft202012Validator

    for name in ("images", "images.local"):
        Draft202012Validator.check_schema(schema.bundled(name))
