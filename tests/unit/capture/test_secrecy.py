"""What was searched for secrets is not searched again; what was only hashed is."""

import os
import time
from pathlib import Path

import pytest
from tests import capsules

from relance.capture.secrecy import Searched
from relance.digest import of_file
from relance.errors import InputError
from relance.model import Stored
from relance.store.hashing import Memory
from relance.store.layout import Layout

KEY = "-----BEGIN " + "RSA PRIVATE KEY-----\n" + "MIIEow" * 20 + "\n-----END " + "RSA PRIVATE KEY-----\n"


def hashed(path: Path, folder: Path) -> tuple[Memory, Stored]:
    """Return a memory that knows the digest of a file, as recording a run leaves it."""
    memory, known = Memory(folder / "digests.json"), Stored(of_file(path), path.stat().st_size)
    memory.learn(path, path.stat(), time.time_ns() + 10_000_000_000, known)
    assert memory.recall(path, path.stat()) == known
    return memory, known


def test_a_file_that_was_only_hashed_before_is_searched(tmp_path: Path) -> None:
    path = tmp_path / "grid.pem"
    path.write_text(KEY)
    memory, _ = hashed(path, tmp_path)
    search = Searched(tmp_path / "searched.json").search({path: "grid.pem"}, memory, ())
    assert not search.passes(path)
    with pytest.raises(InputError, match=r"grid\.pem.*private key"):
        search.refuse()


def test_what_was_searched_before_is_known_by_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "looks-like-a-key.pem"
    path.write_text(KEY)
    memory, known = hashed(path, tmp_path)
    Searched(tmp_path / "searched.json").remember([known])
    search = Searched(tmp_path / "searched.json").search({path: path.name}, memory, ())
    assert search.passes(path)
    search.refuse()


def test_an_image_that_was_searched_is_remembered_and_what_is_known_is_not_written_again(
    tmp_path: Path,
) -> None:
    layout, file = Layout(tmp_path / "store"), tmp_path / "searched.json"
    image = capsules.toy_image(layout)
    first = Searched(file)
    first.images(layout, [image], ())
    first.remember([])
    os.utime(file, (1, 1))
    again = Searched(file)
    assert image.manifest in again.clean
    again.images(layout, [image], ())
    again.remember([])
    assert file.stat().st_mtime == 1
    again.remember([Stored(of_file(file), 1)])
    assert file.stat().st_mtime > 1
