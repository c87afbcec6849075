"""Digests are right, each file is read once, and none that could be stale is trusted."""

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import digest
from relance.errors import InputError
from relance.store.hashing import Hasher


def settled(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every file look ten seconds old: the inode's time can't be set."""
    now = time.time_ns
    monkeypatch.setattr("relance.store.hashing.time.time_ns", lambda: now() + 10_000_000_000)


@given(data=st.binary(max_size=100))
def test_a_digest_is_that_of_the_bytes(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = settled(tmp_path_factory.mktemp("files") / "file", data)
    assert Hasher(file.parent / "cache").files([file]) == {file: sha256(data)}


def test_large_files_and_folders_have_the_digests_that_the_package_gives_them(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "large").write_bytes(bytes(range(256)) * 10_000)
    (folder / "link").symlink_to("inner/large")
    plain = digest.of_tree(folder)
    (folder / ".snakemake_timestamp").touch()
    told: list[int] = []
    found = Hasher(tmp_path / "cache", told.append, threads=3).files([folder, folder / "inner" / "large"])
    assert found == {folder: plain, folder / "inner" / "large": digest.of_file(folder / "inner" / "large")}
    assert sum(told) == 2_560_000, "read once, though asked for twice"


def test_a_settled_file_is_not_read_again(tmp_path: Path, old: None) -> None:
    file = settled(tmp_path / "file", b"one")
    first = Hasher(tmp_path / "cache")
    first.files([file])
    first.remember()
    forged = (tmp_path / "cache").read_text().replace(sha256(b"one"), sha256(b"two"))
    (tmp_path / "cache").write_text(forged)
    assert Hasher(tmp_path / "cache").files([file]) == {file: sha256(b"two")}


def test_a_file_written_just_now_is_not_remembered(tmp_path: Path) -> None:
    file = settled(tmp_path / "file", b"one")
    hasher = Hasher(tmp_path / "cache")
    hasher.files([file])
    hasher.remember()
    assert str(file) not in (tmp_path / "cache").read_text()


def test_a_time_in_the_future_is_never_trusted(tmp_path: Path, old: None) -> None:
    file = settled(tmp_path / "file", b"one")
    os.utime(file, (4e9, 4e9))
    hasher = Hasher(tmp_path / "cache")
    hasher.files([file])
    hasher.remember()
    assert str(file) not in (tmp_path / "cache").read_text()


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path, old: None) -> None:
    file = settled(tmp_path / "file", b"one")
    before = file.stat()
    hasher = Hasher(tmp_path / "cache")
    hasher.files([file])
    hasher.remember()
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Hasher(tmp_path / "cache").files([file]) == {file: sha256(b"two")}


@pytest.mark.parametrize("text", ["", "[]", '{"files": {"a": 1}}', '{"files": {"a": [[1], "md5:0"]}}'])
def test_a_broken_cache_knows_nothing(tmp_path: Path, text: str) -> None:
    file = settled(tmp_path / "file", b"one")
    (tmp_path / "cache").write_text(text)
    assert Hasher(tmp_path / "cache").files([file]) == {file: sha256(b"one")}


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Hasher(tmp_path / "cache").files([tmp_path / "none"])
