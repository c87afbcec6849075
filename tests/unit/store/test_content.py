"""What goes into a store comes out again, is never shared with a file outside, and is never wrong."""

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import digest
from relance.errors import InputError
from relance.model import Stored
from relance.store import content, copying, hashing
from relance.store.hashing import Memory
from relance.store.layout import Layout

MANY = st.lists(st.binary(max_size=300), min_size=1, max_size=6)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 100 bytes: what is kept of a gigabyte is kept of a few hundred bytes alike."""
    monkeypatch.setattr(content, "PART", 100)


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every file look ten seconds old: the inode's time can't be set."""
    now = hashing.time.time_ns
    monkeypatch.setattr("relance.store.content.time.time_ns", lambda: now() + 10_000_000_000)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def overwrite(layout: Layout, blob: str, data: bytes) -> None:
    path = layout.path(blob)
    path.unlink()
    path.write_bytes(data)


@given(contents=MANY, part=st.integers(1, 400))
def test_files_come_back_as_they_were_whatever_the_size_of_parts(contents, part, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "PART", part)
        folder = tmp_path_factory.mktemp("round")
        layout = Layout(folder / "store")
        files = {written(folder / str(number), data): data for number, data in enumerate(contents)}
        kept = content.put_all(layout, files, threads=2)
        for number, (path, data) in enumerate(files.items()):
            stored = kept[path]
            assert (stored.digest, stored.size) == (digest.of_bytes(data), len(data))
            assert all(piece.size <= part for piece in stored.parts)
            content.restore(layout, stored, folder / f"back{number}")
            assert (folder / f"back{number}").read_bytes() == data


def test_a_blob_shares_no_inode_with_a_file_outside(tmp_path):
    layout = Layout(tmp_path / "store")
    source = written(tmp_path / "file", b"content")
    stored = content.put(layout, source)
    content.restore(layout, stored, tmp_path / "back")
    inodes = {path.stat().st_ino for path in (source, layout.path(stored.digest), tmp_path / "back")}
    assert len(inodes) == 3
    (tmp_path / "back").write_bytes(b"changed")
    source.write_bytes(b"altered")
    assert layout.read(stored.digest) == b"content"


def test_a_restored_file_has_the_time_and_rights_asked_for_and_replaces_what_was_there(tmp_path):
    layout = Layout(tmp_path / "store")
    stored = content.put_bytes(layout, b"#!/bin/sh\n")
    target = written(tmp_path / "program", b"before")
    content.restore(layout, stored, target, executable=True, mtime=1234.5)
    status = target.stat()
    assert target.read_bytes() == b"#!/bin/sh\n"
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o755, 1234.5)
    content.restore(layout, stored, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_damage_keeps_a_file_from_being_restored_and_names_the_blob(tmp_path, small_parts):
    layout = Layout(tmp_path / "store")
    stored = content.put(layout, written(tmp_path / "file", bytes(250)))
    last = stored.parts[-1].digest
    overwrite(layout, last, bytes(49) + b"x")
    target = written(tmp_path / "target", b"before")
    for attempt in (
        lambda: content.verify(layout, stored),
        lambda: content.restore(layout, stored, target),
    ):
        with pytest.raises(InputError, match=f"{last.removeprefix('sha256:')} is damaged"):
            attempt()
    assert target.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "store", "target"]


