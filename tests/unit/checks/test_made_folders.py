"""Folders that are there when a rule writes into them, and folders that only seem to be."""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.checks import checking, subject
from relance.checks.finding import Finding, Target

FOLDERS = {"RL303", "RL304"}


def rule(name: str, reads: str, makes: str, command: str, *more: str, kind: str = "rule") -> str:
    """Return a rule whose sections are given as they stand in a Snakefile."""
    lines = [f"{kind} {name}:"]
    lines += [f"    input: {reads}"] if reads else []
    lines += [f"    output: {makes}"] if makes else []
    lines += [*(f"    {line}" for line in more), '    container: "docker://some/image@sha256:0"']
    return "\n".join([*lines, f"    shell: {json.dumps(command)}"]) + "\n"


MAKER = rule("maker", '"data.txt"', '"results/made.txt"', "mkdir -p results; make > {output}")
WRITER = rule("writer", "{reads}", '"results/written.txt"', "write > {{output}}")


def found(folder: Path, snakefile: str, reana: str = "", program: str = "") -> list[Finding]:
    (folder / "Snakefile").write_text(snakefile)
    if reana:
        (folder / "reana.yaml").write_text(reana)
    if program:
        (folder / "make.sh").write_text(program)
    given = checking.check(subject.find(folder), Target.REANA, None).findings
    assert not [one for one in given if one.code in {"RL001", "RL101", "RL103"}]
    return [one for one in given if one.code in FOLDERS]


def writer(reads: str) -> str:
    return WRITER.format(reads=reads)


BETWEEN = rule("between", '"results/made.txt"', '"between.txt"', "cp {input} {output}")
SETUP = rule("setup", "", 'touch("ready.txt")', "mkdir -p results logs")


@pytest.mark.parametrize(
    "snakefile",
    [
        MAKER + writer('"results/made.txt"'),
        MAKER + BETWEEN + writer('"between.txt"'),
        writer('"between.txt"') + BETWEEN + MAKER,
        MAKER + BETWEEN + writer("rules.between.output"),
        MAKER + BETWEEN + writer("some=rules.between.output[0]"),
        MAKER + BETWEEN + writer("ancient(rules.between.output)"),
        MAKER + writer('config["signal"]'),
        MAKER + writer("lambda wildcards: choose(wildcards)"),
        MAKER + writer("unpack(choose)"),
        MAKER + BETWEEN + rule("last", "choose", '"l.txt"', "cp {input} {output}") + writer('"l.txt"'),
        MAKER.replace("rule maker", "checkpoint maker") + writer("lambda w: checkpoints.maker.get().output"),
        MAKER.replace("made.txt", "deep/made.txt").replace("-p results", "-p results/deep")
        + writer('"results/deep/made.txt"'),
        MAKER.replace('"results/made.txt"', 'directory("results")').replace("make >", "make")
        + writer('"results/inside.txt"'),
        MAKER.replace('"results/made.txt"', 'touch("results/made.txt")').replace("mkdir -p results; ", "")
        + BETWEEN
        + writer('"between.txt"'),
        MAKER.replace("mkdir -p results; make >", "bash make.sh") + BETWEEN + writer('"between.txt"'),
        SETUP + writer('"ready.txt"'),
        SETUP.replace('"mkdir -p results logs"', '"bash make.sh results"') + writer('"ready.txt"'),
        MAKER.replace("{output}", "{output} 2> {log}").replace(
            "    shell", '    log: "results/l.txt"\n    shell'
        ),
        MAKER.replace("mkdir -p results", "mkdir -p $(dirname {output})"),
        MAKER.replace("mkdir -p results", "mkdir -p $(dirname '{output}')"),
        MAKER.replace("mkdir -p results", "run() {{ true > {output}; }}; mkdir -p results; run"),
        MAKER.replace('"results/made.txt"', '"results/{w,[^/]+}.txt"'),
        MAKER.replace("mkdir -p results; make >", "install -D x"),
        MAKER.replace("mkdir -p results; make >", "curl --create-dirs -o"),
        MAKER.replace("mkdir -p results", "echo 'a # b'; mkdir -p results"),
        MAKER.replace("mkdir -p results", "echo mkdir; mkdir -p ./results/"),
        MAKER.replace("mkdir -p results", "[ -d results ] || mkdir results"),
        MAKER.replace("mkdir -p results", "mkdir -p {params.d}").replace(
            "    shell", '    params: d="results"\n    shell'
        ),
        MAKER.replace("mkdir -p results", "d={output}; mkdir -p ${{d%/*}}"),
        # Programs that want to make their folder themselves.
        rule(
            "run", "", '"a/run/x.txt"', "mkdir -p $(dirname {params.d}); go {params.d}", 'params: d="a/run"'
        ),
        rule("run", "", '"a/b/run/x.txt"', "mkdir -p logs; go --in x --out a/b/run"),
        MAKER
        + "use rule maker as other with:\n    output: 'results/other.txt'\n"
        + "use rule maker as third with:\n    input: 'x.txt'\n    output: 'results/third.txt'\n",
    ],
)
def test_a_folder_that_is_there_in_time(snakefile: str, tmp_path: Path) -> None:
    program = "mkdir -p results\nmake > $1\n"
    assert found(tmp_path, "choose = print\n" + snakefile, program=program) == []


