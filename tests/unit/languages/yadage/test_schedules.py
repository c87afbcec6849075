from pathlib import Path

from tests.unit.languages.written import STAGE, read

from relance.languages.model import Scatter


def test_a_scatter_takes_the_first_of_several_bodies_and_0_for_no_batches(tmp_path: Path) -> None:
    text = STAGE.replace("singlestep-stage", "multistep-stage")
    text += "    scatter: {method: zip, parameters: [a]}\n    batchsize: 0\n    workflow: {stages: []}\n"
    reading = read(tmp_path, text)
    (stage,) = reading.workflow.stages
    assert [case.step is not None for case in stage.cases] == [True]
    assert stage.schedule == Scatter(("a",))
    assert "workflow has no effect, as in yadage" in [note.text for note in reading.notes]
