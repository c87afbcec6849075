"""Every blob of a real capsule, damaged in turn: it is found, and named as what it is to the analysis."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import capsules

from relance.capsule import archive, reading, sources, writing
from relance.capsule.model import Capsule, Role
from relance.model import CodeRecord, Digest, ImageRecord
from relance.store import content
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.verify import integrity
from relance.verify.model import Integrity


@dataclass(frozen=True)
class Written:
    """A capsule in a layout of its own."""

    layout: Layout
    capsule: Capsule
    described: Descriptor
    blobs: tuple[Digest, ...]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    layout = Layout(tmp_path_factory.mktemp("content"))
    capsule = capsules.small(layout, image=capsules.toy_image(layout))
    described = writing.write(layout, capsule, name="counting")
    blobs = [blob.digest for blob in reading.documents(layout, described)]
    return Written(layout, capsule, described, tuple(sorted({described.digest, *blobs})))


@contextmanager
def damaged(layout: Layout, blob: Digest, data: bytes) -> Iterator[None]:
    path = layout.path(blob)
    before = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(before)


def check(layout: Layout, described: Descriptor, **options: Any) -> Integrity:
    return integrity.check(integrity.Kept(layout), described, **options)


def named(written: Written) -> str:
    return " | ".join(problem.what for problem in check(written.layout, written.described).problems)


def of_file(written: Written, path: str) -> Digest:
    return next(file.digest for file in written.capsule.files if file.path == path)


def test_a_capsule_as_it_was_written_is_whole(written: Written) -> None:
    heard: list[tuple[int, int]] = []
    found = check(written.layout, written.described, told=lambda done, total: heard.append((done, total)))
    assert (found.problems, found.holds) == ((), True)
    assert found.blobs == len(written.blobs)
    assert heard[-1] == (found.size, found.size)
    assert found.size == sum(written.layout.path(blob).stat().st_size for blob in written.blobs)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_in_any_blob_is_found(written: Written, data: st.DataObject) -> None:
    blob = data.draw(st.sampled_from(written.blobs))
    content_of = bytearray(written.layout.path(blob).read_bytes())
    offset = data.draw(st.integers(0, len(content_of) - 1))
    content_of[offset] ^= 1 << data.draw(st.integers(0, 7))
    with damaged(written.layout, blob, bytes(content_of)):
        found = check(written.layout, written.described)
    assert not found.holds
    assert any(blob in problem.expected for problem in found.problems)
    assert not any(problem.what.startswith("blob ") for problem in found.problems)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("scripts/count.sh", "source scripts/count.sh"),
        ("data/a.txt", "input data/a.txt"),
        ("results/total.json", "product results/total.json"),
        ("logs/sum.log", "log logs/sum.log"),
    ],
)
def test_a_changed_file_is_named(written: Written, path: str, what: str) -> None:
    blob = of_file(written, path)
    right = written.layout.path(blob).read_bytes()
    same_size = bytes(len(right))
    for data in (same_size, same_size + b"x", right + b"x", b""):
        with damaged(written.layout, blob, data):
            assert named(written) == what


def test_a_changed_layer_of_an_image_is_named_with_the_image(written: Written) -> None:
    image = written.layout.read_json(written.capsule.images[0].manifest)
    layer, config = Digest(image["layers"][0]["digest"]), Digest(image["config"]["digest"])
    with damaged(written.layout, layer, b"another"):
        assert named(written) == f"layer 1 of 1 of image {capsules.NOWHERE}"
    with damaged(written.layout, config, b"{}"):
        assert "configuration of image" in named(written)


def test_a_missing_blob_is_named(written: Written) -> None:
    blob = of_file(written, "data/b.txt")
    path = written.layout.path(blob)
    aside = path.with_name("aside")
    shutil.move(path, aside)
    try:
        found = check(written.layout, written.described)
    finally:
        shutil.move(aside, path)
    assert [(problem.what, problem.found) for problem in found.problems] == [("input data/b.txt", "none")]


def test_damage_behind_a_damaged_document_is_still_named(written: Written) -> None:
    script = of_file(written, "scripts/count.sh")
    jobs = next(
        blob
        for blob in written.blobs
        if written.layout.path(blob).read_bytes().startswith(b'{"format":"relance-capsule-jobs"')
    )
    with damaged(written.layout, script, b"#!/bin/evil\n"), damaged(written.layout, jobs, b"{}"):
        found = named(written)
    assert "source scripts/count.sh" in found
    assert "jobs.json" in found


def test_a_script_that_jobs_ran_otherwise_is_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    capsule = capsules.small(layout)
    other = Digest("sha256:" + "0" * 64)
    first = capsule.jobs[0]
    code = CodeRecord("script", "scripts/count.sh", other)
    changed = replace(
        capsule, jobs=(replace(first, record=replace(first.record, code=code)), *capsule.jobs[1:])
    )
    described = writing.write(layout, changed, name=None)
    found = check(layout, described)
    assert [(problem.what, problem.expected) for problem in found.problems] == [
        ("script scripts/count.sh of rule count", other)
    ]


def test_an_image_that_jobs_did_not_run_in_is_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    image = capsules.toy_image(layout)
    capsule = capsules.small(layout, image=image)
    other = capsules.toy_image(layout, b"another file")
    first = capsule.jobs[0]
    assert isinstance(first.record.image, ImageRecord)
    used = replace(first.record.image, config=other.config)
    changed = replace(
        capsule, jobs=(replace(first, record=replace(first.record, image=used)), *capsule.jobs[1:])
    )
    described = writing.write(layout, changed, name=None)
    assert [problem.what for problem in check(layout, described).problems] == [
        f"image {capsules.NOWHERE} of rule count"
    ]


def test_a_file_in_parts_is_compared_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "PART", 10)
    layout = Layout(tmp_path / "content")
    capsule = capsules.small(layout)
    large = tmp_path / "large"
    large.write_bytes(b"0123456789abcdefghij!")
    stored = content.put(layout, large)
    assert len(stored.parts) == 3
    kept = replace(
        capsule.files[0],
        path="data/c.txt",
        role=Role.INPUT,
        digest=stored.digest,
        size=stored.size,
        stored=stored,
    )
    described = writing.write(layout, replace(capsule, files=(*capsule.files, kept)), name=None)
    assert check(layout, described).holds
    swapped = replace(stored, parts=(stored.parts[1], stored.parts[0], stored.parts[2]))
    forged = writing.write(
        layout, replace(capsule, files=(*capsule.files, replace(kept, stored=swapped))), name=None
    )
    assert [problem.what for problem in check(layout, forged).problems] == ["input data/c.txt"]
    with damaged(layout, stored.parts[1].digest, b"0123456789"):
        assert [problem.what for problem in check(layout, described).problems] == [
            "part 2 of input data/c.txt"
        ]


def test_a_damaged_tar_file_is_told_in_the_same_words(written: Written, tmp_path: Path) -> None:
    path = tmp_path / "counting.tar"
    archive.export_tar(written.layout, written.described, path)
    with sources.opened(path) as source:
        assert integrity.check(source, written.described).holds
    script = capsules.SOURCES["scripts/count.sh"]
    data = path.read_bytes()
    assert data.count(script) == 1
    path.write_bytes(data.replace(script, script[:-2] + b"2\n"))
    with sources.opened(path) as source:
        found = integrity.check(source, written.described)
    assert [problem.what for problem in found.problems] == ["source scripts/count.sh"]


def test_whole_blobs_that_make_no_capsule_are_a_problem(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    capsule = capsules.small(layout)
    first, *others = capsule.files
    described = capsules.forged(layout, replace(capsule, files=(replace(first, path="../up"), *others)))
    (problem,) = check(layout, described).problems
    assert problem.found == "'../up'"


def test_a_layer_of_which_two_images_give_the_size_is_told_where_they_differ(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    image = capsules.toy_image(layout)
    manifest = layout.read_json(image.manifest)
    manifest["layers"][0]["size"] += 1
    added = layout.add_json(manifest, MANIFEST_TYPE)
    other = replace(image, written=("docker://other",), manifest=added.digest, manifest_size=added.size)
    described = capsules.forged(layout, replace(capsules.small(layout), images=(image, other)))
    assert [problem.found for problem in check(layout, described).problems] == ["two sizes"]
