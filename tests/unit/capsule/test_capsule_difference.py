from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule.difference import Change, Difference, JobChange, difference, patch, values
from relance.capsule.inspection import allowed, inspect
from relance.capsule.model import Capsule, CapsuleLink, Parent, Role
from relance.capsule.ordering import ordered
from relance.model import UNKNOWN, JobTimes
from relance.specification.model import Parameter, ParameterType
from relance.store.descriptors import INDEX_TYPE, Descriptor
from relance.store.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "content")


@pytest.fixture
def capsule(layout: Layout) -> Capsule:
    return ordered(capsules.small(layout, image=capsules.toy_image(layout)))


def with_file(layout: Layout, capsule: Capsule, path: str, data: bytes, role: Role) -> Capsule:
    others = [file for file in capsule.files if file.path != path]
    return ordered(replace(capsule, files=(*others, capsules.kept(layout, path, data, role))))


def with_record(capsule: Capsule, position: int, **changes: object) -> Capsule:
    jobs = list(capsule.jobs)
    jobs[position] = replace(jobs[position], record=replace(jobs[position].record, **changes))
    return replace(capsule, jobs=tuple(jobs))


def test_a_capsule_does_not_differ_from_itself_nor_from_one_with_other_times(capsule: Capsule) -> None:
    later = replace(
        capsule,
        started=2e9,
        ended=2e9,
        jobs=tuple(replace(job, times=JobTimes(2e9, UNKNOWN, UNKNOWN)) for job in capsule.jobs),
    )
    assert not difference(capsule, later)
    assert difference(capsule, later) == Difference(*((),) * len(fields(Difference)))


