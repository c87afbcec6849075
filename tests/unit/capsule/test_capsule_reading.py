import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests import capsules

from relance import digest
from relance.capsule import oci, reading, writing
from relance.capsule.model import Capsule, CapsuleFile, CapsuleJob, CapsuleLink, Role
from relance.capsule.ordering import ordered
from relance.errors import InputError
from relance.model import UNKNOWN, Digest, Part, Stored
from relance.store.descriptors import INDEX_TYPE, LARGEST_MANIFEST, MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout

Change = Callable[[Layout, Capsule], Capsule]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "content")


@pytest.fixture
def capsule(layout: Layout) -> Capsule:
    return capsules.small(layout, image=capsules.toy_image(layout))


def test_a_capsule_is_read_back_as_it_was_written(layout: Layout, capsule: Capsule) -> None:
    written = writing.write(layout, capsule, name="counting")
    assert reading.read(layout, written) == ordered(capsule)
    assert reading.head(layout, written).analysis.version == "1.0"


def test_the_same_capsule_in_another_order_and_layout_has_the_same_digest(
    layout: Layout, capsule: Capsule, tmp_path: Path
) -> None:
    other = Layout(tmp_path / "other")
    again = capsules.small(other, image=capsules.toy_image(other))
    one, two, total = again.jobs
    shuffled = replace(
        again,
        files=again.files[::-1],
        jobs=(two, one, replace(total, needs=(1, 0))),
        folders=("scratch",) * 2,
    )
    assert writing.write(other, shuffled, name=None) == writing.write(layout, capsule, name="counting")


def test_another_threshold_gives_another_digest(layout: Layout, capsule: Capsule) -> None:
    other = replace(capsule, run=replace(capsule.run, configuration={"threshold": 101}))
    assert writing.write(layout, other, name=None) != writing.write(layout, capsule, name=None)


def test_what_is_named_is_every_blob_and_each_after_those_that_it_names(
    layout: Layout, capsule: Capsule
) -> None:
    written = writing.write(layout, capsule, name=None)
    named = list(reading.documents(layout, written))
    assert len({blob.digest for blob in named}) == len(named)
    assert {blob.digest for blob in named} == set(layout.blobs())
    assert all(layout.size(blob.digest) == blob.size for blob in named)
    assert named[-1].digest == written.digest


def test_a_capsule_is_found_by_name_version_digest_and_digits(layout: Layout, capsule: Capsule) -> None:
    written = writing.write(layout, capsule, name="counting")
    hexadecimal = written.digest.removeprefix("sha256:")
    texts = ("counting", "counting:1.0", written.digest, hexadecimal, hexadecimal[:8], written.digest[:20])
    assert {reading.find(layout, text).digest for text in texts} == {written.digest}
    assert reading.names(layout) == {"counting:1.0": written}


def test_a_name_that_means_two_capsules_is_refused_with_both(layout: Layout, capsule: Capsule) -> None:
    writing.write(layout, capsule, name="counting")
    other = replace(capsule, unknown=("who ran it",))
    writing.write(layout, other, name="counting:2.0")
    with pytest.raises(InputError, match=r"counting:1\.0, counting:2\.0"):
        reading.find(layout, "counting")


@pytest.mark.parametrize("text", ["couting", "0123456", "sha256:" + "0" * 64, "../../index", ""])
def test_what_is_no_capsule_is_not_found(layout: Layout, capsule: Capsule, text: str) -> None:
    writing.write(layout, capsule, name="counting")
    with pytest.raises(InputError, match="no capsule"):
        reading.find(layout, text)


def test_a_blob_that_is_no_capsule_is_not_found_by_its_digest(layout: Layout, capsule: Capsule) -> None:
    writing.write(layout, capsule, name="counting")
    with pytest.raises(InputError, match="no capsule"):
        reading.find(layout, capsule.files[0].digest)


@pytest.mark.parametrize("name", ["../x", "a b", "", "a:b:c", "-a", "capsule/a", "a:"])
def test_a_name_that_can_be_none_is_refused_before_anything_is_written(
    layout: Layout, capsule: Capsule, name: str
) -> None:
    before = set(layout.blobs())
    with pytest.raises(InputError, match="can't be called"):
        writing.write(layout, capsule, name=name)
    assert set(layout.blobs()) == before


