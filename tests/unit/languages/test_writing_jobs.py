"""Jobs in other languages: their order, names and commands with slots; nothing is lost or guessed."""

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from relance.drafting.graph import Job
from relance.errors import InputError
from relance.languages.model import Container, Script
from relance.languages.support import interpolation
from relance.languages.writing import guide, images, jobs, serial, settings, snakemake, staged
from relance.languages.writing import text as yaml_text
from relance.languages.writing import yadage as expanded
from relance.languages.writing.jobs import Setting, Slot, Slotted
from relance.languages.yadage import workflows as yadage
from relance.model import Digest, ImageRef
from relance.specification.model import Parameter, ParameterType

IMAGE = "docker://registry.example:5000/a/tool:1.0"
BUILT = Digest("sha256:" + "1" * 64)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), min_size=1, max_size=60)


def job(
    rule: str, inputs: Sequence[str], outputs: Sequence[str], command: str | None = "true", **more: Any
) -> Job:
    given = Job(rule, tuple(inputs), tuple(outputs), frozenset(), (), (), IMAGE, "", resolved=command)
    return replace(given, **more)


def chain(mass: str = "500.0", first: str = "make") -> tuple[Job, ...]:
    return (
        job("fit", ["h/b.txt", "h/a.txt", "fit.sh"], ["fit/limit.txt"], f"bash fit.sh 1.0 {mass}"),
        job("fill", ["a.dat"], ["h/a.txt"], f"{first} {mass} 1.0 > h/a.txt", values=("a",), logs=("logs/a",)),
        job("fill", ["b.dat"], ["h/b.txt"], "make 500.0 1.0 > h/b.txt", values=("b",)),
    )


def planned(*given: Job, slotted: Slotted = Slotted()) -> jobs.Plan:  # noqa: B008 - it can't be changed
    return jobs.plan("mine", given, (), images.naming((), {}), slotted)


def mass_of(*args: Any) -> settings.Found | settings.Fixed:
    return settings.found(*args, 500.0, 600.5)


def test_each_job_comes_after_those_that_it_needs_under_a_name_of_its_own() -> None:
    plan = planned(*chain())
    assert [step.name for step in plan.steps] == ["fill_a", "fill_b", "fit"]
    assert [step.needs for step in plan.steps] == [(), (), (0, 1)]
    assert plan.results == ("fit/limit.txt",)
    assert plan.steps[0].preamble == "set -euo pipefail; mkdir -p h logs"


def test_a_file_in_a_folder_that_a_job_makes_comes_from_that_job() -> None:
    plan = planned(
        job("read", ["parts/1.txt"], ["sum.txt"]),
        job("split", [], ["parts"], folders=frozenset({"parts"})),
    )
    assert [step.name for step in plan.steps] == ["split", "read"]
    assert 'ln -sfn "{at_split}"/parts/1.txt parts/1.txt' in script(plan, "read")


@pytest.mark.parametrize("name", ["init", "all", "files", "import", "1st", "at_x", "ü-ö", ""])
def test_a_name_is_one_that_every_language_takes(name: str) -> None:
    found = jobs.identifier(name, ["job_all"])
    assert re.fullmatch("[A-Za-z][A-Za-z0-9_]*", found)
    assert found not in {"init", "all", "files", "import", "job_all"}
    assert not found.startswith("at_")


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (job("a", [], ["x"], None), "a script of Snakemake's"),
        (job("a", [], ["x"], checkpoint=True), "jobs that depend on what it makes"),
        (job("a", ["/etc/x"], ["x"]), "'/etc/x'"),
        (job("a", ["../x"], ["x"]), "'../x'"),
        (job("a", [], ["x{y}"]), "'x{y}'"),
    ],
)
def test_what_other_languages_cannot_say_is_refused_with_the_rule(bad: Job, found: str) -> None:
    with pytest.raises(InputError) as caught:
        planned(bad)
    assert found in caught.value.found
    assert "a" in caught.value.subject


def test_a_value_is_where_it_changes_and_nowhere_else() -> None:
    found = mass_of(chain(), chain("600.5"))
    assert isinstance(found, settings.Found)
    assert (found.text, [place.job for place in found.places]) == ("500.0", [0, 1])
    text = settings.with_slots(chain()[1].resolved or "", [(found.places[1], "mass")])
    assert text == ("make ", Slot("mass"), " 1.0 > h/a.txt")


@pytest.mark.parametrize(
    ("varied", "reason"),
    [
        (chain(), "no command says it"),
        (chain("600"), "has another number that follows from it"),
        (chain("600.5", "made"), "in more than a number"),
        (chain("600.5")[:2], "which jobs and files"),
    ],
)
def test_what_follows_from_a_value_otherwise_is_fixed(varied: tuple[Job, ...], reason: str) -> None:
    found = mass_of(chain(), varied)
    assert isinstance(found, settings.Fixed)
    assert reason in found.reason


def test_parameters_are_sought_by_planning_with_another_value() -> None:
    def plan(configuration: Any) -> tuple[Job, ...]:
        if configuration["seed"] != 1:
            raise InputError("x", expected="1", found="13 is unlucky", next_step="x")
        return chain(str(configuration["signal"]["mass"]))

    number = Parameter("Mass", ParameterType.NUMBER, "signal.mass", "GeV", maximum=500)
    found = settings.sought(
        {
            "signal.mass": number,
            "seed": Parameter("Seed", ParameterType.INTEGER, "seed"),
            "name": Parameter("Name", ParameterType.TEXT, "name"),
            "absent": replace(number, key="signal.absent"),
        },
        {"signal": {"mass": 500.0}, "seed": 1, "name": "x"},
        chain(),
        plan,
    )
    assert found.slotted.settings == (Setting("signal_mass", "500.0", "Mass", "GeV"),)
    assert found.names == {"signal_mass": "signal.mass"}
    assert {name: reason.split(":")[-1].strip() for name, reason in found.fixed.items()} == {
        "seed": "13 is unlucky",
        "name": "it isn't a number",
        "absent": "the configuration doesn't say it",
    }
    plan_ = planned(*chain(), slotted=found.slotted)
    text = guide.text("yadage", plan_, staged.form(plan_), found.names, found.fixed)
    assert "| `signal_mass` | 500.0 | signal.mass in GeV | Mass |" in text
    assert "- seed: another value of it is refused: 13 is unlucky" in text


