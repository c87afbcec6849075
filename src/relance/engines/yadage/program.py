"""Runs a workflow in yadage and tells what became of it; run by yadage's own Python.

    python program.py REQUEST.json ANSWER.json

The request has `toplevel`, `workflow`, `parameters`, `folder`, `init` and `cores`, the answer `jobs`,
`waiting`, `empty` and `error`. What yadage prints goes where this process's output goes.
"""

import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Run a workflow; return what became of each of its jobs and of the stages that made none."""
    steering = importlib.import_module("yadage.steering_api")
    utils = importlib.import_module("yadage.utils")
    error, controller, backend = None, None, None
    try:
        backend = utils.setupbackend_fromstring(f"multiproc:{request['cores']}")
        with steering.steering_ctx(
            f"local:{request['folder']}",
            request["workflow"],
            request["parameters"],
            request["toplevel"],
            backend,
            dataopts={"initdir": request["init"]},
            visualize=False,
            accept_metadir=True,
        ) as made:
            controller = made.controller
    except Exception as problem:  # noqa: BLE001 - whatever yadage raises is told
        error = f"{type(problem).__name__}: {str(problem) or last_line(problem)}"
    if controller is None:
        return {"jobs": [], "waiting": [], "empty": [], "error": error or "no workflow"}
    flow = controller.adageobj
    nodes = [flow.dag.getNode(name) for name in flow.dag.nodes()]
    return {
        "jobs": [job(node, backend) for node in nodes if node.task.metadata["wflow_stage"] != "init"],
        "waiting": [waiting(rule) for rule in flow.rules],
        "empty": [
            {"stage": rule.rule.name, "offset": rule.offset}
            for rule in flow.applied_rules
            if empty(flow, rule)
        ],
        "error": error,
    }


def job(node: Any, backend: Any) -> dict[str, Any]:
    """Return what became of a job."""
    task = node.task
    state = str(node.state).rpartition(".")[2].lower()
    told: dict[str, Any] = {
        "stage": task.metadata["wflow_stage"],
        "folder": task.state.readwrite[0] if task.state and task.state.readwrite else None,
        "state": state,
        "started": node.submit_time,
        "ended": node.ready_by_time,
        "parameters": None,
        "command": None,
        "image": None,
        "error": None,
    }
    if state == "failed":
        try:
            backend.result(node.resultproxy)
        except Exception as problem:  # noqa: BLE001 - it is what the job failed with
            told["error"] = f"{type(problem).__name__}: {problem}"
    try:
        running = importlib.import_module("packtivity.syncbackends")
        parameters, _ = running.finalize_inputs(task.parameters.json(), task.state)
        told["parameters"] = parameters.json()
        if task.spec["process"] and task.spec["environment"]:
            built = running.build_job(task.spec["process"], parameters, task.state, running.packconfig())
            told["command"] = built.get("command", built.get("script"))
            told["image"] = image(task.spec["environment"])
    except Exception as problem:  # noqa: BLE001 - a job whose parameters can't be had has failed on just that
        told["error"] = told["error"] or f"{type(problem).__name__}: {problem}"
    return told


def last_line(problem: Exception) -> str:
    """Return the code that raised an error which says nothing."""
    return str(traceback.extract_tb(problem.__traceback__)[-1].line)


def image(environment: dict[str, Any]) -> str | None:
    """Return the image of an environment."""
    if environment["environment_type"] != "docker-encapsulated":
        return None
    return f"{environment['image']}:{environment['imagetag']}"


def empty(flow: Any, rule: Any) -> bool:
    """Return whether a stage was scheduled and made no job."""
    pointers = importlib.import_module("jsonpointer")
    around = pointers.resolve_pointer(flow.stepsbystage, rule.offset, {})
    return not around.get(rule.rule.name)


def waiting(rule: Any) -> dict[str, Any]:
    """Return what a stage that made no job waits for."""
    dependencies = getattr(rule.rule, "depspec", None) or {}
    return {"stage": rule.rule.name, "offset": rule.offset, "for": dependencies.get("expressions", [])}


if __name__ == "__main__":
    answer = main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(answer, default=str), "utf-8")
