"""What untrusted recasts made is kept apart: recasts of the same capsule find it, nobody else does."""

import platform
from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance import digest
from relance.model import Digest
from relance.recast import reuse
from relance.recast.known import Layered
from relance.steps import entries, key
from relance.steps.entries import Entry, EntryOutput, Member
from relance.store import collect, content
from relance.store.store import Store

CAPSULE, OTHER = (Digest(f"sha256:{letter * 64}") for letter in "ab")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def entry(store: Store, data: bytes = b"42\n") -> Entry:
    ingredients = {"command": "echo 42", "recipe": key.RECIPE}
    stored = content.put_bytes(store.layout, data)
    output = EntryOutput("out.txt", "file", stored.digest, stored.size, (Member("", stored),))
    return Entry(key.of_ingredients(ingredients), ingredients, "count", 1.0, (output,))


def test_entries_of_an_untrusted_capsule_are_seen_by_its_own_recasts_alone(store: Store) -> None:
    made = entry(store)
    apart = reuse.steps_of(store, CAPSULE, trusted=False)
    entries.write(apart, made)
    assert entries.read(apart, made.key) == made
    assert entries.read(store, made.key) is None
    assert entries.read(reuse.steps_of(store, OTHER, trusted=False), made.key) is None
    assert reuse.steps_of(store, CAPSULE, trusted=True) is store


def test_a_collection_keeps_what_they_need_until_they_are_old(store: Store) -> None:
    made = entry(store)
    entries.write(reuse.steps_of(store, CAPSULE, trusted=False), made)
    collect.collect(store, grace=-60.0)
    assert store.layout.has(made.outputs[0].digest)
    collect.collect(store, grace=-60.0, steps_older_than=-60.0)
    assert not store.layout.has(made.outputs[0].digest)


def test_what_a_capsule_says_goes_before_the_store_and_the_store_beneath_it(store: Store) -> None:
    kept, said = entry(store), entry(store, b"43\n")
    entries.write(store, kept)
    assert Layered({}, store).get(kept.key) == kept
    assert Layered({said.key: said}, store).get(said.key) == said
    assert list(Layered({}, store)) == []
    assert Layered({}, store).get(digest.of_bytes(b"nobody knows")) is None


@pytest.mark.parametrize(
    ("runtime", "plain", "alike"),
    [
        ("apptainer", False, True),
        ("podman", False, True),
        ("apptainer", True, False),
        ("plain", False, False),
        ("plain", True, True),
        ("unknown", False, False),
        ("unknown", True, False),
    ],
)
def test_what_a_capsule_knows_counts_where_its_jobs_ran_in_the_same(
    store: Store, runtime: str, plain: bool, alike: bool
) -> None:
    here = " ".join(platform.libc_ver()).strip()
    capsule = capsules.small(store.layout)
    ran = replace(capsule, run=replace(capsule.run, runtime=runtime, libc=here))
    assert reuse.ran_alike(ran, plain=plain) is alike


def test_plain_processes_on_a_machine_with_another_libc_are_others(store: Store) -> None:
    capsule = capsules.small(store.layout)
    ran = replace(capsule, run=replace(capsule.run, runtime="plain", libc="glibc 0.1"))
    assert not reuse.ran_alike(ran, plain=True)
