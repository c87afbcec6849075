"""Entries of the step store: what is written is read, and what relance would not write is refused."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import digest
from relance.errors import InputError
from relance.model import Digest, Part, Stored
from relance.steps import entries
from relance.steps.entries import Entry, EntryOutput, Member
from relance.steps.key import of_ingredients
from relance.store.store import Store

A, B = (Digest(f"sha256:{letter * 64}") for letter in "ab")


def folder(*members: Member) -> EntryOutput:
    found = EntryOutput("results/parts", "folder", A, 7, members)
    return EntryOutput("results/parts", "folder", entries.tree(found), 7, members)


def entry(*outputs: EntryOutput, mark: object = 1) -> Entry:
    ingredients = {"recipe": 1, "mark": mark}
    return Entry(of_ingredients(ingredients), ingredients, "split", 1.5, outputs)


FILE = EntryOutput("results/out.txt", "file", A, 7, (Member("", Stored(A, 7), True),))
GONE = EntryOutput("results/temp.txt", "gone", "unknown", "unknown")
FOLDER = folder(
    Member("one.txt", Stored(A, 7)),
    Member("sub"),
    Member("sub/two.txt", Stored(B, 3), True),
    Member("sub/link", link="../one.txt"),
)
LARGE = EntryOutput("results/large", "file", A, 10, (Member("", Stored(A, 10, (Part(B, 6), Part(A, 4)))),))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_an_entry_is_read_as_it_was_written(store: Store) -> None:
    written = entry(FILE, GONE, FOLDER, LARGE)
    path = entries.write(store, written)
    assert entries.read(store, written.key) == written
    assert path.relative_to(store.steps).as_posix() == f"{written.key[7:9]}/{written.key[7:]}.json"
    assert entries.read(store, A) is None


def test_equal_entries_are_equal_bytes(store: Store) -> None:
    first = entries.write(store, entry(FILE, FOLDER)).read_bytes()
    assert entries.write(store, entry(FILE, FOLDER)).read_bytes() == first


def test_entries_of_the_same_outputs_are_found_the_newest_first(store: Store) -> None:
    known = [entry(FILE, mark=mark) for mark in range(3)]
    for number, one in enumerate(known):
        path = entries.write(store, one)
        assert path.is_file()
        mark = next(store.steps.glob(f"outputs/*/{one.key[7:]}"))
        os.utime(mark, (number, number))
    entries.write(store, entry(GONE, mark="other"))
    assert list(entries.alike(store, ["results/out.txt"])) == known[::-1]
    assert list(entries.alike(store, ["results/other.txt"])) == []


def test_the_tree_of_members_is_that_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "sub" / "empty").mkdir(parents=True)
    (tmp_path / "sub.txt").write_text("1")
    (tmp_path / "sub" / "b").write_text("2")
    (tmp_path / "sub" / "b").chmod(0o755)
    (tmp_path / "link").symlink_to("sub/b")
    members = (
        Member("link", link="sub/b"),
        Member("sub.txt", Stored(digest.of_bytes(b"1"), 1)),
        Member("sub/empty"),
        Member("sub"),
        Member("sub/b", Stored(digest.of_bytes(b"2"), 1), executable=True),
    )
    assert entries.tree(EntryOutput("x", "folder", A, 2, members)) == digest.of_tree(tmp_path)


@pytest.mark.parametrize(
    "output",
    [
        EntryOutput("../out.txt", "gone", A, 1),
        EntryOutput("/etc/passwd", "gone", A, 1),
        EntryOutput("results//out.txt", "gone", A, 1),
        EntryOutput("results/./out.txt", "gone", A, 1),
        EntryOutput("", "gone", A, 1),
        EntryOutput(".snakemake/metadata/x", "gone", A, 1),
        EntryOutput("a\0b", "gone", A, 1),
        EntryOutput("results/out.txt", "file", B, 7, (Member("", Stored(A, 7)),)),
        EntryOutput("results/out.txt", "file", A, 7),
        EntryOutput("results/out.txt", "file", A, 7, (Member("x", Stored(A, 7)),)),
        EntryOutput("results/out.txt", "gone", A, 7, (Member("", Stored(A, 7)),)),
        EntryOutput("results/out.txt", "file", A, 7, (Member("", Stored(A, 7, (Part(B, 6),))),)),
        EntryOutput("results/parts", "folder", A, 7, (Member("one.txt", Stored(A, 7)),)),
        folder(Member("../one.txt", Stored(A, 7))),
        folder(Member("/one.txt", Stored(A, 7))),
        folder(Member("sub/one.txt", Stored(A, 7))),
        folder(Member("one.txt", Stored(A, 7)), Member("one.txt/two.txt", Stored(A, 7))),
        folder(Member("one.txt", Stored(A, 7)), Member("one.txt", Stored(B, 7))),
        folder(Member("link", link="sub"), Member("link/two.txt", Stored(A, 7))),
        folder(Member("link", link="/etc")),
        folder(Member("link", link="../..")),
        folder(Member("link", link="../x")),
        folder(Member("link", link="sub/../../x")),
        folder(Member("link", link="")),
    ],
)
def test_hostile_entries_are_refused(store: Store, output: EntryOutput) -> None:
    hostile = entry(output)
    entries.write(store, hostile)
    with pytest.raises(InputError, match="expected the entry of a finished step"):
        entries.read(store, hostile.key)


def changed(store: Store, **changes: Any) -> Entry:
    written = entry(FILE)
    path = entries.write(store, written)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return written


@pytest.mark.parametrize(
    "changes",
    [
        {"ingredients": {"recipe": 1, "mark": 2}},
        {"ingredients": []},
        {"key": A},
        {"outputs": {}},
        {"outputs": [{"path": "x"}]},
        {"outputs": [1]},
        {"logs": None},
        {"seconds": "long"},
        {"rule": 3},
        {"version": [1]},
    ],
)
def test_entries_that_say_what_none_may_say_are_refused(store: Store, changes: dict[str, Any]) -> None:
    if changes == {"version": [1]}:
        assert entries.read(store, changed(store, **changes).key) is None
        return
    with pytest.raises(InputError, match="expected the entry of a finished step"):
        entries.read(store, changed(store, **changes).key)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[" * 100_000, b"null", b"1", b'{"version": 1}'])
def test_files_that_are_no_entries_are_refused(store: Store, data: bytes) -> None:
    written = entry(FILE)
    entries.write(store, written).write_bytes(data)
    with pytest.raises(InputError, match="expected the entry of a finished step"):
        entries.read(store, written.key)


names = st.text("ab.", min_size=1, max_size=2).filter(lambda name: name not in {".", ".."})


@given(st.dictionaries(names, st.sampled_from(["file", "folder", "link"]), max_size=5))
def test_any_folder_goes_into_an_entry_and_out_of_it(members: dict[str, str]) -> None:
    made = {
        "file": lambda name: Member(name, Stored(A, 1)),
        "folder": Member,
        "link": lambda name: Member(name, link="target"),
    }
    written = entry(folder(*(made[kind](name) for name, kind in members.items())))
    read = entries._entry(json.loads(digest.canonical_json(entries._to_json(written))))
    assert read == written
