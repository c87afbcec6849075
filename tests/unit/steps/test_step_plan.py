"""What a plan makes of a chain of jobs, and what restoring does in the folder."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relance import digest
from relance.errors import InputError
from relance.model import CodeRecord, Digest, ImageRecord, JobRecord, Parameter
from relance.steps import difference, entries, key, ledger
from relance.steps.entries import Entry, EntryOutput, Member
from relance.steps.key import KeyContext
from relance.steps.ledger import Made
from relance.steps.plan import Asked, Plan, Situation, State
from relance.steps.planning import plan
from relance.steps.restore import restore
from relance.store import content
from relance.store.store import Store

IMAGE = Digest(f"sha256:{'c' * 64}")
CONTEXT = KeyContext("/analysis", variables={})


def of(text: str) -> Digest:
    return digest.of_bytes(text.encode())


def job(name: str, *inputs: str, mass: int = 1) -> JobRecord:
    """A job that writes its own name and what it reads."""
    return JobRecord(
        rule=name,
        wildcards={},
        status="unknown",
        exit=None,
        attempts=0,
        command=f"make {name}",
        parameters=(Parameter("mass", mass, exact=True),),
        code=CodeRecord("shell", files=()),
        image=ImageRecord("docker://x", config=IMAGE, resolved="written"),
        inputs=inputs,
        outputs=(name,),
        logs=(),
        directories=(),
        temporary=(),
        protected=(),
        threads=1,
    )


class Bench:
    """A store that knows jobs, and situations to plan in."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "store")
        self.analysis = folder / "analysis"
        self.analysis.mkdir()

    def know(self, record: JobRecord, files: Mapping[str, Digest], text: str, *, kept: bool = True) -> Digest:
        found = key.ingredients(record, files, CONTEXT)
        assert not isinstance(found, key.Unkeyed)
        own = key.of_ingredients(found)
        stored = content.put_bytes(self.store.layout, text.encode()) if kept else None
        member = Member(
            "", stored or replace(content.put_bytes(self.store.layout, b""), digest=of(text), size=9)
        )
        output = EntryOutput(record.outputs[0], "file", of(text), len(text) if kept else 9, (member,))
        entries.write(self.store, Entry(own, found, record.rule, 1.0, (output,)))
        return own

    def know_all(
        self, record: JobRecord, *outputs: EntryOutput, files: Mapping[str, Digest] | None = None
    ) -> Digest:
        """Know a job by all of its outputs; `files`: what it reads, if that isn't `raw` alone."""
        found = key.ingredients(record, files or {"raw": of("raw")}, CONTEXT)
        assert not isinstance(found, key.Unkeyed)
        own = key.of_ingredients(found)
        entries.write(self.store, Entry(own, found, record.rule, 1.0, outputs))
        return own

    def file(self, path: str, text: str, *, executable: bool = False) -> EntryOutput:
        stored = content.put_bytes(self.store.layout, text.encode())
        return EntryOutput(path, "file", stored.digest, stored.size, (Member("", stored, executable),))

    def plan(self, *jobs: JobRecord | Asked, **more: object) -> Plan:
        asked = tuple(one if isinstance(one, Asked) else Asked(one) for one in jobs)
        digests = {"raw": of("raw"), **more.pop("digests", {})}  # type: ignore[dict-item]
        last = asked[-1].record.outputs
        return plan(Situation(asked, last, CONTEXT, digests, **more), self.store)  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


FIRST, SECOND, THIRD = job("first", "raw"), job("second", "first"), job("third", "second")


def states(found: Plan) -> dict[str, str]:
    return {one.name: one.state.value for one in found.jobs}


def why(found: Plan, name: str) -> str:
    return next(one.why for one in found.jobs if one.name == name)


def known(bench: Bench, **kept: bool) -> None:
    bench.know(FIRST, {"raw": of("raw")}, "1", kept=kept.get("first", True))
    bench.know(SECOND, {"first": of("1")}, "2", kept=kept.get("second", True))
    bench.know(THIRD, {"second": of("2")}, "3", kept=kept.get("third", True))