@pytest.mark.parametrize(
    "snakefile",
    [
        MAKER + writer('"data.txt"'),
        writer('"data.txt"') + MAKER,
        MAKER + writer('"data.txt"') + "ruleorder: maker > writer\n",
        MAKER
        + writer('"between.txt"')
        + rule("between", '"data.txt"', '"between.txt"', "cp {input} {output}"),
        writer('"data.txt"') + MAKER.replace('"data.txt"', '"results/written.txt"'),
        writer('"data.txt"') + BETWEEN.replace("made", "written") + MAKER.replace("data.txt", "between.txt"),
        writer('config["signal"]') + MAKER.replace('"data.txt"', '"results/written.txt"'),
        writer("choose") + MAKER.replace('"data.txt"', "rules.writer.output"),
        MAKER.replace("results/made", "results/deep/made").replace("-p results", "-p results/deep")
        + writer('"data.txt"'),
        MAKER.replace('"results/made.txt"', 'directory("results/made")') + writer('"data.txt"'),
        MAKER.replace('"results/made.txt"', 'touch("results/made.txt")') + writer('"data.txt"'),
        MAKER.replace('"results/made.txt"', '"made.txt"') + writer('"data.txt"'),
        MAKER.partition("    shell")[0] + "    run:\n        pass\n" + writer('"data.txt"'),
    ],
)
def test_a_folder_that_another_rule_need_not_make_in_time(snakefile: str, tmp_path: Path) -> None:
    (one,) = found(tmp_path, "choose = print\n" + snakefile)
    assert (one.code, one.subject) == ("RL303", "rule writer")
    assert one.found == (
        "none that makes 'results', where the shell writes to; "
        "only rule maker makes it, which need not come before"
    )


def test_all_rules_that_make_a_folder_too_late_are_named(tmp_path: Path) -> None:
    more = MAKER.replace("maker", "also").replace("made", "also")
    last = MAKER.replace("maker", "third").replace("made", "third")
    (one,) = found(tmp_path, MAKER + more + last + writer('"data.txt"'))
    assert one.found.endswith("; only rules maker, also and third make it, which need not come before")


def test_a_program_that_is_to_make_a_folder_which_another_rule_may_not_have_made_is_told_of(
    tmp_path: Path,
) -> None:
    snakefile = MAKER + writer('"data.txt"').replace("write >", "cp x")
    (one,) = found(tmp_path, snakefile)
    assert one.code == "RL304"
    assert one.found == "none that makes 'results'; only rule maker makes it, which need not come before"


