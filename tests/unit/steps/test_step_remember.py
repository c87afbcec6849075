"""Which finished jobs of a run are remembered, and what of them is kept."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from relance import digest
from relance.model import (
    CodeRecord,
    Digest,
    FileDigest,
    ImageRecord,
    JobRecord,
    JobTimes,
    Parameter,
    RunFacts,
    RunRecord,
)
from relance.steps import entries, ledger
from relance.steps.key import KeyContext, of_job
from relance.steps.remember import Keeping, Remembered, remember
from relance.store import content
from relance.store.store import Store

IMAGE = Digest(f"sha256:{'c' * 64}")
CONTEXT = KeyContext("/analysis", variables={})
BEGAN = 2_000_000_000.0

JOB = JobRecord(
    rule="make",
    wildcards={},
    status="ok",
    exit=0,
    attempts=1,
    command="python make.py raw",
    parameters=(Parameter("n", 1, exact=True),),
    code=CodeRecord("shell", files=("make.py",)),
    image=ImageRecord("docker://x", config=IMAGE, resolved="written"),
    inputs=("raw",),
    outputs=("out.txt", "folder", "temp.txt"),
    logs=("make.log",),
    directories=("folder",),
    temporary=("temp.txt",),
    protected=(),
    threads=1,
)
NEXT = replace(
    JOB, rule="next", command="next", inputs=("temp.txt",), outputs=("next.txt",), logs=(), temporary=(),
    directories=(), code=CodeRecord("shell", files=()),
)  # fmt: skip


class Run:
    """What a run left in a folder."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "analysis"
        self.store = Store(root / "store")
        (self.folder / "folder" / "sub").mkdir(parents=True)
        for name in ("raw", "make.py", "out.txt", "folder/a", "next.txt", "make.log"):
            (self.folder / name).write_text(name)
            os.utime(self.folder / name, (BEGAN - 100, BEGAN - 100))
        (self.folder / "folder" / ".snakemake_timestamp").touch()
        (self.folder / "folder" / "link").symlink_to("a")

    def file(self, path: str, **changes: object) -> FileDigest:
        place = self.folder / path
        if not place.exists():
            found = FileDigest(path, "gone", "unknown", "unknown", "none")
        elif place.is_dir():
            tree = digest.of_tree(place, leaving_out=(".snakemake_timestamp",))
            found = FileDigest(path, "folder", tree, 8, "content")
        else:
            found = FileDigest(path, "file", digest.of_file(place), place.stat().st_size, "content")
        return replace(found, **changes)

    def remember(
        self,
        *jobs: JobRecord,
        altered: str = "",
        largest: int = 1000,
        later: Mapping[str, str] | None = None,
    ) -> Remembered:
        """Remember jobs; `later`: what is written between their record and that."""
        paths = {path for job in jobs for path in (*job.inputs, *job.outputs, *job.code.files)}
        files = tuple(self.file(path, altered=path == altered) for path in sorted(paths))
        facts = RunFacts(
            "during the run", True, "ok", "0", "9", (), "unknown", "unknown", "unknown", {}, "unknown", "",
            "", "", "apptainer", "1", (),
        )  # fmt: skip
        times = tuple(JobTimes(BEGAN, BEGAN + 2, "unknown") for _ in jobs)
        record = RunRecord(facts, tuple(jobs), files, BEGAN, BEGAN + 9, times)
        for path, text in (later or {}).items():
            (self.folder / path).write_text(text)
        keeping = Keeping(self.folder / "digests.json", largest)
        return remember(self.store, record, self.folder, CONTEXT, keeping)

    def key(self) -> Digest:
        files = {path: digest.of_file(self.folder / path) for path in ("raw", "make.py")}
        found = of_job(JOB, files, CONTEXT)
        assert found is not None
        return found


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_finished_job_becomes_an_entry_with_its_contents(run: Run) -> None:
    assert run.remember(JOB) == Remembered(1, (), {})
    entry = entries.read(run.store, run.key())
    assert entry is not None
    assert (entry.rule, entry.seconds) == ("make", 2.0)
    assert [(one.path, one.kind) for one in entry.outputs] == [
        ("out.txt", "file"),
        ("folder", "folder"),
        ("temp.txt", "gone"),
    ]
    assert [member.path for member in entry.outputs[1].members] == ["a", "link", "sub"]
    assert [log.path for log in entry.logs] == ["make.log"]
    layout = run.store.layout
    assert [entries.kept(layout, one) for one in entry.outputs] == [True, True, False]
    assert ledger.read(run.folder)["out.txt"].key == entry.key


