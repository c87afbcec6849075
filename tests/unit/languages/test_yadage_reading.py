from pathlib import Path

import pytest

from relance.errors import InputError
from relance.languages import encoding, snakefile, yadage
from relance.languages.model import Container, FromJq, Scatter, Selector, Step
from relance.languages.support import patterns

WORKFLOWS = Path(__file__).parents[2] / "analyses" / "yadage"
STEP = """{process: {process_type: string-interpolated-cmd, cmd: 'echo {a}'},
      environment: {environment_type: docker-encapsulated, image: busybox, imagetag: '1.36',
        resources: [CVMFS, GRIDProxy, {kerberos: true}]},
      publisher: {publisher_type: fromparjq-pub}}"""
STAGE = f"""stages:
- name: one
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {{a: {{step: init, output: a}}}}
    step: {STEP}
"""


def read(folder: Path, text: str, **others: str) -> yadage.Reading:
    (folder / "w.yml").write_text(text)
    for name, content in others.items():
        (folder / f"{name}.yml").write_text(content)
    return yadage.read(folder, "w.yml")


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
    "name: one": ("name: ../one", ":2: a stage's name can't be used"),
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


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("../outside.yml", "leads nowhere"),
        ("/etc/passwd", "leads out of the toplevel"),
        ("https://example.org/step.yml", "leads out of the toplevel"),
        ("link.yml", "leads nowhere"),
        ("other.yml#/nothing", "other.yml has no 'nothing'"),
        ("circle.yml#/a", "go in a circle"),
        ("w.yml", "go in a circle"),
        ("missing.yml", "leads nowhere"),
    ],
)
def test_references_stay_inside_and_end(reference: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "outside.yml").write_text(STEP)
    top = tmp_path / "top"
    top.mkdir()
    (top / "link.yml").symlink_to("../outside.yml")
    scheduler = f"{{scheduler_type: singlestep-stage, workflow: {{$ref: '{reference}'}}}}"
    text = f"stages:\n- {{name: one, scheduler: {scheduler}}}\n"
    with pytest.raises(InputError, match=message):
        read(top, text, other=STEP, circle="a: {$ref: '#/b'}\nb: {$ref: '#/a'}\n")


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in WORKFLOWS.glob("*.yml") if "input" not in path.name)
)
def test_a_workflow_is_the_same_after_it_was_written_as_json(name: str) -> None:
    workflow = yadage.read(WORKFLOWS, f"{name}.yml").workflow
    assert encoding.decode(encoding.encode(workflow)) == workflow


def test_compiling_twice_gives_the_same_files_and_no_text_of_the_author_is_code(tmp_path: Path) -> None:
    hostile = (
        STAGE.replace("echo {a}", 'echo \\"\\"\\" {a} \\').replace("'echo", '"echo').replace("\\'}", '\\\\"}')
    )
    for text in (STAGE, hostile):
        workflow = read(tmp_path, text).workflow
        one = snakefile.compiled(workflow, 'w.yml\nimport os  # """', {"a": 1})
        assert one == snakefile.compiled(workflow, 'w.yml\nimport os  # """', {"a": 1})
        assert "\nimport os" not in one.files["Snakefile"]
        assert 'docker://busybox:1.36"' in one.files["Snakefile"]


def test_what_is_brought_along_does_not_need_relance(tmp_path: Path) -> None:
    brought = snakefile.compiled(read(tmp_path, STAGE).workflow, "w.yml", {}).files
    assert {"support/rules.py", "support/answers.py", "support/model.py"} <= set(brought)
    assert not [name for name, text in brought.items() if "from relance" in text or "import relance" in text]


def test_folders_of_jobs_are_numbered_where_jobs_are(tmp_path: Path) -> None:
    assert set(patterns.jobs(yadage.read(WORKFLOWS, "dynamic.yml").workflow)) == {
        "split_{n0}",
        "inside_{n0}/again",
        "inside_{n0}/copy_{n1}",
        "all",
    }
    assert patterns.published("inside_{n0}/copy_{n1}") == "published/inside_{n0}/copy.json"
    assert patterns.fits("inside_{n0}/again", "inside_12/again")
    assert not patterns.fits("inside_{n0}/again", "inside_x/again")


@pytest.mark.parametrize(
    ("said", "read_as"),
    [
        ("image: a/b:1.2", "a/b:1.2"),
        ("image: 'localhost:5000/b'", "localhost:5000/b:latest"),
        ("image: 'localhost:5000/b', imagetag: v3", "localhost:5000/b:v3"),
        (f"image: 'a/b@sha256:{'0' * 64}'", f"a/b@sha256:{'0' * 64}"),
    ],
)
def test_an_image_may_bring_its_tag_or_digest(said: str, read_as: str, tmp_path: Path) -> None:
    reading = read(tmp_path, STAGE.replace("image: busybox, imagetag: '1.36'", said))
    step = reading.workflow.stages[0].cases[0].step
    assert isinstance(step, Step)
    assert isinstance(step.environment, Container)
    assert step.environment.reference == read_as


def test_an_image_with_two_tags_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"w.yml:7: an image has two tags: found a/b:1:2"):
        read(tmp_path, STAGE.replace("image: busybox, imagetag: '1.36'", "image: 'a/b:1', imagetag: '2'"))


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


def test_a_scatter_takes_the_first_of_several_bodies_and_0_for_no_batches(tmp_path: Path) -> None:
    text = STAGE.replace("singlestep-stage", "multistep-stage")
    text += "    scatter: {method: zip, parameters: [a]}\n    batchsize: 0\n    workflow: {stages: []}\n"
    reading = read(tmp_path, text)
    (stage,) = reading.workflow.stages
    assert [case.step is not None for case in stage.cases] == [True]
    assert stage.schedule == Scatter(("a",))
    assert "workflow has no effect, as in yadage" in [note.text for note in reading.notes]


def test_a_stage_may_be_called_in_any_language(tmp_path: Path) -> None:
    reading = read(tmp_path, STAGE.replace("name: one", "name: évènement"))
    assert [stage.name for stage in reading.workflow.stages] == ["évènement"]
