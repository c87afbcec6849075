from pathlib import Path

import pytest
from tests.unit.languages.written import STAGE, read

from relance.errors import InputError
from relance.languages.model import Container, FromJq, Selector, Step


def test_shorthand_is_expanded_and_defaults_are_those_of_yadage(tmp_path: Path) -> None:
    reading = read(tmp_path, STAGE)
    stage = reading.workflow.stages[0]
    assert stage.parameters[0].value == Selector("init", "a", single=True)
    step = stage.cases[0].step
    assert isinstance(step, Step)
    assert step.publisher == FromJq(".", exact=True, glob=False, relative=False)
    assert isinstance(step.environment, Container)
    assert step.environment.reference == "busybox:1.36"
    assert step.environment.resources == ("CVMFS", "GRIDProxy", "kerberos: True")
    assert [note.text for note in reading.notes][:1] == ["needs CVMFS from outside"]


REFUSED = {
    "scheduler_type: singlestep-stage": ("scheduler_type: multi-stage", ":4: a scheduler isn't supported"),
    "publisher_type: fromparjq-pub": ("publisher_type: manual-pub", "a publisher isn't supported"),
    "process_type: string-interpolated-cmd, cmd": (
        "process_type: manual-instructions-proc, instructions",
        ":6: a process isn't supported",
    ),
    "environment_type: docker-encapsulated": ("environment_type: slurm-env", ":7: an environment isn't"),
    "step: init": ("step: 'a where b'", ":5: the JSONPath 'a where b' isn't understood"),
    "name: one": ('name: "a\\nb"', ":2: a stage's name can't be used"),
    "image: busybox": ('image: "x y; rm"', ":7: an image's name can't be used"),
    "imagetag: '1.36'": ("imagetag: 1.36", ":7: a tag isn't text"),
    "  scheduler:": ("  schedule:", ":3: a stage has the key 'schedule'"),
}


@pytest.mark.parametrize("old", REFUSED)
def test_what_is_not_supported_is_refused_by_name_and_line(old: str, tmp_path: Path) -> None:
    new, message = REFUSED[old]
    with pytest.raises(InputError) as error:
        read(tmp_path, STAGE.replace(old, new))
    assert f"w.yml{message}" in str(error.value).replace(":8: a pub", "a pub").replace(":9: a pub", "a pub")


def test_what_yadage_passes_over_is_noted_and_has_no_effect(tmp_path: Path) -> None:
    text = STAGE.replace("output: a", "output: a, wrap: true")
    text += "    workflow_opts: {discover: true, other: 1}\n"
    reading = read(tmp_path, text)
    notes = [str(note.text) for note in reading.notes]
    assert [note for note in notes if "no effect" in note] == [
        "'wrap' has no effect, as in yadage",
        "'other' has no effect, as in yadage",
    ]
    assert reading.workflow.stages[0].discover


def test_the_folder_that_only_reana_has_is_told_where_it_is_named(tmp_path: Path) -> None:
    text = STAGE.replace("echo {a}", "ls $REANA_WORKSPACE").replace("{a: {", "{b: $REANA_WORKSPACE/b, a: {")
    told = [note.where for note in read(tmp_path, text).notes if "REANA_WORKSPACE is empty" in note.text]
    assert sorted(told) == ["w.yml:5", "w.yml:6"]


def test_a_stage_may_be_called_in_any_language(tmp_path: Path) -> None:
    reading = read(tmp_path, STAGE.replace("name: one", "name: évènement"))
    assert [stage.name for stage in reading.workflow.stages] == ["évènement"]