def test_remembering_again_changes_nothing(run: Run) -> None:
    run.remember(JOB)
    path = next(run.store.steps.glob("??/*.json"))
    before = path.read_bytes()
    assert run.remember(JOB).steps == 1
    assert path.read_bytes() == before


def test_large_files_are_known_but_not_kept(run: Run) -> None:
    assert run.remember(JOB, largest=5).known_only == ("out.txt", "folder")
    entry = entries.read(run.store, run.key())
    assert entry is not None
    assert entry.outputs[0].digest == digest.of_file(run.folder / "out.txt")
    assert not entries.kept(run.store.layout, entry.outputs[0])


def test_a_later_run_adds_the_contents_that_were_not_kept(run: Run) -> None:
    run.remember(JOB, largest=5)
    run.remember(JOB)
    entry = entries.read(run.store, run.key())
    assert entry is not None
    assert entries.kept(run.store.layout, entry.outputs[0])


@pytest.mark.parametrize("path", ["raw", "out.txt", "make.py"])
def test_jobs_whose_files_were_altered_are_not_remembered(run: Run, path: str) -> None:
    found = run.remember(JOB, altered=path)
    assert (found.steps, found.skipped) == (0, {"make": f"{path} was written after it began"})
    assert entries.empty(run.store)


def test_a_source_file_that_was_edited_while_the_job_ran_makes_it_unknown(run: Run) -> None:
    os.utime(run.folder / "make.py", (BEGAN + 1, BEGAN + 1))
    assert run.remember(JOB).skipped == {"make": "make.py was written after it began"}


@pytest.mark.parametrize("status", ["failed", "unfinished", "not run", "unknown"])
def test_only_jobs_that_ended_well_in_this_run_are_remembered(run: Run, status: str) -> None:
    assert run.remember(replace(JOB, status=status)).steps == 0
    assert entries.empty(run.store)


def test_what_reads_a_temporary_file_that_is_gone_is_known_by_the_job_that_made_it(run: Run) -> None:
    assert run.remember(NEXT, JOB).steps == 2
    key = of_job(NEXT, {}, CONTEXT, {"temp.txt": run.key()})
    assert key is not None
    assert entries.read(run.store, key) is not None


def test_a_job_without_a_key_is_left_out_and_told(run: Run) -> None:
    found = run.remember(replace(JOB, image=None))
    assert found.steps == 0
    assert "names no container" in found.skipped["make"]


def test_a_damaged_entry_is_written_anew(run: Run) -> None:
    run.remember(JOB)
    next(run.store.steps.glob("??/*.json")).write_text("{")
    run.remember(JOB)
    assert entries.read(run.store, run.key()) is not None
    assert content.has(run.store.layout, entries.read(run.store, run.key()).outputs[0].contents[0])


@pytest.mark.parametrize("path", ["out.txt", "folder/a"])
def test_what_was_written_after_the_record_was_made_is_not_kept_as_the_jobs(run: Run, path: str) -> None:
    done = run.remember(JOB, later={path: "edited"})
    assert (done.steps, entries.read(run.store, run.key())) == (0, None)
    assert "was written after it ended" in done.skipped["make"]


def test_programs_that_jobs_make_stay_executable(run: Run) -> None:
    (run.folder / "out.txt").chmod(0o755)
    run.remember(JOB)
    entry = entries.read(run.store, run.key())
    assert entry is not None
    assert [output.members[0].executable for output in entry.outputs if output.path == "out.txt"] == [True]
    assert [output.members[0].executable for output in entry.outputs if output.path == "folder"] == [False]
