"""What was searched for secrets is not searched again; what was only hashed is."""

import time
from pathlib import Path

import pytest

from relance.capture.secrecy import Searched
from relance.digest import of_file
from relance.errors import InputError
from relance.model import Stored
from relance.store.hashing import Memory

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