def test_a_capsule_whose_file_is_not_kept_is_not_written(layout: Layout, capsule: Capsule) -> None:
    layout.path(capsule.files[0].digest).unlink()
    with pytest.raises(InputError, match=capsule.files[0].digest):
        writing.write(layout, capsule, name="counting")
    assert reading.names(layout) == {}


def test_a_specification_that_is_not_its_text_is_not_written(layout: Layout, capsule: Capsule) -> None:
    other = capsules.SPECIFICATION.replace(b"above", b"below")
    with pytest.raises(InputError, match="specification"):
        writing.write(layout, replace(capsule, specification_text=other), name=None)


def test_manifests_stay_small_with_fifty_thousand_files(layout: Layout, capsule: Capsule) -> None:
    files = []
    for number in range(50_000):
        blob = Digest(f"sha256:{number:064x}")
        stored = Stored(blob, 3)
        files.append(CapsuleFile(f"results/{number:05}.txt", Role.PRODUCT, blob, 3, stored))
    large = replace(capsule, files=(*capsule.files, *files))
    blobs = {part.digest: part.size for file in large.files if file.stored for part in file.stored.blobs}
    manifests = [digest.canonical_json(manifest) for manifest in oci.contents(blobs)]
    assert len(manifests) == 26
    assert max(map(len, manifests)) < LARGEST_MANIFEST
    written = capsules.forged(layout, ordered(large))
    assert written.size < LARGEST_MANIFEST
    assert reading.read(layout, written) == ordered(large)


def file(path: str, role: Role = Role.SOURCE) -> Change:
    return lambda layout, capsule: replace(
        capsule, files=(*capsule.files, capsules.kept(layout, path, b"x", role))
    )


def link(path: str, target: str) -> Change:
    return lambda _, capsule: replace(capsule, links=(*capsule.links, CapsuleLink(path, target)))


def first_file(**changes: Any) -> Change:
    return lambda _, capsule: replace(
        capsule, files=(replace(capsule.files[0], **changes), *capsule.files[1:])
    )


def last_job(change: Callable[[CapsuleJob], CapsuleJob]) -> Change:
    return lambda _, capsule: replace(capsule, jobs=(*capsule.jobs[:-1], change(capsule.jobs[-1])))


def record(**changes: Any) -> Change:
    return last_job(lambda job: replace(job, record=replace(job.record, **changes)))


