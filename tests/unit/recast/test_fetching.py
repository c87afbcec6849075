"""Which inputs that are kept elsewhere a recast needs, and what stands in the place of the others."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule.model import CapsuleFile, Role
from relance.digest import of_bytes
from relance.model import UNKNOWN, FileDigest, RunRecord
from relance.recast import fetching
from relance.rerun import absent
from relance.rerun.folder import Work
from relance.steps.plan import Plan, PlannedJob, State
from relance.steps.settle import Settled
from relance.store.store import Store

ELSEWHERE = ("https://example.org/data",)
TREE = of_bytes(b"the folder as it was")


def kept(path: str, **changes: object) -> CapsuleFile:
    file = CapsuleFile(path, Role.INPUT, of_bytes(path.encode()), 2_500_000, None, locations=ELSEWHERE)
    return replace(file, **changes)  # type: ignore[arg-type]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """A capsule with inputs in two folders, of which nothing is there."""
    store = Store(tmp_path / "store")
    capsule = capsules.small(store.layout)
    parsed = FileDigest("data/list.txt", "file", of_bytes(b""), 0, "content")
    files = (kept("data/a.root"), kept("far/b.root"), kept("data/list.txt"), kept("/abs/c.root"))
    run = replace(capsule.run, read=(parsed,))
    capsule = replace(capsule, files=(*capsule.files, *files), run=run, trees={"data": TREE})
    made = Work(tmp_path / "work", store, capsule)
    made.analysis.mkdir(parents=True)
    absent.hold(made)
    return made


def settled(work: Work, *, reads: str, state: State = State.RUN, opens: bool = False) -> Settled:
    record = replace(work.capsule.jobs[0].record, inputs=(reads,))
    job = PlannedJob(record, state, "", None, opens=opens)
    return Settled(None, Plan((job,), ()), ())  # type: ignore[arg-type]


def test_a_place_is_held_but_for_what_is_needed_to_know_the_jobs_or_lies_elsewhere(work: Work) -> None:
    assert [file.path for file in absent.held(work)] == ["data/a.root", "far/b.root"]
    with pytest.raises(IsADirectoryError):
        (work.analysis / "data/a.root").read_bytes()
    absent.release(work)
    assert absent.held(work) == ()
    assert not (work.analysis / "far/b.root").exists()


@pytest.mark.parametrize(
    ("reads", "state", "opens", "expected"),
    [
        ("far/b.root", State.RUN, False, ["far/b.root"]),
        ("data", State.RUN, False, ["data/a.root"]),
        ("data/a.root", State.RESTORE, False, []),
        ("config.yaml", State.RUN, False, []),
        ("config.yaml", State.RUN, True, ["data/a.root", "far/b.root"]),
    ],
)
def test_needed_is_what_jobs_read_that_run_and_all_where_jobs_are_not_known_yet(
    work: Work, reads: str, state: State, opens: bool, expected: list[str]
) -> None:
    found = fetching.needed(settled(work, reads=reads, state=state, opens=opens), work)
    assert [file.path for file in found] == expected


def test_what_jobs_reach_without_declaring_it_is_needed_too(work: Work) -> None:
    plan = settled(work, reads="config.yaml")
    (job,) = plan.plan.jobs
    record = replace(job.record, code=replace(job.record.code, files=("far/b.root",)))
    plan = replace(plan, plan=Plan((replace(job, record=record),), ()))
    assert [file.path for file in fetching.needed(plan, work)] == ["far/b.root"]


def test_the_record_says_of_what_was_not_fetched_what_the_capsule_knows(work: Work) -> None:
    held = FileDigest("data/a.root", "folder", of_bytes(b"empty"), 0, "content")
    folder = replace(held, path="data")
    other = replace(held, path="results")
    record = RunRecord(work.capsule.run, (), (held, folder, other), UNKNOWN, UNKNOWN, ())
    found = absent.as_captured(record, work).files
    assert found[0] == FileDigest("data/a.root", "file", of_bytes(b"data/a.root"), 2_500_000, "none")
    assert (found[1].digest, found[1].kind) == (TREE, "folder")
    assert found[2] == other


def test_sizes_are_told_and_many_files_summed_up() -> None:
    assert fetching.told([kept("a"), kept("b", size=17)]) == "a (2.5 MB), b (17 bytes)"
    many = [kept(str(number)) for number in range(7)]
    assert fetching.told(many).endswith("and 2 more, 17.5 MB in all")
