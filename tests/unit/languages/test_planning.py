from pathlib import Path

import pytest
from tests.unit.languages.written import STEP, read

from relance.languages.model import PlanError
from relance.languages.support.places import Places
from relance.languages.support.planning import Planner

NESTED = """stages:
- {name: before, scheduler: {scheduler_type: singlestep-stage, parameters: {a: 1}, step: {$ref: s.yml}}}
- name: around
  dependencies: [before]
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {b: text}
    workflow:
      stages:
      - {name: first, scheduler: {scheduler_type: singlestep-stage, parameters: {a: 2}, step: {$ref: s.yml}}}
"""


def test_jobs_of_a_nested_workflow_wait_for_what_its_stage_waits_for(tmp_path: Path) -> None:
    workflow = read(tmp_path, NESTED, s=STEP).workflow
    plan = Planner(workflow, {}, Places(tmp_path))
    first = plan.node((("around", None), ("first", None)))
    assert [node.name for node in plan.before(first)] == ["before"]


SCATTERED = """stages:
- name: around
  scheduler:
    scheduler_type: multistep-stage
    parameters: {b: [1, 2]}
    scatter: {method: zip, parameters: [b]}
    workflow:
      stages:
      - name: each
        scheduler:
          scheduler_type: multistep-stage
          parameters: {a: []}
          scatter: {method: zip, parameters: [a]}
          step: {$ref: s.yml}
"""


def test_a_stage_with_nothing_to_scatter_is_an_error_unless_the_configuration_says_that_it_may_be(
    tmp_path: Path,
) -> None:
    workflow = read(tmp_path, SCATTERED, s=STEP).workflow
    plan = Planner(workflow, {}, Places(tmp_path))
    with pytest.raises(PlanError, match=r"'around_0/each' \(w.yml:9\): there is nothing in 'a' to scatter"):
        list(plan.every(("around", "each")))
    plan = Planner(workflow, {}, Places(tmp_path), may_be_empty=frozenset({"around/each"}))
    assert list(plan.every(("around", "each"))) == []


def test_a_script_that_gives_no_jobs_is_an_error(tmp_path: Path) -> None:
    text = "stages:\n- {name: a, scheduler: {scheduler_type: jq-stage, bindings: {}, stepscript: '[]', "
    workflow = read(tmp_path, f"{text}step: {{$ref: s.yml}}}}}}\n", s=STEP).workflow
    with pytest.raises(PlanError, match="its stepscript gives an empty list, so it would never run"):
        list(Planner(workflow, {}, Places(tmp_path)).every(("a",)))
