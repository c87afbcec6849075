"""Writes an analysis's jobs as a Snakefile with one rule for each: no functions, no wildcards, no imports."""

from __future__ import annotations

from collections.abc import Iterable

from relance.languages.writing import declaration, text
from relance.languages.writing.form import Form
from relance.languages.writing.jobs import Plan, Slot, Step

_CONFIGURATION = "export.yaml"


def form(plan: Plan, files: Iterable[str]) -> Form:
    """Return the analysis for Snakemake 7 to 9, wherever they run its jobs; `files` are its own, by path."""
    head = [f"# {' '.join(plan.name.split())}: one rule for each job, in an order in which they can run."]
    if plan.settings:
        head += ["", "", f'configfile: "{_CONFIGURATION}"']
    rules = ["\n".join(["rule all:", "    default_target: True", *_listed("input", plan.results)])]
    rules += [_rule(step) for step in plan.steps]
    given = {setting.name: setting.value for setting in plan.settings}
    texts = {"Snakefile": "\n\n\n".join(["\n".join(head), *rules]) + "\n"}
    if given:
        texts[_CONFIGURATION] = text.as_yaml(given)
    inputs = {"files": sorted({*files, *texts} - {declaration.NAME}), "parameters": given}
    workflow = {"type": "snakemake", "file": "Snakefile"}
    texts[declaration.NAME] = declaration.declaration(plan, inputs, workflow)
    return Form(texts, run=("snakemake --cores all --use-singularity", "relance run"))


def _rule(step: Step) -> str:
    names = sorted({piece.name for piece in step.command if isinstance(piece, Slot)})
    outputs = [f"directory({path!r})" if path in step.folders else repr(path) for path in step.outputs]
    lines = [f"rule {step.name}:"]
    lines += _listed("input", step.inputs)
    lines += _block("output", outputs)
    lines += _listed("log", step.logs)
    if step.image is not None:
        written = step.written if step.built_here and step.written else f"docker://{step.image}"
        lines += _listed("container", (written,))
    lines += _block("params", [f"{name}=config[{name!r}]" for name in names])
    words = "".join(
        f"{{params.{piece.name}}}" if isinstance(piece, Slot) else piece.replace("{", "{{").replace("}", "}}")
        for piece in (f"{step.preamble}; ", *step.command)
    )
    lines += ["    shell:", f"        {words!r}"]
    return "\n".join(lines)


def _listed(name: str, paths: Iterable[str]) -> list[str]:
    return _block(name, [repr(path) for path in paths])


def _block(name: str, entries: list[str]) -> list[str]:
    return [f"    {name}:", *(f"        {entry}," for entry in entries)] if entries else []
