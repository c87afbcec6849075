"""What a rerun is found to be, whatever ran it: here each test lays the products into the work folder."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import writing
from relance.capsule.model import Capsule, Role
from relance.compare.model import Tier
from relance.model import RunRecord, RunStatus
from relance.rerun.execution import Settings
from relance.rerun.folder import Work
from relance.specification import reading
from relance.specification.model import Visibility
from relance.store.store import Store
from relance.verify import reproduction, verifying
from relance.verify.model import Verdict
from relance.verify.reproduction import Effects, Ran, Reproduction, Request

TOTAL = "results/total.json"
CASE = b"""
validation:
  usual: {title: As it is, expected: {total: {value: 5, absolute: 0.5, because: statistics}}}
"""
EFFECTS = Effects(nullcontext)  # nothing that could be watched is run


@dataclass
class Rerun:
    """A small capsule, and what a rerun of it leaves."""

    folder: Path
    store: Store
    capsule: Capsule
    made: dict[str, bytes]
    status: RunStatus = RunStatus.OK
    configuration: Mapping[str, object] | None = None
    """What the workflow says that its configuration was; None: the captured one."""

    def specified(self, more: bytes, *, of: bytes = capsules.SPECIFICATION) -> None:
        text = of + more
        specification = reading.parse(text, Path("specification.yaml"))
        self.capsule = replace(self.capsule, specification=specification, specification_text=text)

    def file(self, path: str, **changes: object) -> None:
        files = (replace(file, **changes) if file.path == path else file for file in self.capsule.files)
        self.capsule = replace(self.capsule, files=tuple(files))

    def ran(self, work: Work, _settings: Settings) -> Ran:
        for path, data in self.made.items():
            (work.analysis / path).parent.mkdir(parents=True, exist_ok=True)
            (work.analysis / path).write_bytes(data)
        run = replace(self.capsule.run, configuration=self.configuration or self.capsule.run.configuration)
        jobs = tuple(job.record for job in self.capsule.jobs)
        return Ran(self.status, RunRecord(run, jobs, (), 0.0, 1.0, ()), "as it went")

    def request(self, **options: object) -> Request:
        return Request(self.folder, Settings({}), elsewhere=self.ran, **options)

    def reproduced(self, **options: object) -> Reproduction:
        return reproduction.reproduce(self.store, self.capsule, self.request(**options), EFFECTS)


@pytest.fixture
def rerun(tmp_path: Path) -> Rerun:
    store = Store(tmp_path / "store")
    return Rerun(tmp_path / "work", store, capsules.small(store.layout), dict(capsules.PRODUCTS))


def tiers(found: Reproduction) -> dict[str, Tier]:
    return {product.path: product.tier for product in found.products}


def test_the_same_products_are_all_told(rerun: Rerun) -> None:
    found = rerun.reproduced()
    assert found.verdict is Verdict.REPRODUCED
    assert tiers(found) == dict.fromkeys(capsules.PRODUCTS, Tier.BYTES)
    assert [(result.expected, result.found) for result in found.results] == [((5.0,), (5.0,))]


def test_a_product_that_is_not_made_again_is_missing(rerun: Rerun) -> None:
    del rerun.made["results/a.count"]
    found = rerun.reproduced()
    assert (found.verdict, tiers(found)["results/a.count"]) == (Verdict.DIFFERS, Tier.MISSING)


def test_a_product_that_was_not_there_before_is_told(rerun: Rerun) -> None:
    first = rerun.capsule.jobs[0]
    more = replace(first.record, outputs=(*first.record.outputs, "results/new.txt"))
    rerun.capsule = replace(rerun.capsule, jobs=(replace(first, record=more), *rerun.capsule.jobs[1:]))
    rerun.made["results/new.txt"] = b"new"
    found = rerun.reproduced()
    assert (found.verdict, tiers(found)["results/new.txt"]) == (Verdict.DIFFERS, Tier.EXTRA)


@pytest.mark.parametrize("link", ["results", "results/a.count"])
def test_the_same_content_behind_a_link_is_no_product(rerun: Rerun, tmp_path: Path, link: str) -> None:
    usual = rerun.ran

    def ran(work: Work, settings: Settings) -> Ran:
        done = usual(work, settings)
        (work.analysis / link).rename(tmp_path / "same")
        (work.analysis / link).symlink_to(tmp_path / "same")
        return done

    rerun.ran = ran
    found = rerun.reproduced()
    assert (found.verdict, tiers(found)["results/a.count"]) == (Verdict.DIFFERS, Tier.OTHER_KIND)


def test_a_product_known_by_digest_alone_that_comes_out_otherwise_is_undecided(rerun: Rerun) -> None:
    rerun.specified(CASE)
    rerun.file("results/a.count", stored=None)
    rerun.capsule = replace(rerun.capsule, run=replace(rerun.capsule.run, targets=("results/a.count", TOTAL)))
    rerun.made["results/a.count"] = b"3\n"
    found = rerun.reproduced()
    assert (found.verdict, tiers(found)["results/a.count"]) == (Verdict.UNDECIDED, Tier.UNDECIDED)


def test_what_differs_in_a_blinded_product_is_not_told(rerun: Rerun) -> None:
    rerun.file("results/a.count", visibility=Visibility.BLINDED)
    rerun.made |= {"results/a.count": b"77777\n", "results/b.count": b"88888\n"}
    told = {product.path: product for product in rerun.reproduced().products}
    assert "88888" in str(told["results/b.count"])
    assert "77777" not in str(told["results/a.count"])
    assert told["results/a.count"].remarks == ("what differs is not told, since it is blinded",)


def test_a_tolerance_holds_for_its_path_alone(rerun: Rerun) -> None:
    rerun.specified(b"products: {tolerances: [{path: results/a.count, absolute: 1, because: chance}]}\n")
    targets = ("results/a.count", "results/b.count")
    rerun.capsule = replace(rerun.capsule, run=replace(rerun.capsule.run, targets=targets))
    rerun.made |= {"results/a.count": b"3\n", "results/b.count": b"4\n"}
    found = rerun.reproduced()
    assert found.verdict is Verdict.DIFFERS
    assert [tiers(found)[path] for path in targets] == [Tier.TOLERANCE, Tier.DIFFERENT]


@pytest.mark.parametrize(
    ("total", "verdict"), [(5.4, Verdict.WITHIN), (4.6, Verdict.WITHIN), (5.6, Verdict.DIFFERS)]
)
def test_a_case_is_judged_by_what_it_expects(rerun: Rerun, total: float, verdict: Verdict) -> None:
    rerun.specified(CASE)
    rerun.made[TOTAL] = f'{{"total": {total}}}'.encode()
    assert rerun.reproduced(case="usual").verdict is verdict


def test_results_that_cannot_be_read_do_not_agree(rerun: Rerun) -> None:
    rerun.made[TOTAL] = b"{}"
    found = rerun.reproduced()
    assert found.verdict is Verdict.DIFFERS
    assert [result.agrees for result in found.results] == [False]


def test_where_results_lie_is_not_for_the_workflow_to_say(rerun: Rerun) -> None:
    text = capsules.SPECIFICATION.replace(b"file: results/total.json", b'file: "{output}/total.json"')
    rerun.specified(b"", of=text)
    rerun.capsule = replace(
        rerun.capsule, run=replace(rerun.capsule.run, configuration={"output": "results"})
    )
    rerun.configuration = {"output": "elsewhere"}
    rerun.made |= {TOTAL: b'{"total": 6}\n', "elsewhere/total.json": capsules.PRODUCTS[TOTAL]}
    found = rerun.reproduced()
    assert found.verdict is Verdict.DIFFERS
    assert [result.found for result in found.results] == [(6.0,)]


@pytest.mark.parametrize(
    ("outside", "verdict"),
    [
        (b"", Verdict.FAILED),
        (b"outside: [{kind: cvmfs, name: /cvmfs/x, reason: the compiler}]\n", Verdict.NOT_CLOSED),
    ],
)
def test_a_run_that_failed_says_whether_something_was_lacking(
    rerun: Rerun, outside: bytes, verdict: Verdict
) -> None:
    rerun.specified(outside)
    rerun.status = RunStatus.FAILED
    found = rerun.reproduced()
    assert (found.verdict, found.message, found.products) == (verdict, "as it went", ())


@pytest.mark.parametrize("role", [Role.SOURCE, Role.INPUT])
def test_nothing_is_run_without_what_the_capsule_only_knows(rerun: Rerun, role: Role) -> None:
    path = next(file.path for file in rerun.capsule.files if file.role is role)
    rerun.file(path, stored=None)
    rerun.ran = never
    found = rerun.reproduced()
    assert found.verdict is Verdict.NOT_CLOSED
    assert path in found.message
    assert any(f"{role} {path}" in told for told in found.not_closed)


def test_a_damaged_capsule_is_not_run(rerun: Rerun) -> None:
    described = writing.write(rerun.store.layout, rerun.capsule, name=None)
    script = next(file.digest for file in rerun.capsule.files if file.path == "scripts/count.sh")
    blob = rerun.store.layout.path(script)
    blob.chmod(0o644)
    blob.write_bytes(b"#!/bin/evil\n")
    rerun.ran = never
    report = verifying.verify(rerun.store, described, rerun.request(), EFFECTS)
    assert (report.verdict, report.reran) == (Verdict.DAMAGED, False)


def never(_work: Work, _settings: Settings) -> Ran:
    raise AssertionError("nothing may run")
