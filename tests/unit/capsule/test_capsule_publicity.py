from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import publicity
from relance.capsule.model import Capsule
from relance.errors import InputError
from relance.specification.model import Visibility
from relance.store.layout import Layout

TOTAL = "results/total.json"


@pytest.fixture
def capsule(tmp_path: Path) -> Capsule:
    return capsules.small(Layout(tmp_path / "content"))


def seen(capsule: Capsule, visibility: Visibility, **changes: object) -> Capsule:
    """Return the capsule with its result for other eyes."""
    files = [
        replace(file, visibility=visibility, **changes) if file.path == TOTAL else file
        for file in capsule.files
    ]
    return replace(capsule, files=tuple(files))


def test_what_everybody_may_see_is_not_refused(capsule: Capsule) -> None:
    publicity.refuse_what_is_not_public(capsule)
    publicity.refuse_what_is_blinded(capsule)


@pytest.mark.parametrize("visibility", [Visibility.BLINDED, Visibility.COLLABORATION])
def test_what_is_not_for_everybody_is_named(capsule: Capsule, visibility: Visibility) -> None:
    with pytest.raises(InputError, match=r"found results/total\.json"):
        publicity.refuse_what_is_not_public(seen(capsule, visibility))


def test_a_specification_that_is_not_for_everybody_is_named_first(capsule: Capsule) -> None:
    audience = replace(capsule.specification.visibility, specification=Visibility.COLLABORATION)
    kept = replace(capsule, specification=replace(capsule.specification, visibility=audience))
    with pytest.raises(InputError, match="found the specification"):
        publicity.refuse_what_is_not_public(kept)


def test_what_is_blinded_is_named_where_the_capsule_holds_it(capsule: Capsule) -> None:
    with pytest.raises(InputError, match=r"is blinded: found results/total\.json"):
        publicity.refuse_what_is_blinded(seen(capsule, Visibility.BLINDED))
    publicity.refuse_what_is_blinded(seen(capsule, Visibility.COLLABORATION))
    publicity.refuse_what_is_blinded(seen(capsule, Visibility.BLINDED, stored=None))