ELSEWHERE = digest.of_bytes(b"elsewhere")
HOSTILE: dict[str, Change] = {
    "a path that goes up": file("../outside"),
    "a path that goes up later": file("data/../../outside"),
    "an absolute source": file("/etc/cron.d/x"),
    "an absolute product": file("/etc/cron.d/x", Role.PRODUCT),
    "an absolute input that goes up": file("/data/../etc/passwd", Role.INPUT),
    "two slashes": file("data//x"),
    "a dot": file("data/./x"),
    "a folder's name": file("data/x/"),
    "nothing": file(""),
    "NUL": file("data/x\0y"),
    "a new line": file("data/x\ny"),
    "an escape sequence": file("data/\x1b[2J"),
    "a backslash": file("data\\..\\x"),
    "a name that is relance's own": file(".relance/outside/etc/passwd"),
    "a long name": file("x" * 256),
    "a long path": file("/".join(["x" * 250] * 17)),
    "a file that is a folder too": file("data"),
    "a file below a file": file("config.yaml/x"),
    "a file below a link": file("scripts/tally.sh/x"),
    "a file twice": file("config.yaml"),
    "a file and a link of one path": file("scripts/tally.sh"),
    "an empty folder that is a file": lambda _, capsule: replace(capsule, folders=("config.yaml",)),
    "an empty folder below a link": lambda _, capsule: replace(capsule, folders=("scripts/tally.sh/x",)),
    "a folder that goes up": lambda _, capsule: replace(capsule, folders=("../x",)),
    "a tree that goes up": lambda _, capsule: replace(capsule, trees={"../x": ELSEWHERE}),
    "a link that leads out": link("scripts/x", "../../x"),
    "an absolute link": link("scripts/x", "/etc/passwd"),
    "a link to a link": link("scripts/x", "tally.sh"),
    "a link through a link": link("scripts/x", "tally.sh/../count.sh"),
    "a link to itself": link("scripts/x", "x"),
    "a link to its own folder": link("scripts/x", "../scripts"),
    "a link to nothing": link("scripts/x", "none"),
    "a link to the top": link("scripts/x", ".."),
    "a link without a target": link("scripts/x", ""),
    "a link that goes up by itself": link("../x", "Snakefile"),
    "a link of two lines": link("scripts/x", "count.sh\n"),
    "a negative size": first_file(size=-1, stored=None),
    "another size than the file's": first_file(size=10**12),
    "another digest than the file's": first_file(digest=ELSEWHERE),
    "parts that don't make up the file": lambda _, capsule: first_file(
        stored=replace(capsule.files[0].stored, parts=(Part(ELSEWHERE, 1), Part(ELSEWHERE, 2)))
    )(_, capsule),
    "one blob of two sizes": lambda _, capsule: replace(
        capsule,
        files=(
            *capsule.files,
            CapsuleFile("z", Role.SOURCE, capsule.files[0].digest, 9, Stored(capsule.files[0].digest, 9)),
        ),
    ),
    "an adler32 that is none": first_file(adler32="xyz"),
    "a location of two lines": first_file(locations=("https://a\nb",)),
    "a job that needs one that isn't there": last_job(lambda job: replace(job, needs=(7,))),
    "a job that needs itself": last_job(lambda job: replace(job, needs=(2,))),
    "a job that needs one after it": lambda _, capsule: replace(
        capsule, jobs=(replace(capsule.jobs[0], needs=(2,)), *capsule.jobs[1:])
    ),
    "a job that needs a negative one": last_job(lambda job: replace(job, needs=(-1,))),
    "a job that needs one twice": last_job(lambda job: replace(job, needs=(0, 0))),
    "an output that goes up": record(outputs=("../../.bashrc",)),
    "a log that goes up": record(logs=("logs/../../x",)),
    "an output of two lines": record(outputs=("a\nb",)),
    "a rule of two lines": record(rule="a\nb"),
    "a command with NUL": record(command="true\0"),
    "two images of one name": lambda layout, capsule: replace(
        capsule, images=(*capsule.images, capsules.toy_image(layout, b"another"))
    ),
    "an image that is not there": lambda _, capsule: replace(
        capsule, images=(replace(capsule.images[0], manifest=ELSEWHERE),)
    ),
    "an image of another size": lambda _, capsule: replace(
        capsule, images=(replace(capsule.images[0], manifest_size=1),)
    ),
    "an image with another configuration": lambda _, capsule: replace(
        capsule, images=(replace(capsule.images[0], config=ELSEWHERE),)
    ),
    "an image that was found nobody knows how": lambda _, capsule: replace(
        capsule, images=(replace(capsule.images[0], resolved="perhaps"),)
    ),
    "a specification with a tag": lambda _, capsule: replace(
        capsule, specification_text=b"a: !!python/object/apply:os.system [id]\n"
    ),
    "a specification nested without end": lambda _, capsule: replace(
        capsule, specification_text=b"[" * 50_000
    ),
    "a specification of aliases that unfold without end": lambda _, capsule: replace(
        capsule,
        specification_text=b"a0: &a0 [x]\n"
        + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)),
    ),
    "a specification too large to be one": lambda _, capsule: replace(
        capsule, specification_text=capsules.SPECIFICATION + b"#" * (1 << 20)
    ),
    "a specification of another analysis": lambda _, capsule: replace(
        capsule,
        specification_text=capsules.SPECIFICATION.replace(b"name: counting", b"name: other"),
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_capsule_is_refused(layout: Layout, capsule: Capsule, kind: str) -> None:
    hostile = HOSTILE[kind](layout, capsule)
    hostile = replace(
        hostile,
        files=tuple(sorted(hostile.files, key=lambda one: one.path)),
        links=tuple(sorted(hostile.links, key=lambda one: one.path)),
    )
    forged = capsules.forged(layout, hostile)
    with pytest.raises(InputError):
        reading.read(layout, forged)


MENDED = {"a job that needs one twice"}  # what is given is put in order


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if kind not in MENDED])
def test_a_hostile_capsule_is_not_written_either(layout: Layout, capsule: Capsule, kind: str) -> None:
    with pytest.raises(InputError):
        writing.write(layout, HOSTILE[kind](layout, capsule), name="hostile")
    assert reading.names(layout) == {}


