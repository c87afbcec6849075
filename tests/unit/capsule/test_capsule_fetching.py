"""Files that a capsule only knows, brought from where they are kept."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import fetching
from relance.capsule.checkout import checkout
from relance.capsule.model import Capsule
from relance.errors import MissingPartError
from relance.store.layout import Layout


def kept_elsewhere(layout: Layout, place: Path) -> Capsule:
    """Return a capsule of which two inputs are the same file, which lies at a place outside of it."""
    capsule = capsules.small(layout)
    (known,) = [file for file in capsule.files if file.path == "data/a.txt"]
    known = replace(known, stored=None, locations=(place.as_uri(),))
    files = [known if file.path == "data/a.txt" else file for file in capsule.files]
    return replace(capsule, files=(*files, replace(known, path="data/z.txt")))


def test_a_file_that_two_inputs_are_is_fetched_for_both(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "content")
    (tmp_path / "a.txt").write_bytes(capsules.INPUTS["data/a.txt"])
    capsule = kept_elsewhere(layout, tmp_path / "a.txt")
    fetch = fetching.fetcher(capsule.files, tmp_path / "cache")
    assert checkout(layout, capsule, tmp_path / "out", fetch=fetch).missing == ()
    for name in ("data/a.txt", "data/z.txt"):
        assert (tmp_path / "out" / name).read_bytes() == capsules.INPUTS["data/a.txt"]


def test_another_file_of_the_same_size_is_not_taken_for_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "content")
    (tmp_path / "a.txt").write_bytes(capsules.INPUTS["data/a.txt"][::-1])
    with pytest.raises(MissingPartError, match="it is another file"):
        fetching.fetcher(kept_elsewhere(layout, tmp_path / "a.txt").files, tmp_path / "cache")
