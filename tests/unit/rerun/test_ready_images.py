"""What plain processes need no image for, though the capsule holds none."""

from dataclasses import replace
from pathlib import Path

from tests import capsules

from relance.model import ImageRef, RuntimeKind
from relance.rerun.images import Images
from relance.store.store import Store


def test_a_capsule_of_a_plain_run_without_images_has_its_locked_environments(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    analysis = tmp_path / "analysis"
    for name in ("envs/tools.txt", "envs/other.in"):
        (analysis / name).parent.mkdir(parents=True, exist_ok=True)
        (analysis / name).touch()
    images = Images(store, replace(capsules.small(store.layout), images=()), analysis, print)
    assert images.ready(RuntimeKind.PLAIN) == (ImageRef("tools", ("docker://relance/tools",), None, None),)
    assert images.ready(RuntimeKind.APPTAINER) == ()
