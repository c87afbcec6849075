"""Ctrl-C while a registry says nothing: the command ends in order, and the same command goes on."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.store.strict_registry import Behaviour, State, serving

from relance.store.layout import Layout
from relance.store.registry import pushing
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access
from relance.store.store import Store

from .test_registries import artifact, relance

SOON = 30.0  # seconds; a registry may be silent for twice as long before it is taken for gone

SIZE = 16 << 20  # bytes; more than the network holds


def interrupted(
    server: State, waits: Callable[[], None], number: signal.Signals, *arguments: object
) -> tuple[int, str]:
    """Type a command and, once the registry stalls and it waits, send it a signal; its status and words."""
    command = [sys.executable, "-m", "relance", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        try:
            assert server.stalled.wait(SOON)
            waits()
            running.send_signal(number)
            _, said = running.communicate(timeout=SOON)
        finally:
            running.kill()
    return running.returncode, said


@pytest.fixture(autouse=True)
def no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))


def blobs(number: int) -> list[bytes]:
    noise = random.Random(1)
    return [noise.randbytes(SIZE) for _ in range(number)]


def test_an_interrupted_push_ends_while_the_registry_reads_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    root = artifact(store.layout, *blobs(2))
    store.layout.name("thing", root)
    with serving(Behaviour(stalls=2)) as server:
        push = ("push", "--store", store.folder, "thing", f"{server.host}/group/thing:1", "--threads=2")
        code, said = interrupted(server, lambda: time.sleep(0.5), signal.SIGINT, *push)
        assert (code, "error: interrupted; type the same command to go on" in said) == (130, True), said
        assert server.manifests == {}
        server.behaviour.stalls = 0
        done = relance(*push)
        assert done.returncode == 0, done.stderr
        assert ("group/thing", "1") in server.manifests


def test_a_terminated_pull_ends_while_the_registry_sends_nothing_and_goes_on_there(tmp_path: Path) -> None:
    mine, store = Layout(tmp_path / "mine"), Store(tmp_path / "store")

    def all_came() -> None:
        deadline = time.monotonic() + SOON
        while [path.stat().st_size for path in store.folder.rglob(".part-*")] != [SIZE // 2] * 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    root = artifact(mine, *blobs(2))
    with serving() as server:
        reference = f"{server.host}/group/thing:1"
        pushing.push(mine, root, Reference.parse(reference), Access())
        server.behaviour.stalls = 2
        pull = ("pull", "--store", store.folder, reference, "--threads=2")
        code, said = interrupted(server, all_came, signal.SIGTERM, *pull)
        assert (code, "error: terminated; type the same command to go on" in said) == (143, True), said
        before, server.behaviour.stalls = len(server.asked), 0
        done = relance(*pull)
        assert done.returncode == 0, done.stderr
        assert any(call.range for call in server.asked[before:]), "it goes on where it was"
    assert list(store.folder.rglob(".part-*")) == []
    assert set(mine.blobs()) <= set(store.layout.blobs())
