"""Runs a workflow of yadage in a workspace as REANA's engine does, and prints its jobs as Snakemake would.

    python reana_yadage.py TOPLEVEL FILE WORKSPACE SETTINGS.json

SETTINGS has `parameters` and `options`. Every job is a process, whatever image it names.
"""

import json
import logging
import os
import sys
import time
import uuid
from pathlib import Path

import yaml
from packtivity.asyncbackends import ForegroundBackend
from packtivity.syncbackends import build_job, finalize_inputs, packconfig
from yadage import workflow_loader
from yadage.backends.packtivitybackend import PacktivityBackend
from yadage.steering_api import steering_ctx

STAMP = "[%a %b %d %H:%M:%S %Y]"


class Told(ForegroundBackend):
    """Says of each job what REANA's job controller knows, and notes by which name that knows it."""

    count = 0
    run = ""

    def submit(self, spec, parameters, state, metadata=None):
        job = build_job(spec["process"], *finalize_inputs(parameters, state), packconfig())
        number, name = Told.count, metadata["name"]
        Told.count += 1
        command = job.get("command", "None").replace("\n", "\n    ")
        say(time.strftime(f"{STAMP}\n"))
        say(f"rule {name}:\n    jobid: {number}\nShell command: {command}\n")
        found = super().submit(spec, parameters, state, metadata)
        say(time.strftime(f"{STAMP}\n"))
        say(f"Finished jobid: {number} (Rule: {name})\n")
        details, job = found.details, str(uuid.uuid5(uuid.UUID(Told.run), str(number)))
        found.details = lambda: {**details(), "jobproxy": {"job_id": job}}
        return found


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def as_processes(part: object) -> object:
    """Return a workflow whose jobs run on this machine."""
    if isinstance(part, dict):
        if "environment_type" in part:
            return {"environment_type": "localproc-env"}
        return {key: as_processes(one) for key, one in part.items()}
    return [as_processes(one) for one in part] if isinstance(part, list) else part


def main(toplevel: str, file: str, workspace: Path, settings: Path) -> None:
    logging.disable(logging.CRITICAL)
    os.environ["PACKTIVITY_LOGGING_DISABLE"] = "true"
    Told.run = workspace.name
    told = json.loads(settings.read_text("utf-8"))
    options = told["options"]
    given = {}
    for path in options.get("initfiles", ()):
        given.update(yaml.safe_load((workspace / path).read_text("utf-8")))
    with steering_ctx(
        str(workspace),
        workflow_json=as_processes(workflow_loader.workflow(file, toplevel)),
        initdata={**given, **told["parameters"]},
        dataopts={"initdir": str(workspace / options.get("initdir", ""))},
        backend=PacktivityBackend(packtivity_backend=Told({}), backendopts={}),
        visualize=False,
        updateinterval=0.01,
        accept_metadir="accept_metadir" in options,
    ):
        pass


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).resolve(), Path(sys.argv[4]))
