"""The store's check finds what is damaged, its collection removes nothing that is needed."""

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import digest
from relance.errors import InputError
from relance.model import Digest, Stored
from relance.store import collect, content, fsck, runtime_images, usage
from relance.store.descriptors import INDEX_TYPE, MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.store.store import Store

KEY = digest.of_bytes(b"key")


def manifest(layout: Layout, layers: list[Stored], subject: Descriptor | None = None) -> Descriptor:
    config = layout.add(b"{}", "application/vnd.oci.empty.v1+json")
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.to_json(),
        "layers": [{"mediaType": "a/b", "digest": blob.digest, "size": blob.size} for blob in layers],
    }
    return layout.add_json(value | ({"subject": subject.to_json()} if subject else {}), MANIFEST_TYPE)


def index(layout: Layout, children: list[Descriptor]) -> Descriptor:
    value = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [c.to_json() for c in children]}
    return layout.add_json(value, INDEX_TYPE)


def step(store: Store, kept: list[Stored], key: Digest = KEY) -> Path:
    path = store.steps / key[7:9] / f"{key[7:]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    members = [{"path": "", "executable": False, "digest": blob.digest, "size": blob.size} for blob in kept]
    path.write_text(json.dumps({"version": 1, "key": key, "outputs": [{"members": members}]}))
    mark = store.steps / "outputs" / "0" / key[7:]
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return path


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def collected(store: Store, **options: object) -> collect.Collected:
    return collect.collect(store, grace=-60.0, **options)  # type: ignore[arg-type]


@given(
    kept=st.sets(st.integers(0, 9)),
    depth=st.integers(0, 3),
    reported=st.sets(st.integers(0, 9)),
    stepped=st.sets(st.integers(0, 9)),
)
def test_a_collection_removes_exactly_what_is_not_reached(kept, depth, reported, stepped, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("gc") / "store")
    layout = store.layout
    blobs = [content.put_bytes(layout, bytes([number] * 20)) for number in range(10)]
    top = manifest(layout, [blobs[number] for number in kept])
    for _ in range(depth):
        top = index(layout, [top])
    layout.name("capsule/it:1", top)
    about = manifest(layout, [blobs[number] for number in reported], subject=top)
    layout.attach(manifest(layout, [], subject=about))
    layout.attach(about)
    step(store, [blobs[number] for number in stepped])
    done = collected(store)
    there = {number for number, blob in enumerate(blobs) if content.has(layout, blob)}
    assert there == kept | reported | stepped
    assert done.blobs == 10 - len(there)
    assert fsck.check(store).damages == ()
    assert collected(store).blobs == 0


def test_a_report_that_no_index_lists_is_kept_with_what_it_is_about(store):
    layout = store.layout
    top = manifest(layout, [content.put_bytes(layout, b"data")])
    layout.name("capsule/it:1", top)
    report = manifest(layout, [content.put_bytes(layout, b"report")], subject=top)
    approval = manifest(layout, [content.put_bytes(layout, b"approved")], subject=report)
    assert collected(store).blobs == 0
    layout.unname("capsule/it:1")
    assert collected(store).blobs == 7
    assert not layout.has(approval.digest)


def test_a_forgotten_name_takes_its_reports_with_it(store):
    layout = store.layout
    top = manifest(layout, [])
    layout.name("capsule/it:1", top)
    layout.attach(manifest(layout, [], subject=top))
    assert layout.unname("capsule/it:1")
    assert not layout.unname("capsule/it:1")
    done = collected(store)
    assert (done.referrers, layout.index()) == (1, ())
    assert fsck.check(store).sound


def test_what_an_index_lists_without_a_name_is_kept_unless_it_is_about_something_gone(store):
    layout = store.layout
    alone = manifest(layout, [content.put_bytes(layout, b"data")])
    layout.attach(alone)
    assert collected(store).blobs == 0
    layout.detach(frozenset({alone.digest}))
    assert collected(store).blobs == 3