def test_with_an_empty_store_all_runs(bench: Bench) -> None:
    found = bench.plan(FIRST, SECOND, THIRD)
    assert states(found) == {"first": "run", "second": "run", "third": "run"}
    assert why(found, "first") == "the store knows no such step"
    assert why(found, "second") == "input first is made by a step that runs"


def test_jobs_come_after_those_that_they_need_whatever_their_order_was(bench: Bench) -> None:
    found = bench.plan(THIRD, FIRST, SECOND)
    assert [one.name for one in found.jobs] == ["first", "second", "third"]


def test_only_what_is_needed_is_restored(bench: Bench) -> None:
    known(bench)
    assert states(bench.plan(FIRST, SECOND, THIRD)) == {
        "first": "reuse",
        "second": "reuse",
        "third": "restore",
    }


def test_a_changed_last_job_needs_what_it_reads(bench: Bench) -> None:
    known(bench)
    found = bench.plan(FIRST, SECOND, job("third", "second", mass=2))
    assert states(found) == {"first": "reuse", "second": "restore", "third": "run"}
    assert why(found, "third") == "parameter mass changed: 1 → 2"


def test_of_long_parameters_the_words_that_differ_are_told() -> None:
    def made(mass: int) -> dict[str, object]:
        options = f"--process zprime --events 5000 --seed 763327747 --sqrt-s 13000 --mass {mass} --coupling 1"
        return {"parameters": [["options", options]]}

    (told,) = difference.between(made(2000), made(2500))
    assert told == "parameter options changed: --mass 2000 --coupling → --mass 2500 --coupling"


def test_a_result_that_is_known_but_not_kept_is_made_again_with_what_it_needs(bench: Bench) -> None:
    known(bench, second=False)
    assert states(bench.plan(FIRST, SECOND, THIRD))["third"] == "restore"
    found = bench.plan(FIRST, SECOND, job("third", "second", mass=2))
    assert states(found) == {"first": "restore", "second": "run", "third": "run"}
    assert why(found, "second") == "second is known, but its content is not kept in the store"


def test_what_depends_on_a_job_that_runs_runs_too_as_snakemake_would_have_it(bench: Bench) -> None:
    known(bench, first=False)
    other = job("other", "first", mass=7)
    last = Asked(replace(job("all", "third", "other"), outputs=("all",)))
    found = bench.plan(FIRST, SECOND, THIRD, other, last)
    assert set(states(found).values()) == {"run"}


def test_what_lies_there_and_is_right_is_left(bench: Bench) -> None:
    known(bench)
    found = bench.plan(
        FIRST, Asked(SECOND, pending=False), Asked(THIRD, pending=False), digests={"third": of("3")}
    )
    assert states(found)["third"] == "reuse"
    assert not any(one.removed or one.restored or one.settled for one in found.jobs)


def test_what_lies_there_and_is_right_is_settled_where_snakemake_would_renew_it(bench: Bench) -> None:
    known(bench)
    found = bench.plan(FIRST, SECOND, THIRD, digests={"third": of("3")})
    assert found.jobs[-1].settled == found.jobs[-1].forgotten == ("third",)


def test_what_an_earlier_run_made_otherwise_is_removed_and_made_again(bench: Bench) -> None:
    old = bench.know(job("first", "raw", mass=9), {"raw": of("raw")}, "old")
    found = bench.plan(
        Asked(FIRST, pending=False),
        Asked(SECOND, pending=False),
        digests={"first": of("old"), "second": of("older")},
        made={"first": Made(old, of("old")), "second": Made(old, of("older"))},
    )
    assert states(found) == {"first": "run", "second": "run"}
    assert [one.removed for one in found.jobs] == [("first",), ("second",)]
    assert why(found, "first") == "parameter mass changed: 9 → 1"


def test_what_somebody_changed_by_hand_is_never_removed(bench: Bench) -> None:
    old = bench.know(job("first", "raw", mass=9), {"raw": of("raw")}, "old")
    found = bench.plan(
        Asked(FIRST, pending=False), digests={"first": of("mine")}, made={"first": Made(old, of("old"))}
    )
    assert states(found) == {"first": "reuse"}
    assert not found.jobs[0].changes


