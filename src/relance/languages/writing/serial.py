"""Writes an analysis's jobs as the steps of a serial workflow of REANA."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from string import Template

from relance.errors import InputError
from relance.languages.writing import declaration
from relance.languages.writing.form import Form
from relance.languages.writing.jobs import Plan, Slot, Step

_REFUSED = ("sudo ",)  # of `cd /` it only warns


def form(plan: Plan, files: Iterable[str]) -> Form:
    """Return the analysis for REANA's serial engine.

    Args:
        plan: its jobs.
        files: its own files, by path.

    Raises:
        InputError: a job runs in no image, or says what REANA refuses.
    """
    inputs = {
        "files": sorted(set(files) - {declaration.NAME}),
        "parameters": {setting.name: setting.value for setting in plan.settings},
    }
    steps = [_step(step) for step in plan.steps]
    workflow = {"type": "serial", "specification": {"steps": steps}}
    return Form(
        {declaration.NAME: declaration.declaration(plan, inputs, workflow)},
        run=("relance reana submit --follow",),
    )


def command(step: Mapping[str, list[str]], values: Mapping[str, str]) -> str:
    """Return what a step's commands say to bash, as REANA's serial engine fills them in."""
    return "; ".join(Template(one).substitute(values) for one in step["commands"])


def _step(step: Step) -> dict[str, object]:
    if step.image is None:
        raise InputError(
            f"job {step.name}",
            expected="an image: REANA runs every step in one",
            found="none",
            next_step="give its rule a 'container:'",
        )
    if step.built_here:
        raise InputError(
            f"job {step.name}",
            expected="an image of a registry, where REANA can pull it",
            found=f"one that was built here, {step.image}",
            next_step="push it, and say what it is called there: --image NAME=REGISTRY/NAME@sha256:…",
        )
    words = "".join(
        f"${{{piece.name}}}" if isinstance(piece, Slot) else piece.replace("$", "$$")
        for piece in step.command
    )
    for refused in _REFUSED:
        if refused in words:
            raise InputError(
                f"job {step.name}",
                expected="a command that REANA takes",
                found=repr(refused),
                next_step="write the command without it",
            )
    preamble = step.preamble.replace("$", "$$")
    return {"name": step.name, "environment": step.image, "commands": [f"{preamble}; {words.strip()}"]}
