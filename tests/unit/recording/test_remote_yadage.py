"""What yadage notes of its jobs in a workspace, which any job could have written, as jobs of a record."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.engines.reana.model import JobLog, Login, Logs, Protocol, Server, State, Status, Workflow
from relance.recording import remote_yadage
from relance.recording.remote import Told

RUN = "5d0bf5ab-0d2c-4d1a-8a4e-0f1d51c1e0aa"
ROOT = f"/var/reana/users/7/workflows/{RUN}"
LISTED = {
    "data/one.txt",
    "fit/limit.json",
    "fit/_packtivity/fit.run.log",
    "fits/other.txt",
    "reduce_0/events.txt",
}


def told(*jobs: JobLog) -> Told:
    server = Server("https://reana.example.org", Protocol.BUNDLE, Login.BEARER, "0.95", "")
    return Told(server, State(Workflow(RUN, "search.1"), Status.FINISHED), Logs("", jobs))


def node(**changes: object) -> dict:
    task = {
        "metadata": {"name": "fit", "wflow_stage": "fit"},
        "spec": {"process": {"cmd": "…"}},
        "state": {"readwrite": [{"path": f"{ROOT}/fit", "name": "workdir"}]},
        "parameters": {"events": [f"{ROOT}/reduce_0/events.txt", f"{ROOT}/gone.txt"], "limit": 0.05},
    }
    proxy = {"proxydetails": {"jobproxy": {"job_id": "a-job"}}}
    return {"task": {**task, **changes}, "proxy": proxy}


def snapshot(*nodes: object) -> dict:
    return {"dag": {"nodes": list(nodes)}}


def known(tmp_path: Path, content: object, *jobs: JobLog) -> object:
    return remote_yadage.known(tmp_path, content, LISTED, told(*jobs), cache=tmp_path / "digests.json")


def test_a_job_has_the_files_of_its_folder_and_reads_those_of_its_parameters(tmp_path: Path) -> None:
    log = JobLog("a-job", "fit_0", "finished", "bash:5", "do it", "", 10.0, 20.0)
    pure = node(spec={"process": None})
    found = known(tmp_path, snapshot(pure, node()), log)
    assert found is not None
    record, renamed = found
    (job,) = record.jobs
    assert (job.rule, job.inputs, job.outputs) == ("fit", ("reduce_0/events.txt",), ("fit/limit.json",))
    assert job.logs == ("fit/_packtivity/fit.run.log",)
    assert job.command == "do it"
    assert [one.value for one in job.parameters] == [["reduce_0/events.txt", "gone.txt"], 0.05]
    assert [one.name for one in renamed.logs.jobs] == ["fit"]
    assert record.run.targets == ("fit/limit.json",)


def test_older_notes_of_folders_are_read_too(tmp_path: Path) -> None:
    found = known(tmp_path, snapshot(node(state={"readwrite": [f"{ROOT}/fit"]})))
    assert found is not None
    assert found[0].jobs[0].outputs == ("fit/limit.json",)


@pytest.mark.parametrize(
    "state",
    [
        {"readwrite": []},
        {"readwrite": [{"path": "/etc"}]},
        {"readwrite": [{"path": f"{ROOT}/../../other"}]},
        {"readwrite": [{"path": 7}]},
        {},
        None,
    ],
)
def test_a_job_of_another_place_makes_all_notes_worthless(tmp_path: Path, state: object) -> None:
    assert known(tmp_path, snapshot(node(), node(state=state))) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["dag", "nodes", "task", "spec", "proxy", "a"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(content=_JSON, parameters=_JSON)
def test_whatever_stands_there_is_read_or_passed_over(
    content: object, parameters: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    assert known(folder, content) is None
    found = known(folder, json.loads(json.dumps(snapshot(node(parameters=parameters)))))
    assert (found is not None) == isinstance(parameters, dict)
