"""What a reana.yaml says of an exported analysis."""

from __future__ import annotations

from collections.abc import Mapping

from relance.languages.model import Json
from relance.languages.writing import text
from relance.languages.writing.jobs import Plan

NAME = "reana.yaml"


def declaration(
    plan: Plan,
    inputs: Mapping[str, Json],
    workflow: Mapping[str, Json],
    places: Mapping[str, str] | None = None,
) -> str:
    """Return the text of a reana.yaml.

    Args:
        plan: the jobs.
        inputs: what it says of inputs, without parameters where there are none.
        workflow: what it says of the workflow.
        places: where results lie in the workspace, if not at their own paths.
    """
    folders = frozenset(path for step in plan.steps for path in step.folders)
    lie = dict.fromkeys(plan.results, "") if places is None else places
    outputs = {
        kind: [lie[path] or path for path in plan.results if (path in folders) == wanted]
        for kind, wanted in (("files", False), ("directories", True))
    }
    return text.as_yaml(
        {
            "version": "0.9.0",
            "inputs": dict(inputs),
            "workflow": dict(workflow),
            "outputs": {kind: paths for kind, paths in outputs.items() if paths},
        }
    )