@pytest.mark.parametrize(
    ("snakefile", "folder"),
    [
        # Only the first of a chain is wrong: what reads its output finds the folder.
        (writer('"data.txt"') + rule("c", '"results/written.txt"', '"results/b"', "x > {output}"), "results"),
        # Two that may each be the first excuse neither.
        (writer("choose") + writer("choose").replace("writ", "oth"), "results"),
        (rule("writer", "", '"a/x"', "mkdir -p $(dirname {log}); x > {output} 2> {log}", 'log: "b/l"'), "a"),
        (rule("writer", "", '"a/x"', "mkdir -p $(dirname {output}); x 2> {log}", 'log: "b/l"'), "b"),
        (rule("writer", "", '"a/x.txt"', "x > {output}; mkdir -p a"), "a"),
        (rule("writer", "", '"a/x.txt", "b/y.txt"', "mkdir -p $(dirname {output[0]}); x > {output[1]}"), "b"),
        (rule("writer", "", '"a/{s}/x.txt"', "mkdir -p a; x > {output}"), "a/{s}"),
        (rule("writer", "", '"a/x.txt"', "# mkdir -p a\nx > {output}"), "a"),
        (rule("writer", "", '"a/x.txt"', "echo mkdir -p a > {output}"), "a"),
        (rule("writer", "", '"a/x.txt"', "mkdir -p {params.d}; x > {output}", 'params: d="b"'), "a"),
        (rule("writer", "", '"a/x.txt"', "x > a/x.txt"), "a"),
        (rule("writer", "", '"a/x.txt"', "mkdir -p logs; cp x {output}"), "a"),
        (rule("writer", "", '"x.txt"', "x {output} >& {log}", 'log: "a/x.log"'), "a"),
        (rule("writer", '"a/{s}.txt"', '"a/{s}/x.txt"', "x > {output}"), "a/{s}"),
        (
            rule("one", "", '"a/plots/x.txt"', "mkdir -p a/plots; x > {output}")
            + rule("writer", '"a/plots/x.txt"', '"a/{s}/x.txt"', "x > {output}"),
            "a/{s}",
        ),
        (
            MAKER.replace("results", "a/{s}").replace("mkdir -p a/{s}", "mkdir -p a/{wildcards.s}")
            + rule("writer", '"data.txt"', '"a/{s}/x.txt"', "x > {output}"),
            "a/{s}",
        ),
        (
            MAKER
            + rule("writer", '"results/made.txt"', '"other/x.txt"', "x > {output}")
            + "use rule writer as again with:\n    output: 'other/y.txt'\n",
            "other",
        ),
    ],
)  # fmt: skip
def test_a_folder_that_is_not_there(snakefile: str, folder: str, tmp_path: Path) -> None:
    one, *_ = found(tmp_path, "choose = print\n" + snakefile)
    assert one.subject == "rule writer"
    assert f"none that makes '{folder}'" in one.found


@pytest.mark.parametrize(
    ("made", "all_of_it", "written"),
    [
        ("results/{sample}/made.txt", "results/{sample}/made.txt", "results/{sample}/written.txt"),
        ("results/{s}/made.txt", "results/{u}/made.txt", "results/{t}/written.txt"),
        ("results/{a}/{b}.txt", "results/{a}/{b}.txt", "results/{a}/{c}.root"),
        ("results/{s,[a-z]/?}/made.txt", "results/{s}/made.txt", "results/{s}/written.txt"),
    ],
)
@pytest.mark.parametrize("ordered", [True, False])
def test_wildcards_on_both_sides(
    made: str, all_of_it: str, written: str, ordered: bool, tmp_path: Path
) -> None:
    snakefile = "".join(
        (
            rule("maker", '"data.txt"', f'"{made}"', "mkdir -p $(dirname {output}); make > {output}"),
            rule("gather", f'expand("{all_of_it}", s=names)', '"all.txt"', "cat {input} > {output}"),
            rule("writer", '"all.txt"' if ordered else '"data.txt"', f'"{written}"', "write > {output}"),
        )
    )
    assert len(found(tmp_path, snakefile)) == int(not ordered)


