"""`relance run --engine yadage`: a workflow in yadage itself, its record, and the truth of how it ended."""

import json
import subprocess
from pathlib import Path

import pytest

from relance.cli import run_command_line
from relance.recording import files

MACHINE = Path(__file__).parents[1] / "machine"
STAGE = """- name: {name}
  dependencies: [{after}]
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {{text: {{step: {source}}}, out: '{{workdir}}/out.txt'}}
    step:
      process: {{process_type: string-interpolated-cmd, cmd: '{command}'}}
      environment: {{environment_type: localproc-env}}
      publisher: {{publisher_type: frompar-pub, outputmap: {{file: out}}}}
"""


@pytest.fixture(autouse=True)
def own_yadage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = subprocess.check_output([MACHINE / "yadage.sh"], text=True).strip()
    monkeypatch.setenv("RELANCE_YADAGE", str(Path(python).parents[1]))
    monkeypatch.chdir(tmp_path)


def write(*stages: str) -> None:
    Path("w.yml").write_text("stages:\n" + "".join(stages))


def first(command: str = "cat {text} > {out}") -> str:
    return STAGE.format(name="first", after="init", source="init, output: word", command=command)


def second(after: str = "first") -> str:
    return STAGE.format(
        name="second", after=after, source="first, output: file", command="cat {text} {text} > {out}"
    )


def run(*more: str) -> int:
    return run_command_line(["run", "--engine", "yadage", "w.yml", "out", "-p", "word=word.txt", *more])


def test_a_workflow_runs_in_yadage_and_its_jobs_are_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    write(first(), second())
    Path("given").mkdir()
    Path("given/word.txt").write_text("hi\n")
    assert run("--initdir", "given") == 0
    assert Path("out/second/out.txt").read_text() == "hi\nhi\n"
    assert "2 jobs of 2 stages are done, in out" in capsys.readouterr().out
    (folder,) = files.runs(Path("out").resolve())
    record = files.read(folder.folder / files.NAME)
    assert record["run"]["status"] == "ok"
    assert record["run"]["targets"] == ["second/out.txt"]
    assert [(job["rule"], job["inputs"], job["outputs"]) for job in record["jobs"]] == [
        ("first", ["init/word.txt"], ["first/out.txt"]),
        ("second", ["first/out.txt"], ["second/out.txt"]),
    ]
    assert {file["path"]: file["size"] for file in record["files"]} == {
        "init/word.txt": 3,
        "first/out.txt": 3,
        "second/out.txt": 6,
    }


def test_a_stage_that_never_ran_is_a_failure_with_what_it_waits_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(first("echo {text} > {out}"), second(after="frist"))
    assert run() == 1
    error = capsys.readouterr().err
    assert "stage 'second' made no job" in error
    assert "still waiting for frist" in error
    assert "yadage itself ended with success" in error
    assert Path("out/first/out.txt").read_text() == "word.txt\n"


def test_a_job_that_fails_is_told_with_what_it_failed_with(capsys: pytest.CaptureFixture[str]) -> None:
    write(first("exit 3"), second())
    assert run("--json") == 1
    out, error = capsys.readouterr()
    assert "job 'first' failed" in error
    assert "returned non-zero exit status 3" in error
    assert [job["status"] for job in json.loads(out)] == ["failed", "not run"]


def test_a_stage_with_nothing_to_scatter_is_a_failure_and_yadages_success_is_not_believed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scattered = (
        first()
        .replace("singlestep", "multistep")
        .replace("    step:\n", "    scatter: {method: zip, parameters: [text]}\n    step:\n")
    )
    write(scattered)
    assert run("-p", "word=[]") == 1
    error = capsys.readouterr().err
    assert "stage 'first' made no job" in error
    assert "yadage itself ended with success" in error


def test_an_example_of_a_recast_yml_runs_with_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    write(first())
    for name in ("default", "other"):
        Path(name).mkdir()
        Path(name, "word.txt").write_text(f"{name}\n")
    Path("recast.yml").write_text(
        "name: a/b\nspec: {workflow: w.yml, toplevel: .}\nexample_inputs:\n"
        + "".join(
            f"  {name}: {{initdata: {{word: word.txt}}, dataopts: {{initdir: {name}}}}}\n"
            for name in ("default", "other")
        )
    )
    asked = ["run", "--engine", "yadage", "recast.yml"]
    assert run_command_line([*asked, "one", "--example", "other"]) == 0
    assert Path("one/first/out.txt").read_text() == "other\n"
    assert run_command_line([*asked, "two", "--example", "nobody"]) == 2
    assert "'a/b' has no example 'nobody'" in capsys.readouterr().err
    Path("reana.yaml").write_text("workflow: {type: yadage, file: w.yml}\n")
    assert run_command_line(["run", "--engine", "yadage", "reana.yaml", "two"]) == 2
    assert "name w.yml and its parameters instead" in capsys.readouterr().err
    assert not Path("two").exists()


def test_what_is_wrong_before_the_run_leaves_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(first())
    Path("elsewhere").mkdir()
    assert run("--toplevel", "elsewhere") == 2
    monkeypatch.setenv("RELANCE_YADAGE", "/nowhere")
    assert run() == 3
    assert "/nowhere can't be used" in capsys.readouterr().err
    monkeypatch.delenv("RELANCE_YADAGE")
    assert run() == 3
    assert "pip install yadage==0.21.2" in capsys.readouterr().err
    assert not Path("out").exists()
