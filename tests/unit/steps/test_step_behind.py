"""Results of checkpoints that are done, which Snakemake's graph lacks: which are right no more, and why."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.steps.test_step_plan import CONTEXT, Bench, job, of

from relance.model import CodeRecord, Digest
from relance.steps import behind, ledger
from relance.steps.ledger import Made
from relance.steps.plan import Asked, Situation

SPLIT = replace(job("split", "raw"), outputs=("parts",), code=CodeRecord("shell", files=("split.py",)))
NOW = {"raw": of("raw"), "split.py": of("code"), "parts": of("1")}
WORKFLOW, OTHER = of("this workflow"), of("another")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A store that knows the step that made `parts`, which lies in the analysis."""
    made = Bench(tmp_path)
    (made.analysis / "parts").write_text("1")
    return made


def situation(bench: Bench) -> Situation:
    own = bench.know_all(SPLIT, bench.file("parts", "1"), files=NOW)
    read = Asked(job("read", "parts"))
    return Situation((read,), ("read",), CONTEXT, NOW, {"parts": Made(own, of("1"))})


def outdated(bench: Bench, **now: Digest | None) -> Mapping[str, str]:
    lies = {**NOW, **now}
    return behind.outdated(situation(bench), bench.store, lies.get)


def test_what_other_code_or_inputs_would_make_is_outdated(bench: Bench) -> None:
    assert outdated(bench) == {}
    assert outdated(bench, **{"split.py": of("new")}) == {"parts": "code split.py changed"}
    assert outdated(bench, **{"split.py": None}) == {"parts": "code split.py changed"}
    assert outdated(bench, raw=of("new")) == {"parts": "input raw changed"}


def test_what_somebody_changed_by_hand_is_left(bench: Bench) -> None:
    assert outdated(bench, raw=of("new"), parts=of("mine")) == {}


def unseen(bench: Bench, **now: Digest) -> tuple[str, ...]:
    lies = {**NOW, **now}
    return behind.unseen(situation(bench), bench.store, lies.get, bench.analysis, WORKFLOW)


def test_what_was_restored_for_another_workflow_is_looked_at_again(bench: Bench) -> None:
    assert unseen(bench) == ("parts",)
    ledger.note_seen(bench.analysis, ["parts"], OTHER)
    assert unseen(bench) == ("parts",)
    ledger.note_seen(bench.analysis, ["parts"], WORKFLOW)
    assert unseen(bench) == ()


def test_what_could_not_be_restored_again_is_left(bench: Bench) -> None:
    assert unseen(bench, parts=of("mine")) == ()
    found = situation(bench)
    bench.store.layout.path(of("1")).unlink()
    assert behind.unseen(found, bench.store, NOW.get, bench.analysis, WORKFLOW) == ()
