"""A specification as a server of 0.9 wants it: with the steps that its own client would have found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from relance.drafting.graph import Job
from relance.engines.reana.declared import Declared, Language, serial
from relance.errors import InputError

_OF_BUNDLES = frozenset({"files", "directories"})
"""What says what a bundle holds; servers that know no bundles refuse it."""


def expanded(declared: Declared, jobs: Iterable[Job]) -> dict[str, Any]:
    """Return the JSON that is sent; `jobs` are those of a Snakemake workflow.

    Raises:
        InputError: the workflow is in a language that can't be expanded here.
    """
    told = declared.content["workflow"]
    workflow = {key: value for key, value in told.items() if key not in _OF_BUNDLES}
    match declared.language:
        case Language.SNAKEMAKE:
            workflow["specification"] = _snakemake(tuple(jobs))
        case Language.SERIAL:
            workflow["specification"] = serial(declared)
        case _:
            raise InputError(
                f"a workflow in {declared.language}",
                expected="snakemake or serial on a server of 0.9, which wants it expanded",
                found=f"{declared.language}, which is expanded only on servers of 0.95",
                next_step="submit it with reana-client 0.9, or to a newer server",
            )
    return {**declared.content, "workflow": workflow}


def _snakemake(jobs: tuple[Job, ...]) -> dict[str, Any]:
    makers: dict[str, str] = {path: job.rule for job in jobs for path in job.outputs}
    needs: dict[str, set[str]] = {}
    rules: dict[str, Job] = {}
    for job in jobs:
        rules.setdefault(job.rule, job)
        needs.setdefault(job.rule, set()).update(makers[path] for path in job.inputs if path in makers)
    return {
        "job_dependencies": {rule: sorted(needs[rule]) for rule in sorted(needs)},
        "steps": [_step(rules[rule]) for rule in sorted(rules) if rules[rule].command],
    }


def _step(job: Job) -> Mapping[str, Any]:
    return {
        "name": job.rule,
        "environment": (job.image or "").removeprefix("docker://"),
        "commands": [job.command],
        "inputs": {},
        "params": {},
        "outputs": {},
        "compute_backend": None,
        "kubernetes_memory_limit": None,
        "kubernetes_uid": None,
    }
