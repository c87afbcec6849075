"""What rules and commands read: inputs that nobody makes, and products that nobody declares."""

from __future__ import annotations

from pathlib import Path

import pytest

from relance.checks import checking, subject
from relance.checks.finding import Finding
from relance.checks.jobs import Job, Jobs


def found(folder: Path, snakefile: str, code: str, jobs: Jobs | None = None) -> list[Finding]:
    (folder / "Snakefile").write_text(snakefile)
    ask = None if jobs is None else lambda _file, _parameters: jobs
    given = checking.check(subject.find(folder), None, ask).findings
    assert "RL001" not in {one.code for one in given}
    return [one for one in given if one.code == code]


def rule(name: str, reads: str, makes: str, *more: str) -> str:
    lines = [
        f"rule {name}:",
        f"    input: {reads}",
        f"    output: {makes}",
        *(f"    {line}" for line in more),
    ]
    return "\n".join([*lines, '    shell: "x"']) + "\n"


@pytest.mark.parametrize(
    "makers",
    [
        rule("maker", "[]", '"a/b.txt"'),
        rule("maker", "[]", '"a/{x}.txt"'),
        rule("maker", "[]", '"a/{x,[a-z]{1,2}}.txt"'),
        rule("maker", "[]", '"{all}"'),
        rule("maker", "[]", 'directory("a")'),
        rule("maker", "[]", '"other.txt"', 'log: "a/b.txt"'),
        rule("maker", "[]", 'config["output"]'),
        rule("maker", "[]", 'expand("a/{x}.txt", x=names)'),
        rule("base", "[]", '"c.txt"') + 'use rule base as maker with:\n    output: "a/b.txt"\n',
    ],
)
def test_an_input_that_a_rule_makes_in_some_way(makers: str, tmp_path: Path) -> None:
    assert found(tmp_path, makers + rule("reader", '"a/b.txt"', '"c/r.txt"'), "RL501") == []


@pytest.mark.parametrize(
    ("reads", "makes"),
    [('"a/b.txt"', '"a/c.txt"'), ('"a/b.txt"', '"a/b.txt"'), ('"a/b.txt"', '"{itself}.txt"')],
)
def test_an_input_that_only_the_rule_itself_or_nobody_makes(reads: str, makes: str, tmp_path: Path) -> None:
    (one,) = found(tmp_path, rule("reader", reads, makes), "RL501")
    assert one.subject == "rule reader, input 'a/b.txt'"


def test_what_is_there_for_all_machines_needs_not_be_on_this_one(tmp_path: Path) -> None:
    assert found(tmp_path, rule("reader", '"/cvmfs/nowhere.org/x"', '"a.txt"'), "RL501") == []


RULES = "".join(rule(name, "[]", f'"{name}.made"') for name in ("maker", "reader", "other"))
MAKER = Job("maker", (), ("r/made.txt", "whole"), logs=("logs/made.log",), command="x")
OTHER = Job("other", ("r/made.txt",), ("r/other.txt",), command="x")


def told(folder: Path, command: str, *inputs: str) -> list[Finding]:
    reader = Job("reader", inputs, ("r/read.txt",), logs=("logs/read.log",), command=command)
    return found(folder, RULES, "RL502", Jobs((MAKER, OTHER, reader)))


@pytest.mark.parametrize(
    ("command", "inputs", "path"),
    [
        ("cat r/made.txt", (), "r/made.txt"),
        ("cat ./r//made.txt", (), "r/made.txt"),
        ("x --in=r/made.txt,y", (), "r/made.txt"),
        ("cd r && cat made.txt", (), "r/made.txt"),
        ("cat r/m*.txt", (), "r/made.txt"),
        ("cat */made.txt", (), "r/made.txt"),
        ("cat r/*.txt", ("r/made.txt",), "r/other.txt"),
        ("cat whole/of/it.txt", (), "whole"),
        ("cat whole/*", (), "whole"),
    ],
)
def test_a_product_that_is_used_and_not_declared(
    command: str, inputs: tuple[str, ...], path: str, tmp_path: Path
) -> None:
    (one,) = told(tmp_path, command, *inputs)
    assert one.expected == f"{path!r} among its inputs"
    assert one.subject == "rule reader"


@pytest.mark.parametrize(
    ("command", "inputs"),
    [
        ("cat r/made.txt", ("r/made.txt",)),
        ("cat r/made.txt", ("r",)),
        ("cat r/*.txt", ("r/made.txt", "r/other.txt")),
        ("cd r && cat made.txt", ("r/made.txt",)),
        ("cat whole/of/it.txt", ("whole",)),
        ("cat data/r/made.txt made.txt", ()),
        ("rm -f *.txt; find w -name '*.txt'", ()),
        ("mkdir -p r logs; x > r/read.txt 2> logs/read.log", ()),
        ("cd r && cat read.txt", ()),
        ("tail -n 5 logs/made.log", ()),
    ],
)
def test_what_a_command_may_name_without_declaring_it(
    command: str, inputs: tuple[str, ...], tmp_path: Path
) -> None:
    assert told(tmp_path, command, *inputs) == []


def test_whether_the_maker_comes_before_all_the_same_is_told(tmp_path: Path) -> None:
    (one,) = told(tmp_path, "cat r/made.txt")
    assert one.found.endswith("rule maker makes it, before or after")
    (one,) = told(tmp_path, "cat r/other.txt r/made.txt", "r/other.txt")
    assert one.found.endswith("rule maker makes it, before it, for another reason")
