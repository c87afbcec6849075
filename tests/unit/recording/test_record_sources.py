"""What runs leave behind is read as it stands, and what is broken is passed over."""

import base64
import json
from pathlib import Path

import pytest

from relance.recording import sources


def test_a_long_name_is_put_together_from_its_folders(tmp_path: Path) -> None:
    output = "results/" + "x" * 300 + ".txt"
    name = base64.urlsafe_b64encode(output.encode()).decode()
    folder = tmp_path / ".snakemake" / "metadata" / f"@{name[:200]}"
    folder.mkdir(parents=True)
    (folder / name[200:]).write_text(json.dumps({"rule": "long"}))
    assert sources.metadata(tmp_path).outputs == {output: {"rule": "long"}}


def test_metadata_that_is_no_json_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / ".snakemake" / "metadata"
    folder.mkdir(parents=True)
    (folder / "YQ==").write_text("{")
    (folder / "!").write_text("{}")
    (folder / "Yg==").write_text("[]")
    assert sources.metadata(tmp_path).outputs == {}


def test_outputs_of_one_job_go_together_and_those_without_times_stay_apart() -> None:
    one = {"rule": "a", "starttime": 1.5, "params": ["1"]}
    assert sources.same_job("x", one) == sources.same_job("y", dict(one))
    assert sources.same_job("x", one) != sources.same_job("y", {**one, "starttime": 2.5})
    hashed = {**one, "job_hash": 7}
    assert sources.same_job("x", hashed) == sources.same_job("y", {**hashed, "starttime": 1.5001})
    assert sources.same_job("x", hashed) != sources.same_job("y", {**hashed, "job_hash": 8})
    assert sources.same_job("x", {"rule": "a"}) != sources.same_job("y", {"rule": "a"})


def test_a_run_without_events_is_none(tmp_path: Path) -> None:
    assert sources.events(tmp_path / "none") is None
    (tmp_path / "empty").touch()
    assert sources.events(tmp_path / "empty") is None


@pytest.mark.parametrize(
    ("log", "exit"),
    [("returned non-zero exit status 5.\nreturned non-zero exit status 3.\n", 3), ("", None), (None, None)],
)
def test_a_batch_systems_log_tells_how_a_job_ended(tmp_path: Path, log: str | None, exit: int | None) -> None:
    if log is not None:
        (tmp_path / "7.log").write_text(log)
    failure = {"jobid": 1, "log": ["fit.log", str(tmp_path / "7.log")], "aux": {"external_jobid": "7"}}
    lines = ({"event": "job_info", "time": 1.0, "jobid": 1}, {"event": "job_error", "time": 2.0, **failure})
    (tmp_path / "events").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    found = sources.events(tmp_path / "events")
    assert found is not None
    assert [(job.failed, job.exit) for job in found.jobs] == [(True, exit)]


def test_a_snakefile_that_fails_gives_no_graph_but_its_words(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text("raise ValueError('out of order')\n")
    graph, problem = sources.graph((), tmp_path, {})
    assert graph is None
    assert "out of order" in problem


def test_the_graph_of_a_run_keeps_its_targets_and_drops_what_runs(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(
        "rule a:\n output: 'a'\n shell: 'touch {output}'\nrule b:\n output: 'b'\n shell: 'touch {output}'\n"
    )
    graph, problem = sources.graph(("b", "--logger", "relance", "-c2", "--forceall"), tmp_path, {})
    assert graph is not None, problem
    assert [job["output"] for job in graph.jobs] == [["b"]]
    assert not (tmp_path / "b").exists()
