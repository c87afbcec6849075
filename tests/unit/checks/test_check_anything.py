"""Whatever stands in a specification, there is a report: findings, and never an error of ours."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.checks import checking, report, subject
from relance.checks.finding import Severity, Target
from relance.errors import InputError

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats(allow_nan=False)
    | st.text("ab/.{}$*|'é", max_size=6)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def mapping(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A mapping that may lack a key, or have something else under it."""
    return st.fixed_dictionaries({}, optional={key: value | VALUES for key, value in values.items()})


PATHS = st.lists(
    st.sampled_from(["a", "./a", "a/b", "..", "/x", "", ".snakemake", "Snakefile"]) | VALUES, max_size=3
)
STEP = mapping(
    name=st.just("s"),
    environment=st.just("i"),
    commands=st.lists(st.text("a |${}b'\"\n", max_size=9), max_size=3),
)
REANA = mapping(
    inputs=mapping(
        files=PATHS, directories=PATHS, parameters=mapping(input=st.just("a")), options=mapping(FROM=LEAVES)
    ),
    workflow=mapping(
        type=st.sampled_from(["serial", "yadage", "snakemake", "cwl"]),
        file=st.sampled_from(["Snakefile", "workflow.yml", "../x"]),
        specification=mapping(steps=st.lists(STEP | VALUES, max_size=3)),
    ),
    outputs=mapping(files=PATHS, directories=PATHS),
    tests=mapping(files=PATHS),
)
QUERIES = st.sampled_from(["init", "one", "two", "*", "one[*].two", "two_0", "$"])
SELECTORS = mapping(step=QUERIES, stages=QUERIES, output=st.sampled_from(["a", "b[0]", "*"]))
STAGE = mapping(
    name=st.sampled_from(["one", "two"]),
    dependencies=st.lists(QUERIES, max_size=2),
    scheduler=mapping(
        scheduler_type=st.sampled_from(["singlestep-stage", "multistep-stage"]),
        parameters=st.dictionaries(st.sampled_from("abc"), SELECTORS | VALUES, max_size=3),
        scatter=mapping(
            method=st.sampled_from(["zip", "cartesian"]), parameters=st.lists(st.sampled_from("abc"))
        ),
        step=mapping(
            process=st.fixed_dictionaries(
                {"process_type": st.just("string-interpolated-cmd"), "cmd": st.text("a{b} |", max_size=9)}
            ),
            environment=st.just({"environment_type": "localproc-env"}),
            publisher=st.fixed_dictionaries(
                {
                    "publisher_type": st.just("interpolated-pub"),
                    "publish": mapping(a=st.text("a{}", max_size=4)),
                }
            ),
        ),
    ),
)
YADAGE = mapping(stages=st.lists(STAGE, max_size=3))
SNAKEFILE = st.lists(
    st.sampled_from(
        [
            "rule a:",
            "rule:",
            "    input: 'a', x=f'{b}/c'",
            "    output: expand('{a}/b', a=[1]), directory('d/e')",
            "    shell: 'cat {input} | tee {output}'",
            "    run:",
            "        pass",
            "    container: c()",
            "include: '../x'",
            "include: y",
            "configfile: 'a'",
            "b = 'x'",
            "    params: lambda w: 1",
            "use rule a as b with:",
            "module m:",
            "    snakefile: 'x'",
            "if b:",
            "'''",
            "\tshadow: 1",
            "localrules: a",
        ]
    ),
    max_size=8,
).map("\n".join)


def checked(files: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        try:
            found = subject.find(Path(folder))
        except InputError:
            return
        made = checking.check(found, Target.REANA, None, lambda _image: "500")
        assert all(one.place.file and one.subject and one.next_step for one in made.findings)
        report.as_text(made, Severity.NOTE, str)


@settings(max_examples=60, deadline=None)  # the first loads Snakemake
@given(REANA, YADAGE, SNAKEFILE)
def test_any_reana_file_has_a_report(reana: Any, workflow: Any, snakefile: str) -> None:
    checked(
        {
            "reana.yaml": yaml.safe_dump(reana),
            "workflow.yml": yaml.safe_dump(workflow),
            "Snakefile": snakefile,
        }
    )


@settings(max_examples=60, deadline=None)
@given(YADAGE)
def test_any_yadage_workflow_has_a_report(workflow: Any) -> None:
    checked({"workflow.yml": yaml.safe_dump(workflow)})


@settings(max_examples=60, deadline=None)
@given(SNAKEFILE)
def test_any_snakefile_has_a_report(snakefile: str) -> None:
    checked({"Snakefile": snakefile})


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["reana.yaml", "workflow.yml", "recast.yml", "Snakefile"]), st.text(max_size=60))
def test_any_text_has_a_report(name: str, text: str) -> None:
    checked({name: text})
