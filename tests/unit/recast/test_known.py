"""What a capsule knows of its jobs, as entries that stand for no others."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule.model import Capsule, CapsuleJob, Role
from relance.digest import of_json
from relance.model import CodeRecord, JobRecord, Stored
from relance.recast.known import known
from relance.steps.entries import Entry
from relance.steps.key import KeyContext
from relance.store.layout import Layout

CONTEXT = KeyContext("/analysis", variables={})


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def capsule(layout: Layout) -> Capsule:
    small = capsules.small(layout, image=capsules.toy_image(layout))
    return replace(small, jobs=tuple(changed(job, code=CodeRecord("shell", files=())) for job in small.jobs))


def changed(job: CapsuleJob, **changes: object) -> CapsuleJob:
    return replace(job, record=replace(job.record, **changes))


def first(capsule: Capsule, **changes: object) -> Capsule:
    return replace(capsule, jobs=(changed(capsule.jobs[0], **changes), *capsule.jobs[1:]))


def made(capsule: Capsule) -> dict[str, Entry]:
    return {entry.outputs[0].path: entry for entry in known(capsule, CONTEXT).values()}


def test_each_finished_job_is_known_by_its_key_and_with_what_it_made(capsule: Capsule) -> None:
    found = made(capsule)
    assert set(found) == set(capsules.PRODUCTS)
    files = {file.path: file.stored for file in capsule.files if file.role is Role.PRODUCT}
    for path, entry in found.items():
        assert entry.outputs[0].contents == (files[path],)


@pytest.mark.parametrize(
    ("status", "is_known"), [("ok", True), ("not run", True), ("failed", False), ("unknown", False)]
)
def test_a_job_that_did_not_end_well_is_not_known(capsule: Capsule, status: str, is_known: bool) -> None:
    assert ("results/a.count" in made(first(capsule, status=status))) is is_known


def test_what_reads_a_result_that_nobody_kept_is_known_by_the_job_that_made_it(capsule: Capsule) -> None:
    files = tuple(file for file in capsule.files if file.path != "results/a.count")
    gone = replace(capsule, files=files)
    assert "results/total.json" in made(gone)
    other = made(first(gone, command="another"))
    assert other["results/total.json"].key != made(gone)["results/total.json"].key


def split(layout: Layout, capsule: Capsule, *, link: bool) -> Capsule:
    """Return the capsule with a job that makes a folder, of which a link is not in the capsule."""
    record: JobRecord = replace(
        capsule.jobs[0].record, rule="split", outputs=("parts",), directories=("parts",)
    )
    part = capsules.kept(layout, "parts/1.txt", b"1", Role.PRODUCT)
    members: list[dict[str, object]] = [{"name": "1.txt", "executable": False, "digest": part.digest}]
    if link:
        members.append({"name": "last", "link": "1.txt"})
    return replace(
        capsule,
        files=(*capsule.files, part),
        trees={"parts": of_json(members)},
        jobs=(*capsule.jobs, capsules.captured(record)),
    )


def test_a_folder_is_known_as_a_whole_or_by_its_digest_alone(layout: Layout, capsule: Capsule) -> None:
    for link, kind in ((False, "folder"), (True, "gone")):
        both = split(layout, capsule, link=link)
        output = made(both)["parts"].outputs[0]
        assert (output.kind, output.digest) == (kind, both.trees["parts"])
        contents: tuple[Stored, ...] = () if link else (both.files[-1].stored,)
        assert output.contents == contents
