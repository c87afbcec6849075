"""What is read of a large file is forgotten again, unless it was in the machine's memory before."""

import errno
import os
from itertools import pairwise
from pathlib import Path

import pytest

from relance.store import copying, passing
from relance.store.passing import Passing

STEP = 1000


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The ranges that the kernel is asked to forget, as the process asks for them; steps of 1,000 bytes."""
    asked: list[tuple[int, int]] = []

    def advise(_file: int, start: int, length: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_DONTNEED
        asked.append((start, start + length))

    monkeypatch.setattr(os, "posix_fadvise", advise)
    monkeypatch.setattr(passing, "_STEP", STEP)
    return asked


def in_memory(monkeypatch: pytest.MonkeyPatch, *, yes: bool) -> list[int]:
    """Let the kernel say so of every byte; return those that it is asked of."""
    asked: list[int] = []

    def preadv(_file: int, _buffers: object, offset: int, flags: int) -> int:
        assert flags == os.RWF_NOWAIT
        asked.append(offset)
        if not yes:
            raise BlockingIOError(errno.EAGAIN, "not now")
        return 1

    monkeypatch.setattr(os, "preadv", preadv)
    return asked


def test_what_was_not_in_memory_is_forgotten_step_by_step_to_the_end(
    tmp_path: Path, forgotten: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = in_memory(monkeypatch, yes=False)
    with (tmp_path / "file").open("w+b", buffering=0) as source:
        going = Passing(source, 300, 2600)
        for count in (600, 600, 700, 700):
            going.advance(count)
        going.end()
    assert asked == [1600]
    assert forgotten == [(300, 1500), (1500, 2900)]


@pytest.mark.parametrize(("length", "known"), [(STEP - 1, False), (5 * STEP, True)])
def test_what_is_small_or_was_in_memory_stays_there(
    tmp_path: Path,
    forgotten: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
    length: int,
    known: bool,
) -> None:
    in_memory(monkeypatch, yes=known)
    with (tmp_path / "file").open("w+b", buffering=0) as source:
        going = Passing(source, 0, length)
        going.advance(length)
        going.end()
    assert forgotten == []


def test_what_a_copy_reads_is_forgotten_and_nothing_else(
    tmp_path: Path, forgotten: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "is_in_memory", lambda _source, _offset: False)
    size = 3 * copying.CHUNK + 7
    (tmp_path / "file").write_bytes(bytes(size))
    with (tmp_path / "file").open("rb", buffering=0) as source, (tmp_path / "copy").open("wb") as target:
        _, copied = copying.filled(target, source, 7, size - 7, None, lambda _: None)
    assert copied == size - 7
    assert (forgotten[0][0], forgotten[-1][1]) == (7, size)
    assert all(before[1] == after[0] for before, after in pairwise(forgotten))


def test_a_file_just_written_is_in_memory_and_one_of_which_nobody_can_tell_counts_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"just written")
    with (tmp_path / "file").open("rb", buffering=0) as source:
        assert passing.is_in_memory(source, 5)

        def refuse(*_: object) -> int:
            raise OSError(errno.EOPNOTSUPP, "the file system can't say")

        monkeypatch.setattr(os, "preadv", refuse)
        assert passing.is_in_memory(source, 5)
