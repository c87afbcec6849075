"""What the rules refuse by themselves, whatever else would refuse it too."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import reading, rules, writing
from relance.capsule.model import Capsule
from relance.capsule.ordering import ordered
from relance.digest import of_bytes
from relance.errors import InputError
from relance.model import Digest, Part
from relance.store.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "content")


@pytest.fixture
def capsule(layout: Layout) -> Capsule:
    return ordered(capsules.small(layout, image=capsules.toy_image(layout)))


@pytest.mark.parametrize("sizes", [(1, 2), (1, 1, 1), (3,), (0, 4)])
def test_parts_must_add_up_to_their_file(capsule: Capsule, sizes: tuple[int, ...]) -> None:
    first, *others = capsule.files
    parts = tuple(Part(of_bytes(bytes([number])), size) for number, size in enumerate(sizes))
    assert first.stored is not None
    stored = replace(first.stored, size=4, parts=parts)
    changed = replace(capsule, files=(replace(first, size=4, stored=stored), *others))
    with pytest.raises(InputError, match="parts that make up the file"):
        rules.check(changed)


@pytest.mark.parametrize("needs", [(2,), (-1,), (7,), (1, 0), (0, 0)])
def test_jobs_need_only_those_before_them_each_once(capsule: Capsule, needs: tuple[int, ...]) -> None:
    *before, last = capsule.jobs
    with pytest.raises(InputError, match="to need only jobs before it"):
        rules.check(replace(capsule, jobs=(*before, replace(last, needs=needs))))


def test_documents_in_another_order_are_no_capsule(layout: Layout, capsule: Capsule) -> None:
    first, second, *others = capsule.files
    described = capsules.forged(layout, replace(capsule, files=(second, first, *others)))
    with pytest.raises(InputError, match="in order"):
        reading.read(layout, described)


def test_an_image_of_which_a_layer_is_gone_goes_into_no_capsule(layout: Layout, capsule: Capsule) -> None:
    (image,) = capsule.images
    layer = Digest(layout.read_json(image.manifest)["layers"][0]["digest"])
    layout.path(layer).unlink()
    with pytest.raises(InputError, match=layer):
        writing.write(layout, capsule, name="counting")
    assert layout.names() == {}