CHANGES: dict[str, tuple[Callable[[Layout, Capsule], Capsule], str, object]] = {
    "a script": (
        lambda layout, one: with_file(layout, one, "scripts/count.sh", b"other", Role.SOURCE),
        "code",
        "scripts/count.sh",
    ),
    "a link": (
        lambda _, one: replace(one, links=(CapsuleLink("scripts/tally.sh", "../config.yaml"),)),
        "code",
        "scripts/tally.sh",
    ),
    "an input": (
        lambda layout, one: with_file(layout, one, "data/a.txt", b"other", Role.INPUT),
        "data",
        "data/a.txt",
    ),
    "a product": (
        lambda layout, one: with_file(layout, one, "results/total.json", b"other", Role.PRODUCT),
        "results",
        "results/total.json",
    ),
    "a parameter": (
        lambda _, one: replace(one, run=replace(one.run, configuration={"threshold": 50.0})),
        "parameters",
        "threshold",
    ),
    "an image": (
        lambda layout, one: replace(one, images=(capsules.toy_image(layout, b"other"),)),
        "images",
        capsules.NOWHERE,
    ),
    "the processor": (
        lambda _, one: replace(one, run=replace(one.run, processor="another")),
        "run",
        "processor",
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_changed_is_named_where_it_belongs(layout: Layout, capsule: Capsule, kind: str) -> None:
    change, part, name = CHANGES[kind]
    found = difference(capsule, change(layout, capsule))
    assert [one.name for one in getattr(found, part)] == [name]
    assert not any(getattr(found, field.name) for field in fields(found) if field.name != part)


def test_a_nested_parameter_is_told_by_its_key_with_both_values(capsule: Capsule) -> None:
    def having(mass: float) -> Capsule:
        return replace(
            capsule, run=replace(capsule.run, configuration={"signal": {"mass": mass, "width": 1}})
        )

    assert difference(having(2000), having(2500)).parameters == (Change("signal.mass", 2000, 2500),)


def test_what_is_only_in_one_has_no_other_side(layout: Layout, capsule: Capsule) -> None:
    more = with_file(layout, capsule, "scripts/new.sh", b"new", Role.SOURCE)
    (added,) = difference(capsule, more).code
    (removed,) = difference(more, capsule).code
    assert (added.before, removed.after) == (None, None)
    assert added.after == removed.before


def test_jobs_are_told_by_rule_and_wildcards_with_what_changed(capsule: Capsule) -> None:
    other = with_record(capsule, 0, command="true", threads=4)
    assert difference(capsule, other).jobs == (JobChange("count sample=a", ("command", "threads")),)
    fewer = replace(capsule, jobs=capsule.jobs[:2])
    assert difference(capsule, fewer).jobs == (JobChange("sum", ("removed",)),)
    assert difference(fewer, capsule).jobs == (JobChange("sum", ("added",)),)


def test_what_nobody_knows_of_a_job_is_no_change(layout: Layout, capsule: Capsule) -> None:
    record = capsule.jobs[0].record
    less = with_record(
        capsule,
        0,
        command=UNKNOWN,
        parameters=UNKNOWN,
        code=replace(record.code, digest=UNKNOWN, files=UNKNOWN),
        image=replace(record.image, config=UNKNOWN),
    )
    assert not difference(capsule, less)
    other = replace(less, images=(capsules.toy_image(layout, b"other"),))
    assert difference(capsule, other).jobs == (JobChange("count sample=a", ("image",)),)


def test_a_job_whose_script_changed_is_named(layout: Layout, capsule: Capsule) -> None:
    code = replace(capsule.jobs[2].record.code, files=("scripts/count.sh",))
    before = with_record(capsule, 2, code=code)
    after = with_file(layout, before, "scripts/count.sh", b"other", Role.SOURCE)
    assert difference(before, after).jobs == (JobChange("sum", ("code",)),)


def test_results_are_told_with_their_values(layout: Layout, capsule: Capsule) -> None:
    more = with_file(layout, capsule, "results/total.json", b'{"total": 6}\n', Role.PRODUCT)
    assert values((layout, capsule), (layout, more)) == (Change("total", "5.000", "6.000"),)
    near = with_file(layout, capsule, "results/total.json", b'{"total": 5.0000001}\n', Role.PRODUCT)
    assert values((layout, capsule), (layout, near)) == (Change("total", "5.0", "5.0000001"),)
    assert values((layout, capsule), (layout, capsule)) == ()
    fewer = replace(capsule, files=capsule.files[:2])
    assert values((layout, capsule), (layout, fewer)) == ()


def test_jobs_of_one_name_are_told_apart(capsule: Capsule) -> None:
    same = with_record(capsule, 1, wildcards={"sample": "a"})
    other = with_record(same, 1, command="true")
    assert difference(same, other).jobs == (JobChange("count sample=a (2)", ("command",)),)


def test_a_patch_shows_lines_of_text_and_names_what_is_none(layout: Layout, capsule: Capsule) -> None:
    other = with_file(layout, capsule, "config.yaml", b"threshold: 50.0\n", Role.SOURCE)
    other = with_file(layout, other, "scripts/count.sh", b"\xff\xfe", Role.SOURCE)
    other = with_file(layout, other, "scripts/new.sh", b"new\n", Role.SOURCE)
    assert list(patch((layout, capsule), (layout, other))) == [
        "--- a/config.yaml",
        "+++ b/config.yaml",
        "@@ -1 +1 @@",
        "-threshold: 100.0",
        "+threshold: 50.0",
        "scripts/count.sh differs, and is no text that can be shown",
        "--- /dev/null",
        "+++ b/scripts/new.sh",
        "@@ -0,0 +1 @@",
        "+new",
    ]


def described() -> Descriptor:
    return Descriptor(INDEX_TYPE, capsules.digest.of_bytes(b""), 0)


def test_an_inspection_counts_files_by_role_and_what_is_only_known(layout: Layout, capsule: Capsule) -> None:
    files = tuple(replace(file, stored=None) if file.path == "data/a.txt" else file for file in capsule.files)
    seen = inspect(layout, described(), replace(capsule, files=files))
    by_role = {one.role: one for one in seen.holdings}
    assert (by_role[Role.SOURCE].files, by_role[Role.SOURCE].size) == (3, 88)
    held = by_role[Role.INPUT]
    assert (held.files, held.size, held.known_files, held.known_size) == (1, 6, 1, 4)
    assert seen.images[0].size == sum(
        layout.path(blob).stat().st_size
        for blob in (capsule.images[0].manifest, capsule.images[0].config, *_layers(layout, capsule))
    )


def _layers(layout: Layout, capsule: Capsule) -> list[capsules.digest.Digest]:
    return [layer["digest"] for layer in layout.read_json(capsule.images[0].manifest)["layers"]]


def test_an_inspection_tells_the_interface_with_the_run_s_values(layout: Layout, capsule: Capsule) -> None:
    seen = inspect(layout, described(), capsule)
    threshold = seen.parameters["threshold"]
    assert (threshold.value, threshold.unit, threshold.range) == (100.0, "GeV", "at least 0, at most 7000")
    assert seen.inputs["signal"].formats == ("hepmc3",)
    assert seen.results["total"].file == "results/total.json"
    assert [job.name for job in seen.jobs] == ["count sample=a", "count sample=b", "sum"]
    assert seen.jobs[0].seconds == 1.5


def test_an_inspection_tells_the_parent_and_what_is_open(layout: Layout, capsule: Capsule) -> None:
    parent = Parent(capsule.files[0].digest, {"threshold": 50.0})
    other = replace(capsule, parent=parent, unknown=("who",), not_closed=("the network",))
    seen = inspect(layout, described(), other)
    assert (seen.parent, seen.unknown, seen.not_closed) == (parent, ("who",), ("the network",))


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"minimum": 1.0, "below": 5.0}, "at least 1, less than 5"),
        ({"above": 0.0}, "more than 0"),
        ({"choices": (1, 2)}, "one of 1, 2"),
        ({}, ""),
    ],
)
def test_ranges_are_told_in_words(bounds: dict[str, object], words: str) -> None:
    assert allowed(Parameter("Mass", ParameterType.NUMBER, "mass", **bounds)) == words