FINE: dict[str, Change] = {
    "an input elsewhere": file("/data/events.root", Role.INPUT),
    "letters of every language": file("données/µ à la carte.txt"),
    "two names that differ by case": file("Config.yaml"),
    "a name that begins with a dash": file("data/-rf"),
    "a link to a folder": link("latest", "data"),
    "a link from a folder to the top": link("scripts/x", "../config.yaml"),
    "a link to an empty folder": link("here", "scratch"),
    "a file that is only known": first_file(
        stored=None, locations=("https://example.org/x",), adler32="00000001"
    ),
    "no image": lambda _, capsule: replace(capsule, images=()),
    "an input of a job that lies beside": record(inputs=("../data/x",)),
    "nothing known of folders": record(directories=UNKNOWN),
}


@pytest.mark.parametrize("kind", FINE)
def test_what_is_unusual_but_harmless_is_kept(layout: Layout, capsule: Capsule, kind: str) -> None:
    fine = FINE[kind](layout, capsule)
    assert reading.read(layout, writing.write(layout, fine, name="fine")) == ordered(fine)


def changed(**parts: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda index: {**index, **parts}


def listing(change: Callable[[list[Any]], list[Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda index: {**index, "manifests": change(index["manifests"])}


BLOB = {"mediaType": MANIFEST_TYPE, "digest": ELSEWHERE, "size": 9}
INDEXES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "of another kind": changed(artifactType="application/vnd.relance.capsule.v2"),
    "of no kind": lambda index: {key: part for key, part in index.items() if key != "artifactType"},
    "with one more key": changed(urls=["https://example.org"]),
    "with other annotations": changed(annotations={}),
    "of another schema": changed(schemaVersion=1),
    "without manifests": changed(manifests=[]),
    "with manifests that are none": changed(manifests="all"),
    "without its description": listing(lambda parts: parts[1:]),
    "with its description twice": listing(lambda parts: [parts[0], *parts]),
    "without the contents": listing(lambda parts: [parts[0], *parts[2:]]),
    "without the image": listing(lambda parts: parts[:-1]),
    "with one manifest more": listing(lambda parts: [*parts, BLOB]),
    "in another order": listing(lambda parts: [parts[0], *parts[:0:-1]]),
    "with another platform": listing(
        lambda parts: [*parts[:-1], {**parts[-1], "platform": {"architecture": "z80", "os": "cp/m"}}]
    ),
    "with another size": listing(lambda parts: [{**parts[0], "size": parts[0]["size"] + 1}, *parts[1:]]),
    "with a size that is a bomb": listing(lambda parts: [{**parts[0], "size": 10**15}, *parts[1:]]),
    "with a negative size": listing(lambda parts: [{**parts[0], "size": -1}, *parts[1:]]),
    "with a digest that is a path": listing(
        lambda parts: [{**parts[0], "digest": "sha256:../../../../etc/passwd"}, *parts[1:]]
    ),
    "that lists an index": listing(lambda parts: [*parts, {**BLOB, "mediaType": INDEX_TYPE}]),
}


@pytest.mark.parametrize("kind", INDEXES)
def test_an_index_is_refused(layout: Layout, capsule: Capsule, kind: str) -> None:
    forged = capsules.forged(layout, ordered(capsule), INDEXES[kind])
    with pytest.raises(InputError):
        reading.read(layout, forged)


def test_what_is_forged_without_a_change_is_read(layout: Layout, capsule: Capsule) -> None:
    assert reading.read(layout, capsules.forged(layout, ordered(capsule))) == ordered(capsule)


def test_indexes_nested_a_thousand_deep_are_refused(layout: Layout, capsule: Capsule) -> None:
    nested = writing.write(layout, capsule, name=None)
    for _ in range(1000):
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "artifactType": oci.CAPSULE_TYPE}
        nested = layout.add_json({**index, "manifests": [nested.to_json()]}, INDEX_TYPE)
    for refused in (reading.read, lambda *given: list(reading.documents(*given))):
        with pytest.raises(InputError):
            refused(layout, nested)


def test_an_index_of_brackets_without_end_is_refused(layout: Layout) -> None:
    deep = layout.add(b'{"schemaVersion":2,"manifests":' + b"[" * 100_000, INDEX_TYPE)
    with pytest.raises(InputError):
        reading.read(layout, deep)


def test_an_index_that_is_a_huge_file_is_refused_before_it_is_read(layout: Layout) -> None:
    path = layout.path(ELSEWHERE)
    path.touch()
    os.truncate(path, 1 << 40)
    for size in (100, 1 << 40):
        with pytest.raises(InputError):
            reading.read(layout, Descriptor(INDEX_TYPE, ELSEWHERE, size))


def description(layout: Layout, index: Descriptor) -> dict[str, Any]:
    manifests = json.loads(layout.read(index.digest))["manifests"]
    found: dict[str, Any] = json.loads(layout.read(manifests[0]["digest"]))
    return found


@pytest.mark.parametrize("title", ["capsule.json", "jobs.json", "files.json", "specification.yaml"])
def test_a_document_that_is_missing_damaged_or_of_another_size_is_refused(
    layout: Layout, capsule: Capsule, title: str
) -> None:
    index = writing.write(layout, capsule, name=None)
    manifest = description(layout, index)
    blobs = dict(zip(("capsule.json", *oci.LAYERS), [manifest["config"], *manifest["layers"]], strict=True))
    path = layout.path(blobs[title]["digest"])
    data = path.read_bytes()
    path.chmod(0o644)
    for broken in (data.replace(b"counting", b"cuonting").replace(b"sha", b"shb"), data[:-1], data + b" "):
        path.write_bytes(broken)
        with pytest.raises(InputError):
            reading.read(layout, index)
    path.unlink()
    with pytest.raises(InputError):
        reading.read(layout, index)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: {**manifest, "layers": manifest["layers"][:-1]},
        lambda manifest: {**manifest, "layers": [*manifest["layers"], manifest["layers"][0]]},
        lambda manifest: {**manifest, "layers": manifest["layers"][::-1]},
        lambda manifest: {**manifest, "config": manifest["layers"][0]},
        lambda manifest: {**manifest, "subject": BLOB},
        lambda manifest: {**manifest, "annotations": {"a": "b"}},
        lambda manifest: {
            **manifest,
            "layers": [{**manifest["layers"][0], "size": 1 << 40}, *manifest["layers"][1:]],
        },
    ],
)
def test_a_description_with_other_documents_is_refused(
    layout: Layout, capsule: Capsule, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    other = change(description(layout, writing.write(layout, capsule, name=None)))
    layout.add_json(other, MANIFEST_TYPE)
    described = oci.described_as(oci.DESCRIPTION_TYPE, other).to_json()
    forged = capsules.forged(layout, ordered(capsule), listing(lambda parts: [described, *parts[1:]]))
    with pytest.raises(InputError):
        reading.read(layout, forged)


def test_an_image_with_compressed_layers_is_refused(layout: Layout, capsule: Capsule) -> None:
    image = capsule.images[0]
    manifest = json.loads(layout.read(image.manifest))
    manifest["layers"][0]["digest"] = ELSEWHERE
    packed = layout.add_json(manifest, MANIFEST_TYPE)
    other = replace(image, manifest=packed.digest, manifest_size=packed.size)
    with pytest.raises(InputError, match="uncompressed"):
        writing.write(layout, replace(capsule, images=(other,)), name=None)