def test_parts_that_make_up_another_content_are_refused(tmp_path, small_parts):
    layout = Layout(tmp_path / "store")
    stored = content.put(layout, written(tmp_path / "file", bytes(range(250))))
    swapped = Stored(stored.digest, stored.size, (stored.parts[1], stored.parts[0], stored.parts[2]))
    cut = Stored(stored.digest, stored.size, stored.parts[:2])
    for wrong in (swapped, cut):
        with pytest.raises(InputError, match="not what it is made of"):
            content.restore(layout, wrong, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_missing_and_a_cut_blob_are_told_and_written_anew_by_the_next_put(tmp_path):
    layout = Layout(tmp_path / "store")
    file = written(tmp_path / "file", b"content")
    stored = content.put(layout, file)
    for spoiled in (None, b"con"):
        layout.path(stored.digest).unlink()
        if spoiled is not None:
            layout.path(stored.digest).write_bytes(spoiled)
        assert not content.has(layout, stored)
        with pytest.raises(InputError, match=stored.digest):
            content.verify(layout, stored)
        assert content.put(layout, file, known=stored) == stored
        content.verify(layout, stored)


def test_a_blob_that_is_there_is_not_written_again(tmp_path):
    layout = Layout(tmp_path / "store")
    first = content.put(layout, written(tmp_path / "one", b"same"))
    before = layout.path(first.digest).stat().st_ino
    content.put(layout, written(tmp_path / "two", b"same"))
    content.put_bytes(layout, b"same")
    assert layout.path(first.digest).stat().st_ino == before
    assert [path.name for path in (tmp_path / "store/blobs/sha256").iterdir()] == [first.digest[7:]]


def test_a_file_that_is_not_what_is_known_of_it_is_refused(tmp_path):
    known = Stored(digest.of_bytes(b"one"), 3)
    with pytest.raises(InputError, match="not what it was"):
        content.put(Layout(tmp_path / "store"), written(tmp_path / "file", b"two"), known=known)


def test_a_file_that_changes_while_it_is_copied_is_an_error_and_is_not_kept(tmp_path):
    layout = Layout(tmp_path / "store")
    file = written(tmp_path / "file", bytes(1 << 20))

    def grow(_: int) -> None:
        with file.open("ab") as stream:
            stream.write(b"x")

    with pytest.raises(InputError, match="changed while it was read"):
        content.put(layout, file, told=grow)
    assert list((tmp_path / "store/blobs/sha256").iterdir()) == []


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, Path.exists])
def test_what_is_no_file_is_refused_without_waiting(tmp_path, make):
    make(tmp_path / "it")
    with pytest.raises(InputError, match="it can't be read"):
        content.put_all(Layout(tmp_path / "store"), [tmp_path / "it"], cache=Memory(tmp_path / "cache"))


@pytest.mark.parametrize("size", [0, 99, 250])
def test_unchanged_files_are_not_read_a_second_time(tmp_path, old, small_parts, size):
    layout = Layout(tmp_path / "store")
    file = written(tmp_path / "file", bytes(size))
    memory = Memory(tmp_path / "cache")
    first = content.put_all(layout, [file], cache=memory)
    memory.write()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "opened", lambda path: pytest.fail(f"{path} was read"))
        again = content.put_all(layout, [file], cache=Memory(tmp_path / "cache"))
    assert again == first


def test_files_without_leave_are_not_kept_and_not_returned_even_if_remembered(tmp_path, old):
    layout, memory = Layout(tmp_path / "store"), Memory(tmp_path / "digests.json")
    open_, known, closed = (written(tmp_path / name, name.encode()) for name in ("open", "known", "closed"))
    content.put_all(layout, [known], cache=memory)
    asked = []

    def admit(path: Path) -> bool:
        asked.append(path)
        return path == open_

    kept = content.put_all(layout, [open_, known, closed], cache=memory, admit=admit)
    assert list(kept) == [open_]
    assert sorted(asked) == sorted([open_, known, closed])
    assert not content.has(layout, Stored(digest.of_bytes(b"closed"), 6))


def test_no_leave_is_asked_for_what_is_admitted_and_remembered(tmp_path, old):
    layout, memory = Layout(tmp_path / "store"), Memory(tmp_path / "digests.json")
    known, other, new = (written(tmp_path / name, name.encode()) for name in ("known", "other", "new"))
    content.put_all(layout, [known, other], cache=memory)
    asked = []

    def admit(path: Path) -> bool:
        asked.append(path)
        return True

    admitted = {digest.of_bytes(b"known"), digest.of_bytes(b"new")}
    kept = content.put_all(
        layout,
        [known, other, new],
        cache=memory,
        admit=lambda path: not asked.append(path),
        admitted=admitted,
    )
    assert (sorted(asked), set(kept)) == ([new, other], {known, other, new})


def test_paths_may_be_plain_text(tmp_path, old):
    layout, memory = Layout(tmp_path / "store"), Memory(tmp_path / "digests.json")
    file = str(written(tmp_path / "file", b"content"))
    first = content.put_all(layout, [file], cache=memory)
    assert first == {file: Stored(digest.of_bytes(b"content"), 7)}
    assert memory.recall(Path(file), Path(file).stat()) == first[file]


@pytest.mark.parametrize(("age", "renewed"), [(10.0, False), (3000.0, True), (-3000.0, True)])
def test_what_is_wanted_again_counts_as_young_again(tmp_path, old, age, renewed):
    layout, memory = Layout(tmp_path / "store"), Memory(tmp_path / "digests.json")
    file = written(tmp_path / "file", b"content")
    blob = layout.path(content.put_all(layout, [file], cache=memory)[file].digest)
    then = time.time() - age
    os.utime(blob, (then, then))
    content.put_all(layout, [file], cache=memory)
    assert (blob.stat().st_mtime != pytest.approx(then, abs=1)) == renewed


