"""Images from layouts, archives and registries enter a store with their identity; hostile ones don't."""

import gzip
import json
import os
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from relance import digest
from relance.errors import InputError
from relance.store.descriptors import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE
from relance.store.importing import entry, sif, unpacking
from relance.store.importing.entry import Entered
from relance.store.importing.mapping import ImageMapping, Mapped, mapped
from relance.store.importing.mapping import read as read_mapping
from relance.store.importing.source import Kind, parse
from relance.store.layout import Layout
from relance.store.registry import pushing
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access
from relance.store.tree import flatten

from . import foreign
from .strict_registry import Behaviour, serving
from .tarballs import file, folder, layer, link

ACCESS = Access(pause=lambda _: None)
SMALL = foreign.image(
    layer(folder("bin"), file("bin/greet", b"echo hello", 0o755), file("old")),
    layer(link("bin/salute", "greet"), file(".wh.old")),
)
OTHER = foreign.image(layer(file("other", b"other")))


@pytest.fixture
def store(tmp_path) -> Layout:
    return Layout(tmp_path / "store")


@pytest.fixture
def theirs(tmp_path) -> Layout:
    return Layout(tmp_path / "theirs")


def enter(store: Layout, text: str, here: Path = Path(), mapping: ImageMapping | None = None) -> Entered:
    place = entry.find(text, mapping or ImageMapping(), here)
    return entry.enter(store, place, "amd64", ACCESS, {})


def is_small(entered: Entered, store: Layout) -> bool:
    image = entered.image
    assert image.config.digest == SMALL.identity
    assert [layer.digest for layer in image.layers] == [digest.of_bytes(data) for data in SMALL.layers]
    assert [store.read(layer.digest) for layer in image.layers] == list(SMALL.layers)
    assert dict(image.settings.environment) == {"PATH": "/bin:/usr/bin", "EXPERIMENT": "one two"}
    return True


@pytest.mark.parametrize("packing", foreign.PACKERS)
def test_an_image_of_a_layout_keeps_its_identity_however_it_is_packed(store, theirs, packing):
    theirs.name("some/name:1.0", foreign.put(theirs, SMALL, packing))
    for text in (f"oci:{theirs.folder}", f"oci:{theirs.folder}:some/name:1.0", str(theirs.folder)):
        assert is_small(enter(store, text), store)


def test_every_way_of_packing_gives_the_same_manifest(tmp_path):
    manifests = set()
    for packing in foreign.PACKERS:
        theirs = Layout(tmp_path / f"theirs{packing}")
        theirs.name("x", foreign.put(theirs, SMALL, packing))
        entered = enter(Layout(tmp_path / f"store{packing}"), f"oci:{theirs.folder}")
        manifests.add(entered.image.manifest)
    assert len(manifests) == 1


def test_several_frames_and_members_are_one_layer(store, theirs):
    data = SMALL.layers[0]
    half = len(data) // 2
    for pack, kind in ((gzip.compress, "+gzip"), (zstandard.compress, "+zstd")):
        packed = pack(data[:half]) + pack(data[half:])
        if kind == "+zstd":  # as zstd:chunked ends
            packed += b"\x50\x2a\x4d\x18" + (8).to_bytes(4, "little") + b"whatever"
        one = theirs.add(packed, f"{LAYER_TYPE}{kind}")
        image = foreign.image(layer())
        config = json.loads(image.config) | {
            "rootfs": {"diff_ids": [digest.of_bytes(data)]},
            "comment": kind,
        }
        stored = theirs.add(json.dumps(config).encode(), CONFIG_TYPE)
        manifest = {"schemaVersion": 2, "config": stored.to_json(), "layers": [one.to_json()]}
        theirs.name(kind, theirs.add_json(manifest, MANIFEST_TYPE))
        entered = enter(store, f"oci:{theirs.folder}:{kind}")
        assert store.read(entered.image.layers[0].digest) == data


def test_the_image_for_this_processor_is_taken_from_an_index(store, theirs):
    arm = foreign.image(layer(file("arm")), architecture="arm64")
    children = [(foreign.put(theirs, arm), "arm64"), (foreign.put(theirs, SMALL), "amd64")]
    theirs.name("both", foreign.put_index(theirs, children))
    assert is_small(enter(store, f"oci:{theirs.folder}"), store)


