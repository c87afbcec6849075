"""Commands on capsules, killed at any moment: nothing half-written, and the same command goes on."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules
from tests.killing import Killer

from relance.capsule import reading, writing
from relance.capsule.model import CapsuleFile, Role
from relance.store import content
from relance.store.store import Store

TIMES = 6


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


def test_an_import_that_is_killed_leaves_whole_blobs_and_goes_on(store: Store, tmp_path: Path) -> None:
    tar = tmp_path / "counting.tar"
    digest = reading.find(store.layout, "counting").digest
    killed = 0
    with Killer(1) as killer:
        assert killer.load("export", "counting", tar, "--store", store.folder) == 0
        assert killer.load("import", tar, "--store", tmp_path / "first") == 0
        assert killer.run("import", tar, "--store", tmp_path / "second") == 0
        for number in range(TIMES):
            folder = tmp_path / f"store-{number}"
            killed += killer.kill("import", tar, "--store", folder)
            other = Store(folder).layout
            for blob in other.blobs():
                other.read(blob)
            for described in reading.names(other).values():
                assert all(other.has(one.digest) for one in reading.documents(other, described))
            assert killer.run("import", tar, "--store", folder) == 0
            assert reading.find(other, "counting").digest == digest
            assert all(
                other.read(one.digest) is not None
                for one in reading.documents(other, other.names()["capsule/counting:1.0"])
            )
    assert killed > 0


@pytest.mark.parametrize(("command", "name"), [("export", "whole.tar"), ("checkout", "whole")])
def test_what_is_killed_while_it_writes_leaves_nothing_or_all(
    store: Store, tmp_path: Path, command: str, name: str
) -> None:
    whole = tmp_path / name
    killed = 0
    with Killer(2, RELANCE_STORE=str(store.folder)) as killer:
        assert killer.load(command, "counting", whole) == 0
        assert killer.run(command, "counting", tmp_path / f"another-{name}") == 0
        for number in range(TIMES):
            path = tmp_path / f"{number}-{name}"
            if command == "checkout" and number % 2:
                path.mkdir()
            killed += killer.kill(command, "counting", path)
            if path.exists() and command == "export":
                assert path.read_bytes() == whole.read_bytes()
            elif path.exists() and any(path.glob("[!.]*")):
                assert len(list(path.rglob("*"))) == len(list(whole.rglob("*")))
            else:
                assert killer.run(command, "counting", path) == 0
    assert killed > 0