def test_what_lies_there_and_is_not_what_its_job_makes_is_no_result_of_it(bench: Bench) -> None:
    known(bench)
    found = bench.plan(FIRST, SECOND, THIRD, digests={"third": of("another")})
    assert states(found)["third"] == "restore"


def test_what_was_changed_after_its_job_made_it_is_no_result_of_it(bench: Bench) -> None:
    own = key.of_job(FIRST, {"raw": of("raw")}, CONTEXT)
    assert own is not None
    made = {"first": Made(own, of("1"))}
    assert states(bench.plan(FIRST, digests={"first": of("1")}, made=made)) == {"first": "reuse"}
    assert states(bench.plan(FIRST, digests={"first": of("mine")}, made=made)) == {"first": "run"}


def test_a_result_of_the_same_job_is_left_where_another_of_its_results_is_gone(bench: Bench) -> None:
    both = replace(FIRST, outputs=("first", "gone"))
    own = key.of_job(both, {"raw": of("raw")}, CONTEXT)
    assert own is not None
    found = bench.plan(
        Asked(both, pending=False),
        Asked(SECOND, pending=False),
        digests={"first": of("1"), "second": of("2")},
        made={"first": Made(own, of("1"))},
    )
    assert [one.removed for one in found.jobs] == [(), ()]


def test_a_job_of_which_a_source_file_is_gone_is_never_reused(bench: Bench) -> None:
    found = bench.plan(replace(FIRST, code=CodeRecord("shell", files=("scripts/gone.py",))))
    assert why(found, "first") == "it is not reused, for its source file scripts/gone.py can't be read"


def test_what_a_restored_file_makes_snakemake_run_is_known_to_run(bench: Bench) -> None:
    bench.know(FIRST, {"raw": of("raw")}, "1")
    lying = {"second": of("2"), "third": of("3")}
    last = replace(job("all", "third", "other"), outputs=("all",))
    found = bench.plan(
        FIRST,
        Asked(SECOND, pending=False),
        Asked(THIRD, pending=False),
        job("other", "first", mass=7),
        last,
        digests=lying,
    )
    assert states(found) == {
        "first": "restore",
        "second": "run",
        "third": "run",
        "other": "run",
        "all": "run",
    }


def test_a_capsule_that_says_otherwise_of_a_job_than_the_store_is_not_believed(bench: Bench) -> None:
    own = bench.know(FIRST, {"raw": of("raw")}, "1", kept=False)
    entry = entries.read(bench.store, own)
    assert entry is not None
    for text, state in (("1", "restore"), ("forged", "run")):
        stored = content.put_bytes(bench.store.layout, text.encode())
        said = EntryOutput("first", "file", of(text), len(text), (Member("", stored),))
        found = bench.plan(FIRST, known={own: replace(entry, outputs=(said,))})
        assert states(found) == {"first": state}


def test_a_file_in_a_folder_that_a_job_makes_needs_that_folder(bench: Bench) -> None:
    split = replace(job("split", "raw"), outputs=("parts",), directories=("parts",))
    stored = content.put_bytes(bench.store.layout, b"1")
    parts = EntryOutput("parts", "folder", of(""), 1, (Member("1.txt", stored),))
    bench.know_all(split, replace(parts, digest=entries.tree(parts)))
    found = bench.plan(split, job("read", "parts/1.txt"))
    assert states(found) == {"split": "restore", "read": "run"}


def test_of_two_results_the_one_that_is_gone_is_restored(bench: Bench) -> None:
    both = replace(job("both", "raw"), outputs=("here", "gone"))
    bench.know_all(both, bench.file("here", "1"), bench.file("gone", "2"))
    found = bench.plan(both, digests={"here": of("1")})
    assert [output.path for output in found.jobs[0].restored] == ["gone"]


