"""A workflow that is written as expanded yadage is read back as itself, and compiles to the same jobs."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.unit.languages.workflows import own, without_origins, workflows

from relance.errors import InputError
from relance.languages import model, snakefile
from relance.languages.writing import text
from relance.languages.writing import yadage as writing
from relance.languages.yadage import workflows as yadage

WORKFLOWS = Path(__file__).parents[2] / "analyses" / "yadage"


def read_back(folder: Path, workflow: model.Workflow) -> model.Workflow:
    (folder / "w.yml").write_text(text.as_yaml(writing.document(workflow)), "utf-8")
    return without_origins(yadage.read(folder, "w.yml").workflow)


@given(workflow=workflows())
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
def test_any_workflow_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, workflow: model.Workflow
) -> None:
    folder = tmp_path_factory.getbasetemp() / "round"
    folder.mkdir(exist_ok=True)
    assert read_back(folder, workflow) == without_origins(workflow)


@pytest.mark.parametrize("name", own(WORKFLOWS))
def test_our_workflows_are_read_back_as_they_were_and_compile_to_the_same_jobs(
    tmp_path: Path, name: str
) -> None:
    workflow = without_origins(yadage.read(WORKFLOWS, f"{name}.yml").workflow)
    again = read_back(tmp_path, workflow)
    assert again == workflow
    assert snakefile.compiled(again, "w.yml", {}) == snakefile.compiled(workflow, "w.yml", {})


def test_steps_that_share_a_folder_are_refused_by_place() -> None:
    step = model.Step(model.Commands(("true",)), None, model.Constant({}), model.Origin("reana.yaml", 7))
    stage = model.Stage("a", model.Ready(), model.Single(), (), (model.Case(step),), step.origin)
    with pytest.raises(InputError, match=r"reana\.yaml:7"):
        writing.document(model.Workflow((stage,)))


def test_nothing_of_the_shorthand_is_left() -> None:
    document = writing.document(yadage.read(WORKFLOWS, "chain.yml").workflow)
    stage = document["stages"][-1]
    assert stage["dependencies"]["dependency_type"] == "jsonpath_ready"
    assert all(set(one) == {"key", "value"} for one in stage["scheduler"]["parameters"])
    assert "$ref" not in text.as_yaml(document)
