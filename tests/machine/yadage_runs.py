"""Runs workflows in yadage itself, in one process, and prints what each job was given and published, as JSON.

    python yadage_runs.py TOPLEVEL SCRATCH NAME...

For NAME there are NAME.yml and, if it has parameters, NAME.input.yml; inputs/NAME has its files. Without a
NAME each line of the standard input is one, answered by a line of JSON.
"""

import functools
import json
import logging
import os
import shutil
import sys
from pathlib import Path

import glob2
import jq
import jsonpath_rw
import yaml
from packtivity.asyncbackends import ForegroundBackend
from yadage.backends.packtivitybackend import PacktivityBackend
from yadage.steering_api import steering_ctx


def main(toplevel: Path, scratch: Path, names: list[str]) -> None:
    logging.disable(logging.CRITICAL)
    jq.jq = functools.cache(jq.jq)
    jsonpath_rw.parse = functools.cache(jsonpath_rw.parse)  # makes its grammar anew for each query
    matches = glob2.glob
    glob2.glob = lambda pattern: sorted(matches(pattern))  # else in the file system's order
    os.environ["PACKTIVITY_LOGGING_DISABLE"] = "true"
    if names:
        print(json.dumps({name: run(toplevel, scratch / name, name) for name in names}))  # noqa: T201
        return
    for line in sys.stdin:
        name = line.strip()
        print(json.dumps(run(toplevel, scratch / name, name)), flush=True)  # noqa: T201


def run(toplevel: Path, folder: Path, name: str) -> dict:
    parameters = toplevel / f"{name}.input.yml"
    folder.mkdir(parents=True)
    if (toplevel / "inputs" / name).is_dir():
        shutil.copytree(toplevel / "inputs" / name, folder / "init")
    workflow = None
    try:
        with steering_ctx(
            f"local:{folder}",
            f"{name}.yml",
            yaml.safe_load(parameters.read_text("utf-8")) if parameters.exists() else {},
            str(toplevel),
            PacktivityBackend(packtivity_backend=ForegroundBackend({}), backendopts={}),
            visualize=False,
            updateinterval=0.001,
            accept_metadir=True,
        ) as steering:
            workflow = steering.controller.adageobj
    except Exception as error:  # noqa: BLE001 - it is what is compared
        return {"failed": f"{type(error).__name__}: {error}"}
    jobs = {}
    for node in workflow.dag.nodes():
        task = workflow.dag.getNode(node).task
        if task.metadata["wflow_stage"] != "init":
            place = str(Path(task.state.readwrite[0]).relative_to(folder.resolve()))
            result = workflow.dag.getNode(node).result.json()
            jobs[place] = {"parameters": task.state.model(task.parameters).json(), "result": result}
    return {"jobs": jobs, "unapplied": [rule.rule.name for rule in workflow.rules]}


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), sys.argv[3:])