def test_young_blobs_stay_and_a_blob_wanted_again_is_young_again(store):
    layout = store.layout
    blob = content.put_bytes(layout, b"unnamed")
    done = collect.collect(store)
    assert (done.blobs, done.young) == (0, 1)
    later = time.time() + 2 * collect.GRACE
    assert collect.collect(store, dry_run=True, now=lambda: later).blobs == 1
    os.utime(layout.path(blob.digest), (1, 1))
    content.put_bytes(layout, b"unnamed")
    assert layout.path(blob.digest).stat().st_mtime > 1


def test_a_dry_run_removes_nothing_and_counts_the_same(store):
    layout = store.layout
    layout.attach(manifest(layout, [], subject=Descriptor(MANIFEST_TYPE, KEY, 3)))
    content.put_bytes(layout, b"unnamed")
    path = step(store, [])
    os.utime(path, (1, 1))
    before = sorted(store.folder.rglob("*"))
    expected = collected(store, dry_run=True, steps_older_than=100.0)
    assert sorted(store.folder.rglob("*")) == before
    assert collected(store, steps_older_than=100.0) == expected
    assert (expected.blobs, expected.steps, expected.referrers) == (3, 1, 1)


def runtime_image(store: Store, data: bytes, config: Digest | None) -> Path:
    store.runtime.mkdir(parents=True, exist_ok=True)
    file = runtime_images.path(store, digest.of_bytes(data))
    file.write_bytes(data)
    if config is not None:
        note = store.runtime.parent / "made" / config[7:]
        note.parent.mkdir(exist_ok=True)
        note.write_text(f"{digest.of_bytes(data)}\n")
    return file


def test_runtime_images_go_with_what_they_were_made_of(store):
    layout = store.layout
    layout.name("image/a", manifest(layout, []))
    config = digest.of_bytes(b"{}")
    needed, unknown = runtime_image(store, b"needed", config), runtime_image(store, b"unknown", None)
    gone = runtime_image(store, b"gone", digest.of_bytes(b"its image was forgotten"))
    shared = runtime_image(store, b"needed", digest.of_bytes(b"another that gave the same"))
    young = collect.collect(store)
    assert (young.runtime_images, gone.exists()) == (0, True)
    expected = collected(store, dry_run=True)
    assert (expected.runtime_images, expected.unknown_images, gone.exists()) == (1, 1, True)
    assert collected(store) == expected
    assert [path.exists() for path in (needed, unknown, gone, shared)] == [True, True, False, True]
    assert runtime_images.made_of(store, config) == digest.of_bytes(b"needed")
    assert collected(store).runtime_images == 0


def test_old_steps_are_dropped_with_what_only_they_need_when_asked_for(store):
    old, new = (content.put_bytes(store.layout, data) for data in (b"old", b"new"))
    os.utime(step(store, [old], digest.of_bytes(b"1")), (1, 1))
    step(store, [new], digest.of_bytes(b"2"))
    assert collected(store).blobs == 0
    assert collected(store, steps_older_than=3600.0).steps == 1
    assert not content.has(store.layout, old)
    assert content.has(store.layout, new)
    assert [mark.name for mark in store.steps.glob("outputs/*/*")] == [digest.of_bytes(b"2")[7:]]


def test_nothing_is_removed_while_it_is_unknown_what_is_kept(store):
    layout = store.layout
    data = content.put_bytes(layout, b"data")
    top = manifest(layout, [data])
    layout.name("capsule/it:1", top)
    flip(layout.path(top.digest))
    with pytest.raises(InputError, match="capsule/it:1 keeps is not known"):
        collected(store)
    (store.content / "index.json").write_text("{")
    with pytest.raises(InputError, match=r"index\.json can't be read"):
        collected(store)
    assert content.has(layout, data)
    assert [
        damage.place for damage in fsck.check(store, repair=True).damages if "index" in damage.subject
    ] == [None]


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
def test_a_flipped_byte_in_any_blob_is_found_and_who_needs_it_is_named(store, which):
    layout = store.layout
    layer = content.put_bytes(layout, b"some data")
    top = manifest(layout, [layer])
    layout.name("capsule/it:1", top)
    config = digest.of_bytes(b"{}")
    flip(layout.path({"layer": layer.digest, "config": config, "manifest": top.digest}[which]))
    health = fsck.check(store)
    (damage,) = health.damages
    assert not health.sound
    assert damage.needed_by == ("capsule/it:1",)
    assert "--repair" in damage.next_step