@pytest.mark.parametrize(
    ("python", "there"),
    [
        ("os.makedirs('results', exist_ok=True)", True),
        ("OUT = 'results'\nos.makedirs(f'{OUT}/deep')", True),
        ("for folder in folders:\n    Path(folder).mkdir()", True),
        ("if not os.path.isdir('results'):\n    os.mkdir('results')", True),
        ("os.makedirs('logs')", False),
        ("def later():\n    os.makedirs('results')", False),
        ("rule other:\n    output: 'o'\n    run: os.makedirs('results')", False),
    ],
)
def test_what_the_python_of_a_snakefile_makes_is_there(python: str, there: bool, tmp_path: Path) -> None:
    assert (found(tmp_path, f"{python}\n" + writer('"x.txt"')) == []) is there


SENDING = "inputs: {files: [results/data.txt]}\nworkflow: {type: snakemake, file: Snakefile}\n"


def test_what_is_sent_makes_its_folders(tmp_path: Path) -> None:
    assert found(tmp_path, writer('"x.txt"'), SENDING) == []


def test_what_a_workflow_reads_is_sent_even_if_nothing_says_how(tmp_path: Path) -> None:
    (tmp_path / "results/deep").mkdir(parents=True)
    (tmp_path / "results/deep/data.txt").touch()
    reader = rule("reader", '"results/deep/{x}.txt"', '"{x}.out"', "cat {input} > {output}")
    assert found(tmp_path, reader + writer('"x.txt"')) == []
    maker = MAKER.replace("made", "deep/data").replace("-p results", "-p results/deep")
    (made,) = found(tmp_path, maker + reader + writer('"x.txt"'))
    assert made.subject == "rule writer", "what an earlier run left here isn't sent"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_folder_counts_as_made_exactly_where_its_maker_is_reached(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 6))
    edges = data.draw(st.sets(st.sampled_from(list(itertools.combinations(range(count), 2)))))
    maker, last = data.draw(st.permutations(range(count)))[:2]
    unsure = data.draw(st.sampled_from([None, *range(count)]))
    reached = {(one, one) for one in range(count)} | edges
    for middle, one, other in itertools.product(range(count), repeat=3):
        if (one, middle) in reached and (middle, other) in reached:
            reached.add((one, other))
    in_time = (maker, last) in reached
    if unsure is not None:  # it may read anything that isn't made of what it makes
        in_time |= (unsure, last) in reached and (last, maker) not in reached
    ways = ['"step{}/x.txt"', "rules.step{}.output"]
    ways += ['expand("step{}/{{x}}.txt", x=names)', "[OWN + '{}/x.txt']"]
    texts = []
    for number in range(count):
        sources = [one for one, other in sorted(edges) if other == number]
        reads = [data.draw(st.sampled_from(ways)).format(one) for one in sources]
        reads += ['config["more"]'] if number == unsure else []
        outputs = [f'"step{number}/x.txt"', *(['"shared/made.txt"'] if number == maker else [])]
        outputs += ['"shared/written.txt"'] if number == last else []
        command = f"mkdir -p step{number}" + (" shared" if number == maker else "")
        command += "; make > {output[1]}" if number == last else "; make {output}"
        texts.append(rule(f"step{number}", ", ".join(reads), ", ".join(outputs), command))
    order = data.draw(st.permutations(texts))
    with tempfile.TemporaryDirectory() as folder:
        told = found(Path(folder), "OWN = 'step'\n" + "".join(order))
    assert [one.subject for one in told] == ([] if in_time else [f"rule step{last}"])