def script(plan: jobs.Plan, name: str) -> str:
    (stage,) = [stage for stage in staged.workflow(plan).stages if stage.name == name]
    step = stage.cases[0].step
    assert step is not None
    assert isinstance(step.process, Script)
    return step.process.text


@given(words=WORDS)
def test_a_command_reaches_each_engine_as_it_is(words: str) -> None:
    slotted = Slotted((Setting("mass", "500.0", "Mass"),), {0: (words, Slot("mass"), words)})
    plan = planned(job("one", [], ["x"], words), slotted=slotted)
    meant = f"{words}500.0{words}"
    values = {"folder": "/f", "files": "/i", "mass": "500.0"}
    body = interpolation.fill(script(plan, "one"), values)
    assert "\n(\n" + meant.strip("\n") + "\n) < /dev/null\n" in body
    if "sudo " not in words:
        form = yaml.safe_load(serial.form(plan, ()).texts["reana.yaml"])
        (step,) = form["workflow"]["specification"]["steps"]
        assert serial.command(step, {"mass": "500.0"}) == f"set -euo pipefail; {meant.strip()}"
    last = snakemake.form(plan, ()).texts["Snakefile"].rstrip("\n").rpartition("    shell:\n")[2]
    shell = str(ast.literal_eval(last.strip()))
    assert shell.format(params=SimpleNamespace(mass="500.0")) == f"set -euo pipefail; {meant}"


def test_the_form_for_yadage_is_read_back_with_its_images_and_queries(tmp_path: Any) -> None:
    plan = planned(*chain(), slotted=Slotted())
    (tmp_path / "w.yml").write_text(staged.form(plan).texts["workflow.yml"], "utf-8")
    read = yadage.read(tmp_path, "w.yml").workflow
    assert expanded.document(read) == expanded.document(staged.workflow(plan))
    step = read.stages[0].cases[0].step
    assert step is not None
    assert isinstance(step.environment, Container)
    assert step.environment.reference == "registry.example:5000/a/tool:1.0"


@pytest.mark.parametrize(
    ("image", "written"),
    [
        ("python", ("python", "latest")),
        ("r.example:5000/tool", ("r.example:5000/tool", "latest")),
        ("r.example:5000/tool:1", ("r.example:5000/tool", "1")),
        ("tool@sha256:" + "1" * 64, ("tool@sha256", "1" * 64)),
    ],
)
def test_name_and_tag_of_an_image_are_told_apart(image: str, written: tuple[str, str]) -> None:
    plan = planned(job("a", [], ["x"], image=f"docker://{image}"))
    (stage,) = expanded.document(staged.workflow(plan))["stages"]
    environment = stage["scheduler"]["step"]["environment"]
    assert (environment["image"], environment["imagetag"]) == written


def test_an_image_is_called_as_registries_or_docker_know_it() -> None:
    local = ImageRef("tool", ("/store/tool.sqsh", "docker://relance/tool"), BUILT, None)
    published = ImageRef("pub", ("docker://relance/pub", "docker://r.example/pub@sha256:22"), None, None)
    name = images.naming((local, published), {})
    assert name(job("a", [], [], image="/store/tool.sqsh")) == BUILT
    assert name(job("a", [], [], image="docker://relance/pub")) == "r.example/pub@sha256:22"
    assert name(job("a", [], [], image="docker://python:3.11")) == "python:3.11"
    assert name(job("a", [], [], image=None)) is None
    given = images.naming((local,), {"tool": "docker://r.example/tool:1", "docker://python:3.11": ""})
    assert given(job("a", [], [], image="/store/tool.sqsh")) == "r.example/tool:1"
    assert given(job("a", [], [], image="docker://python:3.11")) is None
    with pytest.raises(InputError, match=r"/else\.sif"):
        name(job("a", [], [], image="/else.sif"))
    with pytest.raises(InputError, match="toll"):
        images.naming((local,), {"toll": "x"})


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (job("a", [], ["x"], image=None), "none"),
        (job("a", [], ["x"], "sudo ls"), "'sudo '"),
    ],
)
def test_what_reana_would_refuse_is_refused(bad: Job, found: str) -> None:
    with pytest.raises(InputError) as caught:
        serial.form(planned(bad), ())
    assert caught.value.found == found


def test_an_image_that_only_this_machine_has_is_no_image_for_reana() -> None:
    local = ImageRef("tool", (IMAGE.replace("registry.example:5000/a", "relance"),), BUILT, None)
    plan = jobs.plan("x", [job("a", [], ["x"], image=local.written[0])], (), images.naming([local], {}))
    assert "image: sha256\n" in staged.form(plan).texts["workflow.yml"]
    with pytest.raises(InputError, match="a registry"):
        serial.form(plan, ())


@given(st.text(max_size=30))
def test_yaml_is_read_back(words: str) -> None:
    assert yaml.safe_load(yaml_text.as_yaml([words, {words: words}])) == [words, {words: words}]
