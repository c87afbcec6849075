from pathlib import Path

from tests import capsules

from relance.capsule.model import Parent
from relance.capture import capturing
from relance.digest import of_bytes
from relance.specification import reading


def test_a_recast_does_not_take_the_name_of_its_parent() -> None:
    specification = reading.parse(capsules.SPECIFICATION, Path("specification.yaml"))
    parent = of_bytes(b"parent")
    names = [
        capturing.usual_name(specification, lineage)
        for lineage in (
            None,
            Parent(parent, {"threshold": 50.0}),
            Parent(parent, {"threshold": 60.0}),
            Parent(parent, {}, {"signal": of_bytes(b"one")}),
            Parent(parent, {}, {"signal": of_bytes(b"other")}),
            Parent(of_bytes(b"another"), {"threshold": 50.0}),
        )
    ]
    assert names[0] == "counting:1.0"
    assert len(set(names)) == 6
    assert names[1] == capturing.usual_name(specification, Parent(parent, {"threshold": 50.0}))
    assert all(name.startswith("counting-recast-") and name.endswith(":1.0") for name in names[1:])
