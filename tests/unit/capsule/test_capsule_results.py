"""Results read from what a capsule holds."""

from dataclasses import replace
from pathlib import Path

from tests import capsules

from relance.capsule import results
from relance.specification import reading
from relance.specification.model import Visibility
from relance.store.layout import Layout

BLINDED = capsules.SPECIFICATION.replace(b"pointer: /total}", b"pointer: /total, observed: true}").replace(
    b"products: public, results: public", b"products: blinded, results: blinded"
)


def test_a_blinded_value_is_read_for_those_alone_who_ask_for_all(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    capsule = capsules.small(layout)
    assert results.read(layout, capsule)["total"].value == 5.0
    blinded = replace(capsule, specification=reading.parse(BLINDED, Path("specification.yaml")))
    hidden = results.read(layout, blinded)["total"]
    assert (hidden.value, hidden.hidden) == (None, True)
    assert results.read(layout, blinded, tuple(Visibility))["total"].value == 5.0
