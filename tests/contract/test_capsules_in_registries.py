"""A capsule in a registry: pushed, looked at there, pulled under its own name; broken ones are refused."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import oci, reading, writing
from relance.capsule.model import Capsule
from relance.specification.model import Visibility
from relance.store.descriptors import INDEX_TYPE, Descriptor
from relance.store.registry import pulling, pushing
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import NotFoundError
from relance.store.registry.session import Access, Session
from relance.store.store import Store

from .registry_server import running


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def capsule(store: Store) -> Capsule:
    found = capsules.small(store.layout, image=capsules.toy_image(store.layout))
    writing.write(store.layout, found, name="counting")
    return found


def relance(store: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "relance", *map(str, arguments)],
        env={**os.environ, "RELANCE_STORE": str(store)},
        capture_output=True,
        text=True,
        check=False,
    )


def good(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_capsule_keeps_digest_and_name_through_a_registry(host, store, capsule, tmp_path):
    digest = reading.find(store.layout, "counting").digest
    reference = f"{host}/group/counting:1.0"
    good(relance(store.folder, "push", "counting", reference))
    yours = Store(tmp_path / "yours")
    said = json.loads(good(relance(yours.folder, "pull", reference, "--json")))
    assert (said["digest"], said["name"]) == (digest, "capsule/counting:1.0")
    assert reading.read(yours.layout, reading.find(yours.layout, "counting")) == capsule
    assert good(relance(yours.folder, "store", "fsck")) is not None
    good(relance(yours.folder, "pull", reference, "--name", "mine"))
    assert reading.find(yours.layout, "mine:1.0").digest == digest


def test_a_capsule_is_looked_at_in_its_registry_and_nothing_is_copied(host, store, capsule, tmp_path):
    reference = f"{host}/group/looked:1.0"
    good(relance(store.folder, "push", "counting", reference))
    empty = tmp_path / "empty"
    there = json.loads(good(relance(empty, "inspect", reference, "--json")))
    here = json.loads(good(relance(store.folder, "inspect", "counting", "--json")))
    assert there == here
    assert not empty.exists()
    assert relance(store.folder, "diff", "counting", reference).returncode == 0


def test_a_capsule_is_checked_out_from_its_registry(host, store, capsule, tmp_path):
    reference = f"{host}/group/checked:1.0"
    good(relance(store.folder, "push", "counting", reference))
    good(relance(tmp_path / "yours", "checkout", reference, tmp_path / "there"))
    good(relance(store.folder, "checkout", "counting", tmp_path / "here"))
    files = sorted(path.relative_to(tmp_path / "here") for path in (tmp_path / "here").rglob("*"))
    assert files == sorted(path.relative_to(tmp_path / "there") for path in (tmp_path / "there").rglob("*"))
    assert files


def test_what_only_says_that_it_is_a_capsule_is_refused_before_its_content_is_pulled(host, store, tmp_path):
    layout = store.layout
    value = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "artifactType": oci.CAPSULE_TYPE, "manifests": []}
    added = layout.add_json(value, INDEX_TYPE)
    root = Descriptor(INDEX_TYPE, added.digest, added.size)
    pushing.push(layout, root, Reference.parse(f"{host}/group/false:1"), Access())
    for command in ("pull", "inspect", "checkout"):
        more = (tmp_path / "there",) if command == "checkout" else ()
        done = relance(tmp_path / "yours", command, f"{host}/group/false:1", *more)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert Store(tmp_path / "yours").layout.names() == {}
    assert list(Store(tmp_path / "yours").layout.blobs()) == []


def test_a_name_that_means_another_capsule_is_not_taken_from_it(host, store, capsule, tmp_path):
    reference = f"{host}/group/named:1.0"
    good(relance(store.folder, "push", "counting", reference))
    yours = Store(tmp_path / "yours")
    other = capsules.small(yours.layout)
    writing.write(yours.layout, other, name="counting")
    refused = relance(yours.folder, "pull", reference)
    assert (refused.returncode, "--name" in refused.stderr) == (2, True)
    assert reading.read(yours.layout, reading.find(yours.layout, "counting")) == other


def test_the_image_of_a_capsule_can_be_taken_from_it(host, store, capsule, tmp_path):
    reference = f"{host}/group/imaged:1.0"
    good(relance(store.folder, "push", "counting", reference))
    said = json.loads(good(relance(tmp_path / "yours", "images", "import", reference, "--json")))
    assert said["config"] == capsule.images[0].config


def test_a_capsule_goes_from_a_file_or_one_registry_to_another(host, store, capsule, tmp_path):
    digest = reading.find(store.layout, "counting").digest
    good(relance(store.folder, "export", "counting", tmp_path / "counting.tar"))
    other = tmp_path / "other"
    good(relance(other, "push", tmp_path / "counting.tar", f"{host}/from/file:1"))
    said = good(
        relance(tmp_path / "third", "push", f"{host}/from/file:1", f"{host}/from/registry:1", "--json")
    )
    assert json.loads(said)["digest"] == digest


def test_what_is_blinded_reaches_no_registry_unasked(host, store, capsule):
    files = tuple(
        replace(file, visibility=Visibility.BLINDED) if file.path == "results/total.json" else file
        for file in capsule.files
    )
    writing.write(store.layout, replace(capsule, files=files), name="secretive")
    reference = f"{host}/group/secretive:1.0"
    for options in ((), ("--public",), ("--dry-run",)):
        refused = relance(store.folder, "push", "secretive", reference, *options)
        assert (refused.returncode, "results/total.json" in refused.stderr) == (2, True)
    with pytest.raises(NotFoundError), Session(Reference.parse(reference), Access()) as session:
        pulling.resolve(session, Reference.parse(reference))
    good(relance(store.folder, "push", "secretive", reference, "--with-blinded"))
    good(relance(store.folder, "push", "counting", reference, "--public"))
    assert relance(store.folder, "push", "secretive", reference, "--with-blinded", "--public").returncode == 2