def test_an_image_for_another_processor_only_is_refused(store, theirs):
    arm = foreign.image(layer(file("arm")), architecture="arm64")
    theirs.name("alone", foreign.put(theirs, arm))
    theirs.name("listed", foreign.put_index(theirs, [(foreign.put(theirs, arm), "arm64")]))
    for name in ("alone", "listed"):
        with pytest.raises(InputError, match="linux/amd64"):
            enter(store, f"oci:{theirs.folder}:{name}")


def test_several_images_without_a_name_are_refused_with_their_names(store, theirs):
    theirs.name("one", foreign.put(theirs, SMALL))
    theirs.name("two", foreign.put(theirs, OTHER))
    with pytest.raises(InputError, match="one of one, two"):
        enter(store, f"oci:{theirs.folder}")
    with pytest.raises(InputError, match="one of one, two"):
        enter(store, f"oci:{theirs.folder}:three")


def test_an_archive_of_a_layout_is_taken_in(store, theirs, tmp_path):
    theirs.name("some/name:1.0", foreign.put(theirs, SMALL))
    path = foreign.archive_folder(theirs.folder, tmp_path / "image.tar")
    for text in (f"oci-archive:{path}", str(path), f"{path}:some/name:1.0"):
        assert is_small(enter(store, text), store)


def test_one_of_several_images_of_docker_save_is_taken_by_name(store, tmp_path):
    images = {"docker.io/library/other:2": OTHER, "group/small:1": SMALL, "twin:latest": SMALL}
    path = foreign.docker_archive(tmp_path / "saved.tar", images)
    for name in ("group/small:1", "small:1", "twin"):
        assert is_small(enter(store, f"docker-archive:{path}:{name}"), store)
    assert enter(store, f"{path}:other:2").image.config.digest == OTHER.identity
    with pytest.raises(InputError, match=r"one of docker\.io/library/other:2, group/small:1, twin:latest"):
        enter(store, str(path))


@pytest.mark.parametrize("named", [True, False])
def test_an_archive_of_docker_save_in_gzip_is_taken_in(store, tmp_path, named):
    path = foreign.docker_archive(tmp_path / "saved.tar", {"small:1": SMALL})
    packed = tmp_path / "saved.tar.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert is_small(enter(store, f"{'docker-archive:' if named else ''}{packed}"), store)
    assert [path.name for path in store.folder.iterdir() if path.name.startswith(".part")] == []


@pytest.mark.parametrize("packing", foreign.PACKERS)
def test_a_tag_of_a_registry_is_resolved_and_said_to_be(store, theirs, packing):
    manifest = foreign.put(theirs, SMALL, packing)
    with serving() as server:
        pushing.push(theirs, manifest, Reference.parse(f"{server.host}/small:1"), ACCESS)
        entered = enter(store, f"docker://{server.host}/small:1")
        assert is_small(entered, store)
        assert entered.reference == Reference(server.host, "small", manifest.digest, "1")
        assert f"the tag '1' means {manifest.digest} now" in entered.remarks
        pinned = enter(store, f"{server.host}/small@{manifest.digest}")
        assert pinned.image == entered.image
        assert pinned.remarks == ()
        # The layers that are there are not fetched again.
        assert len(server.calls("GET", "/blobs/")) == 2 + len(SMALL.layers)


def test_a_broken_pull_of_an_image_goes_on_where_it_was(store, theirs):
    big = foreign.image(layer(file("noise", os.urandom(500_000))))
    manifest = foreign.put(theirs, big)
    with serving() as server:
        pushing.push(theirs, manifest, Reference.parse(f"{server.host}/big:1"), ACCESS)
        server.behaviour = Behaviour(breaks=3, break_after=200_000)
        entered = enter(store, f"{server.host}/big:1")
        assert entered.image.config.digest == big.identity
        assert "bytes=200000-" in {call.range for call in server.asked}


# hostile images


def refused(store: Layout, text: str, match: str) -> None:
    before = set(store.blobs())
    with pytest.raises(InputError, match=match):
        enter(store, text)
    assert {path.name for path in store.folder.iterdir()} <= {
        "blobs",
        "index.json",
        "oci-layout",
        ".lock",
    }
    assert list((store.folder / "blobs" / "sha256").glob(".*")) == []
    # Layers that were verified before the bad one may stay; nothing names them.
    assert store.names() == {}
    assert all(digest.of_file(store.path(blob)) == blob for blob in set(store.blobs()) - before)


