from pathlib import Path

import pytest
from tests.unit.languages.written import STEP, read

from relance.errors import InputError


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("../outside.yml", "leads nowhere"),
        ("/etc/passwd", "leads out of the toplevel"),
        ("https://example.org/step.yml", "leads out of the toplevel"),
        ("link.yml", "leads nowhere"),
        ("other.yml#/nothing", "other.yml has no 'nothing'"),
        ("circle.yml#/a", "go in a circle"),
        ("w.yml", "go in a circle"),
        ("missing.yml", "leads nowhere"),
    ],
)
def test_references_stay_inside_and_end(reference: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "outside.yml").write_text(STEP)
    top = tmp_path / "top"
    top.mkdir()
    (top / "link.yml").symlink_to("../outside.yml")
    scheduler = f"{{scheduler_type: singlestep-stage, workflow: {{$ref: '{reference}'}}}}"
    text = f"stages:\n- {{name: one, scheduler: {scheduler}}}\n"
    with pytest.raises(InputError, match=message):
        read(top, text, other=STEP, circle="a: {$ref: '#/b'}\nb: {$ref: '#/a'}\n")
