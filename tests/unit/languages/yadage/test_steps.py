from pathlib import Path

import pytest
from tests.unit.languages.written import STAGE, read

from relance.errors import InputError
from relance.languages.model import Container, Step


@pytest.mark.parametrize(
    ("said", "read_as"),
    [
        ("image: a/b:1.2", "a/b:1.2"),
        ("image: 'localhost:5000/b'", "localhost:5000/b:latest"),
        ("image: 'localhost:5000/b', imagetag: v3", "localhost:5000/b:v3"),
        (f"image: 'a/b@sha256:{'0' * 64}'", f"a/b@sha256:{'0' * 64}"),
    ],
)
def test_an_image_may_bring_its_tag_or_digest(said: str, read_as: str, tmp_path: Path) -> None:
    reading = read(tmp_path, STAGE.replace("image: busybox, imagetag: '1.36'", said))
    step = reading.workflow.stages[0].cases[0].step
    assert isinstance(step, Step)
    assert isinstance(step.environment, Container)
    assert step.environment.reference == read_as


def test_an_image_with_two_tags_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"w.yml:7: an image has two tags: found a/b:1:2"):
        read(tmp_path, STAGE.replace("image: busybox, imagetag: '1.36'", "image: 'a/b:1', imagetag: '2'"))