def test_what_is_missing_is_found_and_who_needs_it_is_named(store):
    layout = store.layout
    layer = content.put_bytes(layout, b"some data")
    layout.name("capsule/it:1", index(layout, [manifest(layout, [layer])]))
    layout.path(layer.digest).unlink()
    (damage,) = fsck.check(store).damages
    assert (damage.subject, damage.found, damage.needed_by) == (
        layer.digest,
        "no such blob",
        ("capsule/it:1",),
    )


def test_repair_moves_damage_out_of_the_way_so_that_the_same_content_can_be_kept_again(store):
    layout = store.layout
    layer = content.put_bytes(layout, b"some data")
    layout.name("capsule/it:1", manifest(layout, [layer]))
    flip(layout.path(layer.digest))
    content.put_bytes(layout, b"some data")
    health = fsck.check(store, repair=True)
    assert not health.sound and health.damages[0].moved == store.folder / "damaged" / layer.digest[7:]
    assert not fsck.check(store).sound
    content.put_bytes(layout, b"some data")
    assert fsck.check(store).damages == ()


def test_damage_that_nothing_but_steps_needs_is_mended_by_moving_it(store):
    layout = store.layout
    flipped = content.put_bytes(layout, b"some data")
    broken = step(store, [flipped])
    flip(layout.path(flipped.digest))
    torn = broken.with_name("0" * 64 + ".json")
    torn.write_text("{")
    store.runtime.mkdir(parents=True)
    assert not fsck.check(store).sound
    assert fsck.check(store, repair=True).sound
    assert fsck.check(store).damages == ()
    assert not torn.exists() and broken.exists()


def test_a_damaged_runtime_image_is_found(store):
    store.layout.index()
    store.runtime.mkdir(parents=True)
    (store.runtime / f"{digest.of_bytes(b'image')[7:]}.sqsh").write_bytes(b"image")
    assert fsck.check(store).sound
    (store.runtime / f"{digest.of_bytes(b'other')[7:]}.sqsh").write_bytes(b"image")
    (damage,) = fsck.check(store).damages
    assert damage.found == digest.of_bytes(b"image")


def test_a_manifest_that_says_what_it_must_not_is_reported_though_its_digest_is_right(store):
    layout = store.layout
    layout.name("capsule/it:1", layout.add(b'{"schemaVersion": 1}', MANIFEST_TYPE))
    (damage,) = fsck.check(store).damages
    assert damage.needed_by == ("capsule/it:1",)


def test_manifests_that_name_each_other_a_thousand_deep_are_followed_to_the_end(store):
    layout = store.layout
    top = manifest(layout, [content.put_bytes(layout, b"deep")])
    for _ in range(1000):
        top = index(layout, [top])
    layout.name("deep", top)
    assert collected(store).blobs == 0
    assert fsck.check(store).sound


def test_progress_tells_every_byte(store):
    content.put_bytes(store.layout, bytes(3 << 20))
    heard: list[tuple[int, int]] = []
    health = fsck.check(store, told=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (3 << 20, 3 << 20)
    assert (health.blobs, health.bytes) == (1, 3 << 20)


def test_usage_tells_what_each_name_needs_and_what_it_alone_needs(store):
    layout = store.layout
    both, one, stepped = (content.put_bytes(layout, bytes([n]) * 1000 * n) for n in (1, 2, 3))
    first = manifest(layout, [both, one])
    second = manifest(layout, [both])
    layout.name("capsule/one:1", first)
    layout.name("capsule/two:1", second)
    layout.name("capsule/again:1", second)
    step(store, [stepped])
    content.put_bytes(layout, bytes(5000))
    found = usage.usage(store)
    shares = {share.name: (share.all, share.own) for share in found.names}
    assert shares["capsule/one:1"] == (3000 + 2 + first.size, 2000 + first.size)
    assert shares["capsule/two:1"] == (1000 + 2 + second.size, 0)
    assert (found.steps.all, found.steps.own, found.unreachable) == (3000, 3000, 5000)
    assert found.shared == 1000 + 2 + second.size
    assert found.content == sum(layout.size(blob) or 0 for blob in layout.blobs())
