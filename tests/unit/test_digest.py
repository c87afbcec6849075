import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import digest
from relance.errors import InputError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@given(JSON.filter(encodable))
def test_canonical_json_reads_back_as_the_value(value: object) -> None:
    assert json.loads(digest.canonical_json(value)) == value


@given(JSON.filter(encodable))
def test_canonical_json_of_what_it_reads_back_is_itself(value: object) -> None:
    once = digest.canonical_json(value)
    assert digest.canonical_json(json.loads(once)) == once


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers()))
def test_the_order_of_keys_does_not_count(mapping: dict[str, int]) -> None:
    assert digest.of_json(mapping) == digest.of_json(dict(reversed(mapping.items())))


def test_a_whole_number_has_one_form() -> None:
    assert digest.canonical_json([2500.0, -0.0, 1e3, 2500, 0.5]) == b"[2500,0,1000,2500,0.5]"


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_different_floats_have_different_digests(one: float, other: float) -> None:
    assert (digest.of_json(one) == digest.of_json(other)) == (one == other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, b"x", {1, 2}, object(), "\ud800"])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="no canonical JSON"):
        digest.canonical_json([value])


@given(st.binary(max_size=100))
def test_bytes_have_their_sha256(data: bytes) -> None:
    assert digest.of_bytes(data) == "sha256:" + hashlib.sha256(data).hexdigest()


def test_a_file_larger_than_a_chunk_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    (tmp_path / "f").write_bytes(data)
    assert digest.of_file(tmp_path / "f") == digest.of_bytes(data)


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:" + "A" * 64, "md5:" + "a" * 64, "sha256:" + "a" * 64 + "\n"]
)
def test_a_wrong_digest_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a digest"):
        digest.parse(text)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "a" / "empty").mkdir(parents=True)
    (folder / "a" / "file").write_text("x")
    (folder / "link").symlink_to("a/file")
    return folder


def test_a_copy_has_the_digest_of_its_original(tree: Path) -> None:
    copy = shutil.copytree(tree, tree.with_name("copy"), symlinks=True)
    os.utime(copy / "a" / "file", (0, 0))
    assert digest.of_tree(copy) == digest.of_tree(tree)


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "a" / "file").write_text("y"),
        lambda tree: (tree / "a" / "file").chmod(0o755),
        lambda tree: (tree / "a" / "file").rename(tree / "a" / "other"),
        lambda tree: (tree / "a" / "empty").rmdir(),
        lambda tree: ((tree / "link").unlink(), (tree / "link").symlink_to("a")),
    ],
    ids=["content", "executable", "name", "empty folder", "link"],
)
def test_a_change_changes_the_digest_of_a_tree(tree: Path, change) -> None:
    before = digest.of_tree(tree)
    change(tree)
    assert digest.of_tree(tree) != before


def test_a_pipe_in_a_tree_is_refused(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(InputError, match="can't be preserved"):
        digest.of_tree(tree)
