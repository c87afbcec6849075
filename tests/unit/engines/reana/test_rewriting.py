"""References to images put in place of others: in plain text, and in an analysis's list of images."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from relance.engines.reana import declared, images, rewriting
from relance.engines.reana.images import Choice, Held
from relance.errors import InputError
from relance.model import Digest
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.images import PublishedImage
from relance.store.registry.reference import Reference

ZERO = Digest("sha256:" + "0" * 64)
ONE = Digest("sha256:" + "1" * 64)
TARGET = Reference.parse("registry.example/group/reana")


def held(name: str, *, listed: bool = False) -> Held:
    entry = PublishedImage("", ONE, ZERO, ONE, 7) if listed else None
    return Held(name, Descriptor(MANIFEST_TYPE, ONE, 1), ZERO, entry)


def folder(place: Path, **files: str) -> Path:
    place.mkdir(exist_ok=True)
    texts = {"Snakefile": "", "reana.yaml": "workflow: {type: snakemake, file: Snakefile}\n", **files}
    named = [path for path in texts if path != "reana.yaml"]
    texts["reana.yaml"] += yaml.safe_dump({"inputs": {"files": named}})
    for path, text in texts.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    return place


def pushed(written: str, *, listed: bool = False) -> Choice:
    (choice,) = images.choose({"step": written}, _none, lambda _: held("mine", listed=listed), TARGET)
    return choice


def _none(reference: Reference) -> images.Seen:
    raise InputError(str(reference), expected="it", found="none", next_step="push it")


def test_only_whole_references_are_replaced(tmp_path: Path) -> None:
    text = "a: 'docker://bash:5'\nb: 'docker://bash:5.1'\nc: 'docker://bash:5@sha256'\n"
    made = rewriting.rewrite(
        declared.read(folder(tmp_path / "analysis", Snakefile=text)),
        [pushed("docker://bash:5")],
        tmp_path / "scratch",
    )
    new = f"docker://registry.example/group/reana/mine@{ONE}"
    assert made.declared.place("Snakefile").read_text() == text.replace("'docker://bash:5'", f"'{new}'")
    assert (tmp_path / "analysis/Snakefile").read_text() == text
    assert "-a: 'docker://bash:5'" in made.difference


def test_an_image_of_the_list_is_listed_as_published_and_the_list_of_this_machine_stays_here(
    tmp_path: Path,
) -> None:
    lock, local = "containers/images.lock.yaml", "containers/images.local.yaml"
    nothing = "version: 1\nimages: {}\n"
    place = folder(tmp_path / "analysis", **{lock: nothing, local: nothing})
    choice = pushed("docker://relance/mine", listed=True)
    made = rewriting.rewrite(declared.read(place), [choice], tmp_path / "scratch")
    entry = yaml.safe_load(made.declared.place(lock).read_text())["images"]["mine"]
    assert entry["reference"] == f"registry.example/group/reana/mine@{ONE}"
    assert entry["config"] == ZERO
    assert local not in made.declared.inputs
    assert local not in made.declared.definition


def test_an_image_that_is_named_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="puts it together"):
        rewriting.rewrite(
            declared.read(folder(tmp_path / "analysis")), [pushed("docker://bash:5")], tmp_path / "scratch"
        )


def test_steps_that_still_name_another_image_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="'second'"):
        rewriting.require_used({"first": "a", "second": "b"}, [Choice("x", "a")])


def test_the_image_of_a_serial_step_keeps_its_form() -> None:
    assert pushed("bash:5").becomes == f"registry.example/group/reana/mine@{ONE}"
    assert pushed("/scratch/bash.sqsh").becomes.startswith("docker://")


@pytest.mark.parametrize(("config", "same"), [(ZERO, True), (ONE, False), (None, True)])
def test_an_image_is_there_if_its_configuration_is_the_one_of_the_store(
    config: Digest | None, same: bool
) -> None:
    def look(_: Reference) -> images.Seen:
        return images.Seen(Digest("sha256:" + "2" * 64), config)

    (choice,) = images.choose({"step": "docker://a.example/b:1"}, look, lambda _: held("mine"), TARGET)
    assert (choice.pushed is None) == same


@given(st.text(st.sampled_from("ab:/@. '\"\n"), max_size=40))
def test_what_names_no_image_is_left_as_it_is(text: str) -> None:
    pattern = rewriting._pattern("docker://bash:5")
    assert pattern.sub("X", text) == text
    assert pattern.sub("X", f'{text} "docker://bash:5" {text}') == f'{text} "X" {text}'