def change(theirs: Layout, old: bytes, new: bytes) -> None:
    path = theirs.path(digest.of_bytes(old))
    path.chmod(0o644)
    path.write_bytes(new)


@pytest.mark.parametrize("archived", [True, False])
def test_blobs_that_are_not_what_their_names_say_are_refused(store, theirs, tmp_path, archived):
    theirs.name("x", foreign.put(theirs, SMALL))

    def text() -> str:
        if archived:
            return f"oci-archive:{foreign.archive_folder(theirs.folder, tmp_path / 'x.tar')}"
        return f"oci:{theirs.folder}"

    packed = gzip.compress(SMALL.layers[1], mtime=0)
    change(theirs, packed, gzip.compress(OTHER.layers[0], mtime=0))
    refused(store, text(), "damaged")
    change(theirs, packed, packed)
    change(theirs, SMALL.config, SMALL.config.replace(b"somebody", b"somebodx"))
    refused(store, text(), "damaged")


def test_a_layer_that_isn_t_what_the_configuration_says_is_refused(store, theirs):
    lying = foreign.Foreign(SMALL.config, (SMALL.layers[0], OTHER.layers[0]))
    theirs.name("x", foreign.put(theirs, lying))
    refused(store, f"oci:{theirs.folder}", "layer 1.*as its configuration says")


def test_more_layers_than_the_configuration_knows_are_refused(store, theirs):
    lying = foreign.Foreign(SMALL.config, (*SMALL.layers, OTHER.layers[0]))
    theirs.name("x", foreign.put(theirs, lying))
    refused(store, f"oci:{theirs.folder}", "2 layers")


@pytest.mark.parametrize("packing", ["+gzip", "+zstd"])
def test_a_layer_that_unpacks_to_far_more_than_it_is_packed_is_refused(store, theirs, packing, monkeypatch):
    monkeypatch.setattr(unpacking, "_ALWAYS", 1_000_000)
    bomb = foreign.image(layer(file("zeros", bytes(8_000_000))))
    theirs.name("x", foreign.put(theirs, bomb, packing))
    refused(store, f"oci:{theirs.folder}", "as if to fill the disk")


def test_packed_data_that_is_cut_off_or_spoilt_is_refused(store, theirs):
    for number, spoil in enumerate((lambda data: data[:-20], lambda data: data[:30] + b"?" * 30 + data[60:])):
        for packing in ("+gzip", "+zstd"):
            one = theirs.add(spoil(foreign.PACKERS[packing](SMALL.layers[0])), f"{LAYER_TYPE}{packing}")
            config = theirs.add(foreign.image(layer()).config, CONFIG_TYPE)
            value = {"schemaVersion": 2, "config": config.to_json(), "layers": [one.to_json()]}
            theirs.name(f"x{number}{packing}", theirs.add_json(value, MANIFEST_TYPE))
            refused(store, f"oci:{theirs.folder}:x{number}{packing}", "unpacked|as its configuration says")


def test_layers_of_an_unknown_kind_are_refused(store, theirs):
    encrypted = f"{LAYER_TYPE}+gzip+encrypted"
    one = theirs.add(b"secret", encrypted)
    config = theirs.add(foreign.image(layer()).config, CONFIG_TYPE)
    value = {"schemaVersion": 2, "config": config.to_json(), "layers": [one.to_json()]}
    theirs.name("x", theirs.add_json(value, MANIFEST_TYPE))
    refused(store, f"oci:{theirs.folder}", "encrypted")


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"[]",
        b"{}",
        b'{"rootfs": {"diff_ids": "x"}}',
        b'{"rootfs": {"diff_ids": ["../../x"]}}',
        b'{"os": "linux", "architecture": "amd64", "config": 1, "rootfs": {"diff_ids": []}}',
        b'{"os": "linux", "architecture": "amd64", "config": {"Env": [1]}, "rootfs": {"diff_ids": []}}',
        b'{"os": "linux", "architecture": "amd64", "config": {"Env": "A=1"}, "rootfs": {"diff_ids": []}}',
        b'{"os": "linux", "architecture": "amd64", "config": {"Labels": []  , "WorkingDir": 3},'
        b' "rootfs": {"diff_ids": []}}',
        b"[" * 50_000,
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(store, theirs, config):
    stored = theirs.add(config, CONFIG_TYPE)
    value = {"schemaVersion": 2, "config": stored.to_json(), "layers": []}
    theirs.name("x", theirs.add_json(value, MANIFEST_TYPE))
    refused(store, f"oci:{theirs.folder}", "image|digest")


