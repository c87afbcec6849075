"""The key of a job: nothing that determines its result is left out, and nothing else counts."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relance import digest
from relance.errors import InputError
from relance.model import CodeRecord, Digest, ImageRecord, JobRecord, Parameter
from relance.steps import key
from relance.steps.key import KeyContext, Unkeyed

A, B = (Digest(f"sha256:{letter * 64}") for letter in "ab")

JOB = JobRecord(
    rule="reduce",
    wildcards={"sample": "ttbar"},
    status="ok",
    exit=0,
    attempts=1,
    command="python scripts/reduce.py data/in.txt results/out.txt",
    parameters=(Parameter("options", {"mass": 2000, "shape": [1, 2.5]}, exact=True),),
    code=CodeRecord("shell", files=("scripts/reduce.py",)),
    image=ImageRecord("docker://toy", config=A, resolved="written"),
    inputs=("data/in.txt", "data/more.txt"),
    outputs=("results/out.txt", "results/plots"),
    logs=("results/reduce.log",),
    directories=("results/plots",),
    threads=2,
)
FILES = {"data/in.txt": A, "data/more.txt": B, "scripts/reduce.py": A}
CONTEXT = KeyContext("/home/someone/analysis", variables={"LANG": "C"}, snakemake="9.27.1", configuration={})


def of(job: JobRecord = JOB, files: Any = FILES, context: KeyContext = CONTEXT, made: Any = None) -> Any:
    return key.of_job(job, files, context, made)


def parameter(value: object) -> JobRecord:
    return replace(JOB, parameters=(Parameter("options", value, exact=True),))


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, command="python scripts/reduce.py data/in.txt results/out.txt --fast"),
        parameter({"mass": 2500, "shape": [1, 2.5]}),
        parameter({"mass": True, "shape": [1, 2.5]}),
        parameter({"mass": "2000", "shape": [1, 2.5]}),
        replace(JOB, parameters=(Parameter("option", {"mass": 2000, "shape": [1, 2.5]}, exact=True),)),
        replace(JOB, parameters=()),
        replace(JOB, code=CodeRecord("shell", files=())),
        replace(JOB, code=CodeRecord("script", "scripts/reduce.py", A, ("scripts/reduce.py",))),
        replace(JOB, image=ImageRecord("docker://toy", config=B, resolved="written")),
        replace(JOB, image=ImageRecord("docker://toy", runtime=A, resolved="run")),
        replace(JOB, inputs=("data/in.txt",)),
        replace(JOB, inputs=("data/more.txt", "data/in.txt")),
        replace(JOB, outputs=("results/other.txt", "results/plots")),
        replace(JOB, directories=()),
        replace(JOB, logs=()),
        replace(JOB, threads=1),
    ],
)
def test_whatever_changes_of_a_job_changes_its_key(job: JobRecord) -> None:
    assert of(job) is not None
    assert of(job) != of()


@pytest.mark.parametrize("path", FILES)
def test_the_content_of_each_input_and_source_file_counts(path: str) -> None:
    other = B if FILES[path] == A else A
    assert of(files={**FILES, path: other}) not in {of(), None}


@pytest.mark.parametrize(
    "context",
    [
        replace(CONTEXT, variables={"LANG": "fr"}),
        replace(CONTEXT, variables={"LANG": "C", "TZ": "UTC"}),
        replace(CONTEXT, around="set -e; "),
        replace(CONTEXT, images={"docker://toy": "environment x"}),
    ],
)
def test_what_a_run_gives_to_all_its_jobs_counts(context: KeyContext) -> None:
    assert of(context=context) not in {of(), None}


def test_a_renamed_rule_in_another_folder_is_the_same_job() -> None:
    command = "python /x/{}/scripts/reduce.py /x/{}/data/in.txt"
    keys = {
        of(
            replace(JOB, rule=rule, wildcards={}, temporary=JOB.outputs, command=command.format(name, name)),
            context=replace(CONTEXT, folder=f"/x/{name}"),
        )
        for rule, name in (("reduce", "one"), ("skim", "two"))
    }
    assert len(keys) == 1
    assert None not in keys


def test_a_folder_whose_name_begins_alike_is_another() -> None:
    assert key.context_free("cat /home/someone/analysis2/x", CONTEXT) == "cat /home/someone/analysis2/x"
    assert key.context_free("cat /home/someone/analysis/x", CONTEXT) == "cat {analysis}/x"
    assert key.context_free("--in=/home/someone/analysis", CONTEXT) == "--in={analysis}"


def test_the_runs_own_folder_is_neutral_but_the_values_in_it_count() -> None:
    job = replace(JOB, command="fit --settings /home/someone/analysis/.snakemake/run-x1/settings.json")
    found = {
        of(
            replace(job, command=str(job.command).replace("run-x1", run)),
            context=replace(CONTEXT, run=f"/home/someone/analysis/.snakemake/{run}", settings=settings),
        )
        for run, settings in (("run-x1", A), ("run-y2", A), ("run-y2", B))
    }
    assert len(found) == 2
    assert of(job, context=replace(CONTEXT, run="/home/someone/analysis/.snakemake/run-x1")) is None


@pytest.mark.parametrize(
    ("job", "why"),
    [
        (replace(JOB, command="unknown"), "command"),
        (replace(JOB, command=None), "command"),
        (replace(JOB, parameters="unknown"), "parameter"),
        (replace(JOB, parameters=(Parameter("f", "<function>", exact=False),)), "parameter"),
        (replace(JOB, code=CodeRecord("shell")), "source files"),
        (replace(JOB, code=CodeRecord("shell", files=("gone.py",))), "gone.py"),
        (replace(JOB, code=CodeRecord("run", files=())), "'run'"),
        (replace(JOB, image=None), "no container"),
        (replace(JOB, image="unknown"), "any container"),
        (replace(JOB, image=ImageRecord("docker://toy")), "docker://toy"),
        (replace(JOB, image=ImageRecord("docker://toy", config=A, resolved="afterwards")), "for sure"),
        (replace(JOB, inputs=("nowhere.txt",)), "nowhere.txt"),
        (replace(JOB, outputs=("/abs/out.txt",)), "outside"),
        (replace(JOB, outputs=("../out.txt",)), "outside"),
        (replace(JOB, threads="unknown"), "threads"),
        (replace(JOB, directories="unknown"), "folders"),
    ],
)
def test_what_is_unknown_of_a_job_makes_it_one_that_is_never_reused(job: JobRecord, why: str) -> None:
    assert of(job) is None
    found = key.ingredients(job, FILES, CONTEXT)
    assert isinstance(found, Unkeyed)
    assert why in found.why


def test_jobs_whose_environment_is_the_machines_are_never_reused() -> None:
    assert of(context=replace(CONTEXT, variables="unknown")) is None


def test_jobs_that_are_given_secrets_are_never_reused() -> None:
    assert of(replace(JOB, command="fetch --token=‹redacted›")) is None
    assert of(parameter({"token": "‹redacted›"})) is None


def test_jobs_that_need_the_world_are_never_reused() -> None:
    assert of(context=replace(CONTEXT, outside={"reduce": "network (a database)"})) is None
    assert of(context=replace(CONTEXT, outside={"*": "cvmfs"})) is None
    assert of(context=replace(CONTEXT, outside={"fit": "network"})) == of()


def test_a_script_counts_with_the_configuration_that_snakemake_hands_to_it() -> None:
    script = replace(
        JOB, command=None, code=CodeRecord("script", "scripts/reduce.py", A, ("scripts/reduce.py",))
    )
    keys = [
        of(script),
        of(replace(script, code=replace(script.code, digest=B))),
        of(replace(script, wildcards={"sample": "zjets"})),
        of(script, context=replace(CONTEXT, configuration={"mass": 1})),
        of(script, context=replace(CONTEXT, configuration={"mass": 1.0})),
        of(script, context=replace(CONTEXT, snakemake="9.28.0")),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert of(context=replace(CONTEXT, configuration={"mass": 1})) == of()


def test_an_input_that_nobody_kept_counts_by_the_key_of_the_job_that_made_it() -> None:
    files = {path: found for path, found in FILES.items() if path != "data/in.txt"}
    keys = {of(files=files, made={"data/in.txt": one}) for one in (A, B)}
    assert len(keys | {of()}) == 3
    assert None not in keys


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reordered(item) for name, item in reversed(value.items())}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def _as_written(value: Any) -> Any:
    """Return a value as a capsule's documents tell it from others: they know one kind of number."""
    try:
        return digest.canonical_json(value)
    except InputError:  # an infinity is in it, which no document has, but a job may be given
        return value if isinstance(value, str | float) else _by_parts(value)


def _by_parts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_written(item) for name, item in value.items()}
    return [_as_written(item) for item in value]


def test_a_whole_number_is_the_same_for_a_shell_whatever_python_calls_it_but_not_for_a_script() -> None:
    one, other = (
        replace(JOB, parameters=(Parameter("mass", value, exact=True),)) for value in (2000, 2000.0)
    )
    assert of(one) == of(other)
    script = CodeRecord("script", "scripts/reduce.py", A, ("scripts/reduce.py",))
    assert of(replace(one, command=None, code=script)) != of(replace(other, command=None, code=script))


@given(values, values)
@example({"float": "abc"}, {"float": 2.0})
@example({"mapping": {}}, {"mapping": {"float": "2.0"}})
@example(math.inf, [math.inf])
@example([math.inf, 2.0], [math.inf, 2])
def test_keys_are_equal_exactly_if_the_parameters_are(one: Any, other: Any) -> None:
    equal = _as_written(one) == _as_written(other)
    first, second = of(parameter(one)), of(parameter(other))
    if first is not None and second is not None:
        assert (first == second) == equal
    assert of(parameter(reordered(one))) == first