def test_what_is_remembered_but_no_longer_kept_is_read_again(tmp_path, old):
    file = written(tmp_path / "file", b"content")
    memory = Memory(tmp_path / "cache")
    content.put_all(Layout(tmp_path / "one"), [file], cache=memory)
    other = Layout(tmp_path / "two")
    stored = content.put_all(other, [file], cache=memory)[file]
    content.verify(other, stored)


def test_a_changed_file_is_read_again(tmp_path, old):
    layout = Layout(tmp_path / "store")
    file = written(tmp_path / "file", b"one")
    memory = Memory(tmp_path / "cache")
    content.put_all(layout, [file], cache=memory)
    file.write_bytes(b"two")
    assert content.put_all(layout, [file], cache=memory)[file].digest == digest.of_bytes(b"two")


def test_progress_counts_every_byte_once(tmp_path, small_parts):
    files = [written(tmp_path / str(number), bytes(number * 70)) for number in range(5)]
    counts: list[int] = []
    content.put_all(Layout(tmp_path / "store"), files, told=counts.append, threads=3)
    assert sum(counts) == 70 * 10


def test_a_failure_ends_the_copying_of_the_other_files(tmp_path):
    large = written(tmp_path / "large", bytes(1 << 24))
    counts: list[int] = []

    def slow(count: int) -> None:
        counts.append(count)
        time.sleep(0.005)

    with pytest.raises(InputError, match="a-missing"):
        layout = Layout(tmp_path / "store")
        content.put_all(layout, [large, tmp_path / "a-missing"], told=slow, threads=2)
    assert sum(counts) < 1 << 24


def test_a_store_of_a_group_stays_the_groups(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2770)
    layout = Layout(shared / "store" / "content")
    stored = content.put_bytes(layout, b"content")
    folders = [shared / "store", shared / "store/content", shared / "store/content/blobs/sha256"]
    assert all(folder.stat().st_mode & 0o2070 == 0o2070 for folder in folders)
    assert stat.S_IMODE(layout.path(stored.digest).stat().st_mode) == 0o444
    assert stat.S_IMODE((shared / "store/content/.lock").stat().st_mode) == 0o664


def test_a_store_of_one_user_is_not_opened_to_a_group(tmp_path):
    (tmp_path / "own").mkdir(mode=0o755)
    Layout(tmp_path / "own" / "content")
    assert (tmp_path / "own/content/blobs").stat().st_mode & 0o020 == 0


@pytest.fixture
def cloning(tmp_path):
    """A folder on a file system that shares blocks between files, mounted for this test."""
    image, place = tmp_path / "image", tmp_path / "mounted"
    place.mkdir()
    with image.open("wb") as stream:
        stream.truncate(400 << 20)
    maker = shutil.which("mkfs.btrfs") or shutil.which("mkfs.xfs")
    if maker is None or subprocess.run([maker, "-q", image], check=False).returncode:
        pytest.skip("no mkfs.btrfs or mkfs.xfs here")
    if subprocess.run(["mount", "-o", "loop", image, place], check=False, capture_output=True).returncode:
        pytest.skip("a file system can't be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_parts_that_are_larger_than_what_is_written_at_once_are_kept_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "PART", 1 << 20)
    data = os.urandom((3 << 20) + 123)
    layout = Layout(tmp_path / "store")
    stored = content.put(layout, written(tmp_path / "file", data))
    assert [part.size for part in stored.parts] == [1 << 20] * 3 + [123]
    assert b"".join(layout.path(part.digest).read_bytes() for part in stored.parts) == data
    content.restore(layout, stored, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


def test_blocks_are_shared_where_the_file_system_can(cloning, monkeypatch):
    monkeypatch.setattr(content, "PART", 1 << 20)
    monkeypatch.setattr(copying, "_write", lambda target, _: target is not None and pytest.fail("copied"))
    data = os.urandom((5 << 20) + 123)
    file = written(cloning / "file", data)
    layout = Layout(cloning / "store")
    stored = content.put(layout, file)
    assert len(stored.parts) == 6
    content.restore(layout, stored, cloning / "back")
    assert (cloning / "back").read_bytes() == data
    (cloning / "back").write_bytes(b"changed")
    file.write_bytes(b"changed")
    content.verify(layout, stored)


@pytest.mark.usefixtures("small_parts")
def test_right_parts_in_the_wrong_order_are_not_the_content(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "content")
    stored = content.put(layout, written(tmp_path / "large", bytes(range(250))))
    content.verify(layout, stored)
    first, second, last = stored.parts
    swapped = Stored(stored.digest, stored.size, (second, first, last))
    with pytest.raises(InputError, match="not what it is made of"):
        content.verify(layout, swapped)
    with pytest.raises(InputError, match="not what it is made of"):
        content.restore(layout, swapped, tmp_path / "again")
    assert not (tmp_path / "again").exists()
