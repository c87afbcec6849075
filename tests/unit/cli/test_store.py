"""`relance store` says what it found, does what it says, and its exit status tells."""

import json

import pytest

from relance.cli import run_command_line
from relance.store import content
from relance.store.descriptors import MANIFEST_TYPE
from relance.store.store import Store

MANIFEST = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE}


@pytest.fixture
def store(tmp_path):
    """A store with one named manifest of one blob."""
    made = Store(tmp_path / "store")
    layer = content.put_bytes(made.layout, b"some data")
    config = made.layout.add(b"{}", "application/vnd.oci.empty.v1+json").to_json()
    layers = [{"mediaType": "a/b", "digest": layer.digest, "size": layer.size}]
    made.layout.name(
        "capsule/it:1", made.layout.add_json(MANIFEST | {"config": config, "layers": layers}, MANIFEST_TYPE)
    )
    return made


def relance(*words):
    return run_command_line(["store", *map(str, words)])


def test_a_sound_store_is_told_and_ends_with_0(store, capsys):
    assert relance("fsck", "--store", store.folder) == 0
    assert "all sound" in capsys.readouterr().out


def test_damage_is_told_with_owner_and_next_step_and_ends_with_1(store, capsys):
    blob = store.layout.path(content.put_bytes(store.layout, b"some data").digest)
    blob.chmod(0o644)
    blob.write_bytes(b"some dATA")
    assert relance("fsck", "--store", store.folder, "--json") == 1
    assert json.loads(capsys.readouterr().out)["damages"][0]["needed_by"] == ["capsule/it:1"]
    assert relance("fsck", "--store", store.folder, "--repair") == 1
    told = capsys.readouterr().err
    assert "needed by: capsule/it:1" in told
    assert f"moved to {store.folder / 'damaged'}" in told
    content.put_bytes(store.layout, b"some data")
    assert relance("fsck", "--store", store.folder) == 0


def test_usage_forget_and_gc_free_what_a_name_needs(store, capsys, monkeypatch):
    monkeypatch.setenv("RELANCE_STORE", str(store.folder))
    assert relance("usage", "--json") == 0
    assert json.loads(capsys.readouterr().out)["names"][0]["name"] == "capsule/it:1"
    assert relance("forget", "capsule/it:1", "capsule/other") == 2
    assert "found 'capsule/other', expected capsule/it:1" in capsys.readouterr().err
    assert "capsule/it:1" in store.layout.names()
    assert relance("forget", "it:1") == 0
    assert relance("gc", "--dry-run") == 0
    assert "3 blobs that nothing needs stay: they are younger than an hour" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["fsck", "gc", "usage"])
def test_a_folder_that_is_no_store_is_refused_and_stays_as_it_was(tmp_path, capsys, command):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert relance(command, "--store", tmp_path) == 2
    assert "there is no store" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
