"""Many writers at once, and writers that are killed: nothing is lost, nothing double, nothing wrong."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relance import digest
from relance.store import collect, content, fsck, reach
from relance.store.descriptors import MANIFEST_TYPE
from relance.store.layout import Layout
from relance.store.store import Store

CAPTURE = """
import sys
from pathlib import Path
from relance.store import content
from relance.store.hashing import Memory
from relance.store.descriptors import MANIFEST_TYPE
from relance.store.store import Store

folder, files, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
print("begun", flush=True)
store = Store(folder)
layout = store.layout
with store.writing():
    memory = Memory(files.parent / f"{name}.json")
    kept = content.put_all(layout, sorted(files.iterdir()), cache=memory, threads=2)
    memory.write()
    layers = [{"mediaType": "a/b", "digest": part.digest, "size": part.size} for part in kept.values()]
    config = layout.add(b"{}", "application/vnd.oci.empty.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config.to_json(), "layers": layers}
    layout.name(name, layout.add_json(manifest, MANIFEST_TYPE))
"""


def capture(store: Path, files: Path, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CAPTURE, store, files, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended_well(process: subprocess.Popen[bytes]) -> bool:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()
    return True


def some_files(folder: Path, number: int, seed: int) -> Path:
    """Make files of which every third is the same for every seed."""
    folder.mkdir()
    for index in range(number):
        chance = random.Random(index if index % 3 == 0 else f"{seed} {index}")
        (folder / f"{index:03d}").write_bytes(chance.randbytes(chance.choice((0, 10, 5000, 300_000))))
    return folder


def test_eight_processes_write_into_one_new_store(tmp_path):
    sources = [some_files(tmp_path / f"files{number}", 40, number) for number in range(8)]
    writers = [capture(tmp_path / "store", files, f"run/{files.name}") for files in sources]
    for writer in writers:
        assert ended_well(writer)
    store = Store(tmp_path / "store")
    assert set(store.layout.names()) == {f"run/{files.name}" for files in sources}
    distinct = {digest.of_file(path) for files in sources for path in files.iterdir()}
    manifests = {entry.digest for entry in store.layout.index()}
    assert set(store.layout.blobs()) == distinct | manifests | {digest.of_bytes(b"{}")}
    assert fsck.check(store).damages == ()
    assert not list(store.content.glob("blobs/sha256/.part-*"))


def test_names_given_at_once_are_all_kept(tmp_path):
    program = (
        "import sys; from pathlib import Path; from relance.store.layout import Layout\n"
        "layout = Layout(Path(sys.argv[1]))\n"
        "for n in range(20): layout.name(f'{sys.argv[2]}/{n}', layout.add(b'x', 'a/b'))\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path / "new" / "layout", str(number)])
        for number in range(8)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 8
    assert len(Layout(tmp_path / "new" / "layout").names()) == 160


def test_killed_at_any_moment_the_store_is_sound_and_the_same_command_finishes(tmp_path):
    files = some_files(tmp_path / "files", 60, 1)
    store = Store(tmp_path / "store")
    assert ended_well(capture(tmp_path / "measured", files, "it"))
    chance, latest = random.Random(20), 0.5
    killed = 0
    for _ in range(30):
        process = capture(store.folder, files, "it")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, latest))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        latest *= 1.1 if process.returncode else 0.7  # as fast as the machine is now
        if (store.content / "oci-layout").exists():
            health = fsck.check(store)
            assert health.damages == ()
    assert killed > 5
    assert ended_well(capture(store.folder, files, "it"))
    assert store.layout.names() == Store(tmp_path / "measured").layout.names()
    assert fsck.check(store).sound


def test_what_killed_writers_left_is_removed_and_what_others_write_now_is_not(tmp_path):
    store = Store(tmp_path / "store")
    layout = store.layout
    abandoned = tmp_path / "store/content/blobs/sha256/.part-abandoned"
    abandoned.write_bytes(b"half")
    (store.content / ".index.json-abandoned").write_bytes(b"{")
    fresh = tmp_path / "store/content/blobs/sha256/.part-fresh"
    fresh.write_bytes(b"just begun")
    with layout.incoming() as file:
        file.stream.write(b"slow")
        file.stream.flush()
        (slow,) = set(abandoned.parent.glob(".part-*")) - {abandoned, fresh}
        for path in (abandoned, slow, store.content / ".index.json-abandoned"):
            os.utime(path, (1, 1))
        assert fsck.check(store).leftovers == 2
        assert collect.collect(store).leftovers == 2
        assert slow.exists() and fresh.exists()
        file.keep(digest.of_bytes(b"slow"), 4)
    assert layout.read(digest.of_bytes(b"slow")) == b"slow"
    assert not abandoned.exists()


def test_a_collection_waits_for_writers_and_writers_for_it(tmp_path):
    store = Store(tmp_path / "store")
    kept = content.put_bytes(store.layout, b"kept")
    program = (
        "import sys; from pathlib import Path\n"
        "from relance.store import collect, store\n"
        "def waits(): print('waits', flush=True)\n"
        "print(collect.collect(store.Store(Path(sys.argv[1])), grace=-1, waiting=waits).blobs)\n"
    )
    with store.writing(), store.writing():
        command = [sys.executable, "-c", program, store.folder]
        gc = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert gc.stdout is not None
        assert gc.stdout.readline() == "waits\n"
        store.layout.name("late", store.layout.add(b"kept", "a/b"))
        assert gc.poll() is None
    assert gc.communicate(timeout=60)[0] == "0\n"
    assert store.layout.has(kept.digest)
    waited: list[bool] = []
    with store.alone():
        blocked = subprocess.Popen(
            [sys.executable, "-c", CAPTURE, store.folder, some_files(tmp_path / "files", 3, 1), "it"],
            stdout=subprocess.PIPE,
        )
        assert blocked.stdout is not None
        blocked.stdout.readline()
        waited.append(blocked.poll() is None and "it" not in store.layout.names())
    assert waited == [True] and ended_well(blocked)
    assert "it" in store.layout.names()


@pytest.mark.parametrize("left", [["blobs"], ["blobs", "index.json"], [".lock"], []])
def test_a_layout_half_made_by_a_killed_process_is_made_to_the_end(tmp_path, left):
    folder = tmp_path / "layout"
    folder.mkdir()
    for name in left:
        if name == "blobs":
            (folder / "blobs").mkdir()
        else:
            (folder / name).write_text('{"schemaVersion": 2, "manifests": []}')
    layout = Layout(folder)
    layout.name("it", layout.add(b"{}", MANIFEST_TYPE))
    assert set(Layout(folder).names()) == {"it"}


def test_a_collection_that_is_killed_removes_nothing_that_is_needed(tmp_path):
    store = Store(tmp_path / "store")
    assert ended_well(capture(store.folder, some_files(tmp_path / "files", 30, 1), "it"))
    program = (
        "import sys; from pathlib import Path\n"
        "from relance.store import collect, store\n"
        "print('begun', flush=True)\n"
        "collect.collect(store.Store(Path(sys.argv[1])), grace=-60)\n"
    )
    chance = random.Random(8)
    for number in range(8):
        for index in range(150):
            content.put_bytes(store.layout, b"rubbish %d %d" % (number, index))
        gc = subprocess.Popen([sys.executable, "-c", program, store.folder], stdout=subprocess.PIPE)
        assert gc.stdout is not None
        gc.stdout.readline()
        time.sleep(chance.uniform(0, 0.02))
        gc.kill()
        gc.communicate()
        assert fsck.check(store).damages == ()
    collect.collect(store, grace=-60)
    assert set(store.layout.blobs()) == set(reach.roots(store)[0].blobs)
