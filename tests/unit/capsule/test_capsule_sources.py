"""What comes from a layout that isn't trusted is verified at each reading, not only when it is brought."""

from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import archive, sources, writing
from relance.digest import of_bytes
from relance.errors import InputError
from relance.store.layout import Layout

SCRIPT = capsules.SOURCES["scripts/count.sh"]
OTHER = SCRIPT[:-2] + b"2\n"


@pytest.mark.parametrize("form", ["tar", "folder"])
def test_a_blob_that_is_not_what_its_name_says_is_not_given_out(tmp_path: Path, form: str) -> None:
    layout = Layout(tmp_path / "content")
    described = writing.write(layout, capsules.small(layout), name="counting")
    place = tmp_path / "content"
    if form == "tar":
        place = tmp_path / "counting.tar"
        archive.export_tar(layout, described, place)
        place.write_bytes(place.read_bytes().replace(SCRIPT, OTHER))
    else:
        blob = layout.path(of_bytes(SCRIPT))
        blob.chmod(0o644)
        blob.write_bytes(OTHER)
    with sources.opened(place) as source:
        assert source.size(of_bytes(SCRIPT)) == len(SCRIPT)
        with pytest.raises(InputError, match=of_bytes(SCRIPT)):
            source.read(of_bytes(SCRIPT))
