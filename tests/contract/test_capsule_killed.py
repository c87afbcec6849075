"""Commands on capsules, killed at any moment: nothing half-written, and the same command goes on."""

import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import reading, writing
from relance.capsule.model import CapsuleFile, Role
from relance.store import content
from relance.store.store import Store

TIMES = 4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a capsule of some size, called counting:1.0."""
    folder = tmp_path_factory.mktemp("killed")
    store = Store(folder / "store")
    chance = random.Random(1)
    files = []
    for number in range(6):
        (folder / "large").write_bytes(chance.randbytes(8 << 20))
        stored = content.put(store.layout, folder / "large")
        files.append(CapsuleFile(f"data/{number}", Role.INPUT, stored.digest, stored.size, stored))
    capsule = capsules.small(store.layout)
    writing.write(store.layout, replace(capsule, files=(*capsule.files, *files)), name="counting")
    return store


def relance(store: Path, *arguments: str, killed_after: float | None = None) -> int:
    """Run the command, kill it after so many seconds if it still runs, and return its exit status."""
    command = [sys.executable, "-m", "relance", *arguments]
    environment = {**os.environ, "RELANCE_STORE": str(store)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as running:
        if killed_after is not None:
            time.sleep(killed_after)
            running.kill()
    return running.returncode


def moments(store: Path, *arguments: str) -> list[float]:
    """Return moments, in seconds, spread over the time that a command takes when nobody kills it."""
    begun = time.monotonic()
    assert relance(store, *arguments) == 0
    whole = time.monotonic() - begun
    return [whole * random.Random(number).uniform(0.3, 1) for number in range(TIMES)]


def test_an_import_that_is_killed_leaves_whole_blobs_and_goes_on(store: Store, tmp_path: Path) -> None:
    tar = tmp_path / "counting.tar"
    assert relance(store.folder, "export", "counting", str(tar)) == 0
    digest = reading.find(store.layout, "counting").digest
    for number, moment in enumerate(moments(tmp_path / "first", "import", str(tar))):
        folder = tmp_path / f"store-{number}"
        relance(folder, "import", str(tar), killed_after=moment)
        other = Store(folder).layout
        for blob in other.blobs():
            other.read(blob)
        for described in reading.names(other).values():
            assert all(other.has(one.digest) for one in reading.documents(other, described))
        assert relance(folder, "import", str(tar)) == 0
        assert reading.find(other, "counting").digest == digest
        assert all(
            other.read(one.digest) is not None
            for one in reading.documents(other, other.names()["capsule/counting:1.0"])
        )


def test_an_export_and_a_checkout_that_are_killed_leave_nothing_or_all(store: Store, tmp_path: Path) -> None:
    for command, name in (("export", "whole.tar"), ("checkout", "whole")):
        for number, moment in enumerate(moments(store.folder, command, "counting", str(tmp_path / name))):
            path = tmp_path / f"{number}-{name}"
            if command == "checkout" and number % 2:
                path.mkdir()
            relance(store.folder, command, "counting", str(path), killed_after=moment)
            if path.exists() and command == "export":
                assert path.read_bytes() == (tmp_path / name).read_bytes()
            elif path.exists() and any(path.glob("[!.]*")):
                assert len(list(path.rglob("*"))) == len(list((tmp_path / name).rglob("*")))
            else:
                assert relance(store.folder, command, "counting", str(path)) == 0
