"""What a shell finds for a publisher is what Python finds in the same files."""

import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relance.languages import shells
from relance.languages.model import PlanError
from relance.languages.support import answers
from relance.languages.support.answers import Answers, Questions
from relance.languages.support.places import ROOT, Places

NAMES = st.text(st.sampled_from("ab.[]*?'\"\\ \n$&{}~é"), min_size=1, max_size=5).filter(
    lambda name: name not in {".", ".."}
)
PATTERNS = ("*", "**", "a*", "*/*", ".*", "[ab]*", "?", "**/a*", "b/**/*")


SHELLS = (["bash"], ["dash"], ["busybox", "sh"])


def looked_for(folder: Path, questions: Questions, shell: list[str]) -> Answers:
    """Return the answers of the checkpoint's text, run by a shell in a folder."""
    said = {kind: shlex.join(answers.words((one, "") for one in questions.of(kind))) for kind in KINDS}
    text = shells.PUBLISH.replace("{output}", "out/answers.json").replace("{{", "{").replace("}}", "}")
    for kind in KINDS:
        text = text.replace(f"{{params.{kind}:q}}", said[kind])
    done = subprocess.run([*shell, "-c", text], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return answers.read(folder / "out/answers.json")


KINDS: tuple[answers.Kind, ...] = ("exists", "matches", "texts")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(NAMES, min_size=1, max_size=2), max_size=4))
@example([["?"], [".*", "?"]])
@example([["a"], ["b", "a b"], ["b", ".hidden"], ["\\", "line\nbreak"]])
def test_a_shell_finds_what_python_finds(shell: list[str], paths: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "workdir/job").mkdir(parents=True)
        for parts in paths:
            path = folder.joinpath("workdir/job", *parts)
            if not any(parent.is_file() for parent in path.parents) and not path.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("", "utf-8")
        places, questions = Places(folder), Questions()
        asked = [f"{ROOT}/workdir/job/{pattern}" for pattern in PATTERNS]
        asked += [f"{ROOT}/workdir/job/{'/'.join(parts)}" for parts in paths]
        for one in asked:
            questions.exists(one)
            questions.matches(one)
        found = looked_for(folder, questions, shell)
        for one in asked:
            assert found.exists(one) == places.exists(one)
            if re.search(r"\[.*[\\/]", one.removeprefix(ROOT), re.DOTALL):
                continue  # what a slash or backslash says between brackets, no two shells agree on
            if one.endswith("?") and any("é" in part for parts in paths for part in parts):
                continue  # dash and Busybox take a byte for a letter
            assert found.matches(one) == places.matches(one), one


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=30))
def test_a_text_comes_through_a_shell_as_it_is_with_the_folder_by_its_sign(
    shell: list[str], text: str
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "out.yml").write_text(f"{text}{folder}/x\n", "utf-8")
        questions = Questions()
        questions.text(f"{ROOT}/out.yml")
        assert looked_for(folder, questions, shell).text(f"{ROOT}/out.yml") == f"{text}{ROOT}/x\n"


@given(st.sets(st.integers(0, 40), min_size=1))
def test_questions_of_numbered_jobs_are_told_by_runs_of_numbers(numbers: set[int]) -> None:
    asked = [(f"workdir/a_{number}/{name}", f"workdir/a_{number}") for number in numbers for name in "xy"]
    words = answers.words(asked)
    told = set()
    for before, run, after in zip(words[::3], words[1::3], words[2::3], strict=True):
        first, last = map(int, run.split("-"))
        told |= {f"{before}{number}{after.removeprefix(':')}" for number in range(first, last + 1)}
    assert told == {question for question, _ in asked}
    assert len(words) <= 6 * len(numbers)
    assert answers.words(reversed(asked)) == words


def test_thousands_of_alike_questions_are_few_words() -> None:
    asked = [(f"workdir/a_{number}/*.txt", f"workdir/a_{number}") for number in range(5000)]
    assert answers.words(asked) == ["workdir/a_", "0-4999", ":/*.txt"]


def test_what_nobody_looked_for_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    for content in (Answers({"exists": {}}), answers.read(tmp_path / "a.json")):
        with pytest.raises(PlanError, match="nobody looked for 'workdir/a'"):
            content.exists(f"{ROOT}/workdir/a")