def test_a_layout_whose_blob_is_a_link_or_a_pipe_is_refused(store, theirs, tmp_path):
    theirs.name("x", foreign.put(theirs, SMALL))
    path = theirs.path(digest.of_bytes(SMALL.config))
    path.unlink()
    (tmp_path / "secret").write_bytes(SMALL.config)
    path.symlink_to(tmp_path / "secret")
    refused(store, f"oci:{theirs.folder}", "can't be taken in")
    path.unlink()
    os.mkfifo(path)
    refused(store, f"oci:{theirs.folder}", "no regular file")


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({"manifest.json": b"{}"}, "list of images"),
        ({"manifest.json": b"[1]"}, "list of images"),
        ({"manifest.json": b'[{"Config": "../../../etc/passwd", "Layers": []}]'}, "no such member"),
        ({"manifest.json": b'[{"Config": 1, "Layers": []}]'}, "names of files"),
        ({"manifest.json": b'[{"Config": "c.json", "Layers": "x"}]', "c.json": b"{}"}, "list of layers"),
        ({"manifest.json": b'[{"Config": "%s.json", "Layers": []}]' % (b"0" * 64), f"{'0' * 64}.json": b"x"},
         "as its name says"),
        ({"manifest.json": b" " * 5_000_000}, "list of images"),
    ],
    ids=["mapping", "numbers", "way out", "no name", "no layers", "wrong name", "huge"],
)  # fmt: skip
def test_a_hostile_docker_archive_is_refused(store, tmp_path, members, match):
    path = foreign.docker_archive(tmp_path / "saved.tar", {}, members=members)
    refused(store, f"docker-archive:{path}", match)


def test_a_docker_archive_whose_links_go_in_circles_is_refused(store, tmp_path):
    path = tmp_path / "saved.tar"
    foreign.docker_archive(path, {}, members={"manifest.json": b'[{"Config": "a", "Layers": []}]'})
    with tarfile.open(path, "a") as tar:
        for name, target in (("a", "b"), ("b", "a")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    refused(store, f"docker-archive:{path}", "no regular file")


@pytest.mark.parametrize("text", ["./none.tar", "/none/at/all", "oci:none", "sif:none.sif", "none.tar"])
def test_what_isn_t_there_is_told(store, text):
    refused(store, text, "expected a file or folder")


def test_a_file_that_is_no_image_is_told_what_it_should_be(store, tmp_path):
    (tmp_path / "thesis.pdf").write_bytes(b"%PDF-1.4")
    refused(store, str(tmp_path / "thesis.pdf"), "OCI layout, an archive")


# names


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("docker://python:3.11", Kind.REGISTRY, "docker.io/library/python:3.11"),
        ("python", Kind.REGISTRY, "docker.io/library/python:latest"),
        ("atlas/base:1", Kind.REGISTRY, "docker.io/atlas/base:1"),
        ("registry.example.org:5000/a/b", Kind.REGISTRY, "registry.example.org:5000/a/b:latest"),
        ("docker-daemon:atlas/base:1", Kind.DOCKER, "atlas/base:1"),
        ("containers-storage:localhost/x", Kind.PODMAN, "localhost/x"),
        ("podman:0123456789ab", Kind.PODMAN, "0123456789ab"),
    ],
)
def test_a_place_is_read_as_engines_read_it(text, kind, name):
    source = parse(text, Path("/nonexistent"))
    assert (source.kind, source.name) == (kind, name)


@pytest.mark.parametrize("text", ["", ":", "docker://", "UPPER/case", "a b", "x@sha256:12", "docker-daemon:",
                                  "podman:--root=/x", "https://registry.example.org/x"])  # fmt: skip
def test_what_is_no_place_is_refused(text, tmp_path):
    with pytest.raises(InputError):
        parse(text, tmp_path)


