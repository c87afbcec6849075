"""Which images are told of, and where, when the graph of jobs is known."""

from __future__ import annotations

from pathlib import Path

from relance.checks import checking, subject
from relance.checks.jobs import Job, Jobs

COMMON = "docker://some/common"
SNAKEFILE = f"""\
container: "{COMMON}"
rule one:
    output: "1.txt"
    shell: "x"
rule two:
    output: "2.txt"
    shell: "x"
rule other:
    output: "3.txt"
    container: "docker://some/other"
    shell: "x"
"""


def told(folder: Path, *images: tuple[str, str]) -> dict[str, int | None]:
    (folder / "Snakefile").write_text(SNAKEFILE)
    jobs = Jobs(tuple(Job(rule, (), (f"{rule}.txt",), image=image) for rule, image in images))
    found = checking.check(subject.find(folder), None, lambda _file, _parameters: jobs).findings
    return {one.subject: one.place.line for one in found if one.code == "RL201"}


def test_the_image_of_all_rules_is_told_of_once_and_where_it_is_named(tmp_path: Path) -> None:
    given = [("one", COMMON), ("two", COMMON), ("other", "docker://some/other")]
    assert told(tmp_path, *given) == {"the image of all rules": 1, "the image of rule other": 10}


def test_an_image_of_all_rules_that_none_runs_in_is_not(tmp_path: Path) -> None:
    assert told(tmp_path, ("other", "docker://some/other")) == {"the image of rule other": 10}
