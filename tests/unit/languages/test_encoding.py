import pytest
from tests.unit.languages.written import NAMES, WORKFLOWS

from relance.languages import encoding
from relance.languages.yadage import workflows


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_is_the_same_after_it_was_written_as_json(name: str) -> None:
    workflow = workflows.read(WORKFLOWS, f"{name}.yml").workflow
    assert encoding.decode(encoding.encode(workflow)) == workflow
