from pathlib import Path

import pytest

from relance.engines import images
from relance.errors import InputError
from relance.model import ImageRef

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    (tmp_path / "containers").mkdir()
    (tmp_path / "envs").mkdir()
    return tmp_path


def write(analysis: Path, kind: str, text: str) -> None:
    (analysis / "containers" / f"images.{kind}.yaml").write_text(f"version: 1\nimages:\n{text}")


def test_an_analysis_without_images_has_none(analysis: Path) -> None:
    assert images.of_analysis(analysis) == ()


def test_a_built_image_is_known_by_its_path_its_digest_and_its_published_name(analysis: Path) -> None:
    write(analysis, "local", f"  fit: {{config: '{DIGEST}', runtime: {{path: /images/fit.sqsh}}}}\n")
    write(analysis, "lock", f"  fit: {{reference: 'registry.example/fit@{DIGEST}'}}\n")
    written = ("/images/fit.sqsh", "docker://relance/fit", f"docker://registry.example/fit@{DIGEST}")
    assert images.of_analysis(analysis) == (ImageRef("fit", written, DIGEST, Path("/images/fit.sqsh")),)


def test_a_locked_environment_names_an_image_that_is_not_built(analysis: Path) -> None:
    (analysis / "envs" / "generation.txt").touch()
    assert images.of_analysis(analysis) == (
        ImageRef("generation", ("docker://relance/generation",), None, None),
    )


@pytest.mark.parametrize(
    "entry", ["  fit: {}\n", "  fit: 3\n", "  fit: {config: x, runtime: {}}\n", "  fit:\n"]
)
def test_a_broken_list_is_refused_with_its_line(analysis: Path, entry: str) -> None:
    write(analysis, "local", entry)
    with pytest.raises(InputError, match=r"images\.local\.yaml:3: not a list of images"):
        images.of_analysis(analysis)