def test_what_is_outdated_but_protected_is_left_and_told(bench: Bench) -> None:
    old = bench.know(job("first", "raw", mass=9), {"raw": of("raw")}, "old")
    found = bench.plan(
        Asked(FIRST, pending=False),
        digests={"first": of("old")},
        made={"first": Made(old, of("old"))},
        protected=frozenset({"first"}),
    )
    assert (states(found), found.jobs[0].removed) == ({"first": "reuse"}, ())
    assert why(found, "first") == "first is outdated, but protected: remove it to renew it"


def test_what_is_half_written_is_removed_where_its_job_is_not_run(bench: Bench) -> None:
    known(bench)
    found = bench.plan(FIRST, SECOND, THIRD, broken=frozenset({"first"}))
    assert found.jobs[0].removed == ("first",)


def test_a_job_without_key_is_left_to_snakemake(bench: Bench) -> None:
    bare = replace(FIRST, image=None)
    lying = {"first": of("1")}
    assert states(bench.plan(Asked(bare, pending=False), digests=lying)) == {"first": "reuse"}
    found = bench.plan(Asked(bare, reason="Code has changed"), digests=lying)
    assert states(found) == {"first": "run"}
    assert "names no container" in why(found, "first")
    assert "Code has changed" in why(found, "first")


def test_what_reads_from_an_undone_checkpoint_is_not_known(bench: Bench) -> None:
    known(bench)
    found = bench.plan(Asked(FIRST, checkpoint=True), SECOND)
    assert found.behind == ("first",)
    assert [one.name for one in found.first] == ["first"]
    assert states(found) == {"first": "restore", "second": "run"}
    assert "known only when 'first' is done" in why(found, "second")


def test_a_temporary_result_that_nobody_kept_is_known_by_its_job(bench: Bench) -> None:
    own = bench.know(FIRST, {"raw": of("raw")}, "1")
    found = key.ingredients(FIRST, {"raw": of("raw")}, CONTEXT)
    assert not isinstance(found, key.Unkeyed)
    gone = EntryOutput("first", "gone", "unknown", "unknown")
    entries.write(bench.store, Entry(own, found, "first", 1.0, (gone,)))
    behind = key.ingredients(SECOND, {}, CONTEXT, {"first": own})
    assert not isinstance(behind, key.Unkeyed)
    stored = content.put_bytes(bench.store.layout, b"2")
    output = EntryOutput("second", "file", of("2"), 1, (Member("", stored),))
    entries.write(bench.store, Entry(key.of_ingredients(behind), behind, "second", 1.0, (output,)))
    temporary = replace(FIRST, temporary=("first",))
    assert states(bench.plan(temporary, SECOND)) == {"first": "reuse", "second": "restore"}
    again = bench.plan(temporary, job("second", "first", mass=2))
    assert states(again) == {"first": "run", "second": "run"}


def test_restored_files_have_one_time_not_older_than_any_raw_input(bench: Bench) -> None:
    known(bench)
    raw = bench.analysis / "raw"
    raw.write_text("raw")
    later = raw.stat().st_mtime + 1000
    os.utime(raw, (later, later))
    planned = bench.plan(FIRST, SECOND, job("third", "second", mass=2))
    done = restore(planned.jobs, bench.analysis, bench.store)
    assert [one.name for one in done.jobs] == ["second"]
    assert (done.files, done.size, done.lost) == (1, 1, ())
    assert (bench.analysis / "second").read_text() == "2"
    assert (bench.analysis / "second").stat().st_mtime == later
    assert ledger.read(bench.analysis)["second"].digest == of("2")
    assert planned.of(State.RESTORE)[0].key == ledger.read(bench.analysis)["second"].key


def test_a_damaged_content_is_not_restored_and_told(bench: Bench) -> None:
    known(bench)
    blob = bench.store.layout.path(of("3"))
    blob.chmod(0o644)
    blob.write_text("4")
    (bench.analysis / "third").write_text("what lay there")
    planned = bench.plan(FIRST, SECOND, THIRD, digests={"third": of("what lay there")})
    done = restore(planned.jobs, bench.analysis, bench.store)
    assert done.jobs == ()
    assert done.lost[0].startswith("third: ")
    assert not (bench.analysis / "third").exists()  # else its job would not run


