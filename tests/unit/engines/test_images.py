from pathlib import Path

import pytest

from relance.engines import images as engine_images
from relance.errors import InputError
from relance.model import Digest, ImageRef
from relance.store import images
from relance.store.images import LocalImage, PublishedImage
from relance.store.squashfs import RuntimeImage

DIGEST = Digest("sha256:" + "a" * 64)
SQUASHFS = Path("/images/fit.sqsh")
BUILT = LocalImage(
    DIGEST, DIGEST, DIGEST, DIGEST, "podman", "localhost/relance/fit:a", RuntimeImage(SQUASHFS, DIGEST, 1)
)
PUBLISHED = PublishedImage(f"registry.example/fit@{DIGEST}", DIGEST, DIGEST, DIGEST, 1)


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    (tmp_path / "containers").mkdir()
    (tmp_path / "envs").mkdir()
    return tmp_path


def test_an_analysis_without_images_has_none(analysis: Path) -> None:
    assert engine_images.of_analysis(analysis) == ()


def test_a_built_image_is_known_by_its_path_its_digest_and_its_published_name(analysis: Path) -> None:
    images.write_local(analysis, {"fit": BUILT})
    images.write_lock(analysis, {"fit": PUBLISHED})
    written = (str(SQUASHFS), "docker://relance/fit", f"docker://registry.example/fit@{DIGEST}")
    assert engine_images.of_analysis(analysis) == (ImageRef("fit", written, DIGEST, SQUASHFS),)


def test_a_locked_environment_names_an_image_that_is_not_built(analysis: Path) -> None:
    (analysis / "envs" / "generation.txt").touch()
    assert engine_images.of_analysis(analysis) == (
        ImageRef("generation", ("docker://relance/generation",), None, None),
    )


@pytest.mark.parametrize("entry", ["{}", "3", "{config: x, runtime: {}}", ""])
def test_a_broken_list_is_refused_with_its_line(analysis: Path, entry: str) -> None:
    path = analysis / images.LOCAL
    path.write_text(f"version: 1\nimages:\n  fit: {entry}\n")
    with pytest.raises(InputError, match=r"images\.local\.yaml:3: "):
        engine_images.of_analysis(analysis)