def test_an_image_is_found_by_any_way_of_writing_its_name(store, theirs):
    theirs.name("x", foreign.put(theirs, SMALL))
    entered = enter(store, f"oci:{theirs.folder}")
    assert entry.name(store, entered.image, "docker://python:3.11") == "image/docker.io/library/python:3.11"
    for name in ("python:3.11", "docker.io/library/python:3.11", "docker://docker.io/python:3.11"):
        assert entry.named(store, name) == entered.image
    assert entry.named(store, "python:3.12") is None


# mapping

MAPPING = """\
version: 1
images:
  - name: docker://atlas/analysisbase:21.2.51
    use: "oci:images:base:21"
    config: {config}
  - prefix: gitlab-registry.example.org/atlas
    use: mirror.example.org/kept/atlas/
  - prefix: docker://gitlab-registry.example.org
    use: other.example.org
  - name: gitlab-registry.example.org/atlas/special:1
    use: sif:special.sif
"""


@pytest.fixture
def mapping(tmp_path) -> ImageMapping:
    (tmp_path / "special.sif").touch()
    images = Layout(tmp_path / "images")
    images.name("base:21", foreign.put(images, SMALL))
    path = tmp_path / "images.mapping.yaml"
    path.write_text(MAPPING.format(config=SMALL.identity), encoding="utf-8")
    return read_mapping(path)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("docker://gitlab-registry.example.org/atlas/x/y:2", "mirror.example.org/kept/atlas/x/y:2"),
        ("gitlab-registry.example.org/atlas/x", "mirror.example.org/kept/atlas/x:latest"),
        ("gitlab-registry.example.org/atlasfast/x:1", "other.example.org/atlasfast/x:1"),
        (
            f"gitlab-registry.example.org/cms/x@sha256:{'a' * 64}",
            f"other.example.org/cms/x@sha256:{'a' * 64}",
        ),
    ],
)
def test_the_longest_prefix_says_where_an_image_is_now(mapping, name, source):
    found = mapped(name, mapping)
    assert found is not None
    assert (found.name, str(found.source)) == (name, source)


def test_a_name_comes_before_a_prefix(mapping, tmp_path):
    found = mapped("docker://gitlab-registry.example.org/atlas/special:1", mapping)
    assert found is not None
    assert (found.source.kind, found.source.path) == (Kind.SIF, tmp_path / "special.sif")


@pytest.mark.parametrize("name", ["python:3.11", "atlas/analysisbase:21.2.52", "results/image.sif", ""])
def test_an_image_that_no_entry_names_is_left_alone(mapping, name):
    assert mapped(name, mapping) is None


def test_what_stood_in_for_what_is_said(mapping, store):
    entered = enter(store, "atlas/analysisbase:21.2.51", mapping=mapping)
    assert is_small(entered, store)
    assert entered.stands_for == "atlas/analysisbase:21.2.51"
    assert any("configuration" in remark for remark in entered.remarks)


def test_another_image_than_the_mapping_means_is_refused(tmp_path, mapping, store):
    images = Layout(tmp_path / "images")
    images.name("base:21", foreign.put(images, OTHER))
    with pytest.raises(InputError, match="as the mapping says"):
        enter(store, "atlas/analysisbase:21.2.51", mapping=mapping)


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ("- use: x.example.org/y", "either 'name' or 'prefix'"),
        ("- {name: a/b, prefix: c, use: x.example.org/y}", "either 'name' or 'prefix'"),
        ("- {prefix: gitlab.example.org/a, use: 'oci:folder'}", "a registry, such as"),
        ("- {prefix: gitlab.example.org/a, use: 'a/b'}", "a registry, such as"),
        ("- {prefix: gitlab.example.org/a, use: 'm.example.org/b:1'}", "a registry, such as"),
        ("- {name: a/b, use: x/y}\n  - {name: 'docker.io/a/b:latest', use: z}", "each image once"),
        ("- {name: a/b, usee: x}", "usee"),
        ("- {name: UPPER, use: x}", "name of an image"),
        ("- {name: a/b, use: x, config: 'sha256:12'}", "sha256"),
    ],
)  # fmt: skip
def test_a_mapping_that_contradicts_itself_is_refused_with_its_line(tmp_path, entries, match):
    path = tmp_path / "images.mapping.yaml"
    path.write_text(f"version: 1\nimages:\n  {entries}\n", encoding="utf-8")
    with pytest.raises(InputError, match=match) as caught:
        read_mapping(path)
    assert f"{path}:" in str(caught.value)