def test_outdated_results_are_gone_from_the_folder(bench: Bench) -> None:
    old = bench.know(job("first", "raw", mass=9), {"raw": of("raw")}, "old")
    (bench.analysis / "first").write_text("old")
    made = {"first": Made(old, of("old"))}
    planned = bench.plan(Asked(FIRST, pending=False), digests={"first": of("old")}, made=made)
    assert restore(planned.jobs, bench.analysis, bench.store).removed == ("first",)
    assert not (bench.analysis / "first").exists()


@pytest.mark.parametrize(("executable", "mode"), [(False, 0o644), (True, 0o755)])
def test_restored_files_may_be_executed_as_before_and_protected_ones_not_written_to(
    bench: Bench, executable: bool, mode: int
) -> None:
    both = replace(job("both", "raw"), outputs=("free", "safe"), protected=("safe",))
    bench.know_all(both, *(bench.file(path, path, executable=executable) for path in ("free", "safe")))
    restore(bench.plan(both).jobs, bench.analysis, bench.store)
    assert (bench.analysis / "free").stat().st_mode & 0o777 == mode
    assert (bench.analysis / "safe").stat().st_mode & 0o777 == mode & ~0o222


def test_a_link_that_leads_out_of_an_untrusted_analysis_is_refused(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (bench.analysis / "results").symlink_to(tmp_path / "elsewhere")
    record = replace(job("results/x", "raw"), rule="x")
    bench.know(record, {"raw": of("raw")}, "1")
    planned = bench.plan(record)
    with pytest.raises(InputError, match="symbolic link"):
        restore(planned.jobs, bench.analysis, bench.store, links=False)
    assert not list((tmp_path / "elsewhere").iterdir())
    restore(planned.jobs, bench.analysis, bench.store)
    assert (tmp_path / "elsewhere" / "x").read_text() == "1"


@st.composite
def workflows(draw: st.DrawFn) -> tuple[list[JobRecord], dict[str, tuple[bool, bool, bool, bool]]]:
    """Jobs that read from earlier ones; of each whether it is known, kept, lying there, and pending."""
    jobs = []
    for at in range(draw(st.integers(1, 7))):
        earlier = draw(st.sets(st.integers(0, max(at - 1, 0)), max_size=3)) if at else set()
        jobs.append(job(f"j{at}", "raw", *(f"j{one}" for one in sorted(earlier))))
    flags = st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans())
    return jobs, {one.rule: draw(flags) for one in jobs}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(workflows())
def test_whatever_is_known_all_that_running_jobs_read_will_be_there(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: tuple[list[JobRecord], dict[str, tuple[bool, bool, bool, bool]]],
) -> None:
    jobs, flags = drawn
    bench = Bench(tmp_path_factory.mktemp("plan"))
    digests = {one.rule: of(one.rule) for one in jobs}
    for one in jobs:
        is_known, is_kept, _, _ = flags[one.rule]
        if is_known:
            bench.know(one, {"raw": of("raw"), **digests}, one.rule, kept=is_kept)
    lying = {name: digests[name] for name, (_, _, lies, _) in flags.items() if lies}
    asked = [Asked(one, pending=flags[one.rule][3] or one.rule not in lying) for one in jobs]
    found = bench.plan(*asked, digests=lying)
    by_name = {one.name: one for one in found.jobs}
    there = {*lying, "raw"} | {output.path for one in found.jobs for output in one.restored}
    there -= {path for one in found.jobs for path in one.removed}
    runs = {name for name, one in by_name.items() if one.state is State.RUN}
    for one in found.jobs:
        assert not (one.state is State.RUN and one.restored)
        made_by_running = runs & set(one.record.inputs)
        assert not made_by_running or one.name in runs
        if one.name in runs:
            assert set(one.record.inputs) <= there | runs
    assert set(found.targets) <= there | runs
    for name, (is_known, is_kept, _, _) in flags.items():
        ancestors_known = all(flags[up][0] for up in by_name[name].record.inputs if up != "raw")
        if name in by_name and by_name[name].state is State.RESTORE:
            assert (is_known, is_kept) == (True, True)
            assert ancestors_known or lying