hosts = st.sampled_from(["registry.example.org", "localhost:5000", "127.0.0.1:5000", "docker.io", "a.b:1"])
parts = st.from_regex(r"[a-z0-9]+(?:[._-][a-z0-9]+){0,2}", fullmatch=True)
repositories = st.lists(parts, min_size=1, max_size=4).map("/".join)
tags = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
digests = st.none() | st.binary(min_size=1, max_size=9).map(digest.of_bytes)


@given(hosts, repositories, tags, digests)
def test_a_reference_is_read_back_as_it_was_written(host, repository, tag, pin):
    reference = Reference(host, repository, pin, tag or (None if pin else "latest"))
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(f"docker://{reference}") == reference
    if host != "docker.io":
        assert Reference.of_image(str(reference)) == reference


@given(st.text(max_size=60))
def test_any_text_is_a_reference_or_refused(text):
    try:
        reference = Reference.parse(text)
    except InputError:
        return
    assert Reference.parse(str(reference)) == reference
    assert "//" not in reference.repository
    assert ".." not in reference.repository
    assert not set(reference.address.partition("://")[2]) & set("/@?# \n")


@given(hosts, repositories, hosts, repositories, repositories, tags)
def test_a_prefix_replaces_itself_and_nothing_else(host, prefix, new_host, new, rest, tag):  # noqa: PLR0917
    from relance.store.importing.mapping import Rule

    rules = ImageMapping((Rule(f"docker://{new_host}/{new}", prefix=f"{host}/{prefix}"),))
    name = f"{host}/{prefix}/{rest}:{tag or 'latest'}"
    found = mapped(name, rules)
    full = str(Reference.of_image(name))
    if full != name:  # docker.io/x means docker.io/library/x
        return
    assert found is not None
    assert str(found.source) == str(Reference.of_image(f"{new_host}/{new}/{rest}:{tag or 'latest'}"))
    assert mapped(f"{host}/{prefix}x/{rest}", rules) is None


@given(st.lists(st.binary(max_size=3000), max_size=3), st.sampled_from(sorted(foreign.PACKERS)))
def test_any_files_survive_packing_and_entering(tmp_path_factory, contents, packing):
    base = tmp_path_factory.mktemp("case")
    theirs, store = Layout(base / "theirs"), Layout(base / "store")
    image = foreign.image(*(layer(file(f"f{number}", data)) for number, data in enumerate(contents)))
    theirs.name("x", foreign.put(theirs, image, packing))
    entered = enter(store, f"oci:{theirs.folder}")
    opened = [store.path(one.digest).open("rb") for one in entered.image.layers]
    try:
        tree = flatten(opened)
    finally:
        for stream in opened:
            stream.close()
    assert set(tree) == {f"f{number}" for number in range(len(contents))}


def test_a_mapped_place_is_found_only_by_its_rule(mapping):
    found = mapped("atlas/analysisbase:21.2.51", mapping)
    assert isinstance(found, Mapped)
    assert found.by_rule
    assert not entry.find("python:3.11", mapping, Path("/nonexistent")).by_rule


# SIF: with real files in tests/contract/test_importing.py


@pytest.mark.parametrize("size", [0, 31, 42, 60, 127])
def test_a_sif_file_that_is_cut_off_is_refused(tmp_path, size):
    path = tmp_path / "x.sif"
    path.write_bytes((b"#!/usr/bin/env run-singularity\n\0" + b"SIF_MAGIC\0" + b"\xff" * 200)[:size])
    with pytest.raises(InputError, match="SIF"):
        sif.find(path)


def test_what_a_killed_import_left_is_collected(tmp_path):
    from relance.store.collect import collect
    from relance.store.store import Store

    store = Store(tmp_path / "store")
    left = store.layout.folder / ".part-abandoned"
    (left / "tree" / "closed").mkdir(parents=True)
    (left / "tree" / "closed" / "file").write_bytes(b"half")
    (left / "tree" / "link").symlink_to("nowhere")
    (left / "tree" / "closed").chmod(0o500)
    for path in (left, *left.rglob("*")):
        os.utime(path, (0, 0), follow_symlinks=False)
    collect(store)
    assert not left.exists()
