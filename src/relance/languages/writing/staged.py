"""Makes of an analysis's jobs a workflow of stages, as yadage knows them: one stage for each job.

A stage has a folder of its own. It begins by laying out there what Snakemake's jobs find in theirs: links to
the analysis's files, and to the outputs of the jobs before, at the same paths. Then comes the job's command.
"""

from __future__ import annotations

import shlex

from relance.languages.model import (
    Case,
    Command,
    Container,
    FromParameters,
    Json,
    Literal,
    Local,
    Origin,
    Parameter,
    Ready,
    Script,
    Selector,
    Single,
    Stage,
    Workflow,
)
from relance.languages.model import Step as Packed
from relance.languages.writing import declaration, text, yadage
from relance.languages.writing.form import Form
from relance.languages.writing.jobs import Plan, Slot, Step

_FILES = "files"
_NOWHERE = Origin("workflow.yml", 1)
_END = "END_OF_THE_JOB"


def workflow(plan: Plan) -> Workflow:
    """Return the workflow; its parameters are `files`, the folder of its own files, and the settings."""
    return Workflow(tuple(_stage(plan, step) for step in plan.steps))


def parameters(plan: Plan) -> dict[str, Json]:
    """Return the parameters that it is run with."""
    # Text: yadage would pass the number 2000.0 on as 2000.
    return {_FILES: _FILES, **{setting.name: setting.value for setting in plan.settings}}


def form(plan: Plan) -> Form:
    """Return the analysis for yadage, and for REANA's yadage engine."""
    inputs = {"directories": ["init"], "parameters": parameters(plan), "options": {"initdir": "init"}}
    described = {"type": "yadage", "file": "workflow.yml"}
    places = {path: f"{plan.maker(path).name}/{path}" for path in plan.results}
    return Form(
        texts={
            "workflow.yml": text.as_yaml(yadage.document(workflow(plan))),
            "parameters.yml": text.as_yaml(parameters(plan)),
            declaration.NAME: declaration.declaration(plan, inputs, described, places),
        },
        files=f"init/{_FILES}",
        run=(
            "relance convert workflow.yml ../compiled parameters.yml --initdir init",
            "relance run --engine yadage workflow.yml ../work parameters.yml --initdir init",
            'yadage-run ../work workflow.yml parameters.yml -d initdir="$PWD/init"',
        ),
    )


def _stage(plan: Plan, step: Step) -> Stage:
    given = [
        Parameter("folder", Literal("{workdir}")),
        Parameter(_FILES, Selector("init", _FILES, single=True)),
    ]
    given += [
        Parameter(name, Selector("init", name, single=True))
        for name in sorted({piece.name for piece in step.command if isinstance(piece, Slot)})
    ]
    before = [plan.steps[position] for position in step.needs]
    given += [Parameter(_at(one), Selector(one.name, "folder", single=True)) for one in before]
    body = _body(step, before)
    packed = Packed(
        process=Command(f"exec bash <<'{_END}'\n{body}{_END}\n")
        if step.image is None
        else Script(body, "bash"),
        environment=_environment(step.image),
        publisher=FromParameters({"folder": "folder"}),
        origin=_NOWHERE,
    )
    return Stage(
        name=step.name,
        dependencies=Ready(("init", *(one.name for one in before))),
        schedule=Single(),
        parameters=tuple(given),
        cases=(Case(step=packed),),
        origin=_NOWHERE,
    )


def _body(step: Step, before: list[Step]) -> str:
    lines = ["set -euo pipefail", 'cd "{folder}"', f'cp -Rs "{{{_FILES}}}/." .']
    makers = {path: one for one in before for path in one.outputs}
    links = []
    for path in step.inputs:
        maker = next(
            (one for made, one in makers.items() if path == made or path.startswith(f"{made}/")), None
        )
        if maker is not None:
            links.append((path, maker))
    parents = {path.rpartition("/")[0] for path, _ in links} - {""} | set(step.parents)
    if parents:
        lines.append(f"mkdir -p {_escaped(shlex.join(sorted(parents)))}")
    for path, maker in links:
        quoted = _escaped(shlex.quote(path))
        lines.append(f'ln -sfn "{{{_at(maker)}}}"/{quoted} {quoted}')
    command = "".join(
        f"{{{piece.name}}}" if isinstance(piece, Slot) else _escaped(piece) for piece in step.command
    )
    # What a command reads from its standard input must not be the rest of this script.
    lines += ["(", command.strip("\n"), ") < /dev/null"]
    # As Snakemake does, and yadage doesn't.
    lines.append(f"for path in {_escaped(shlex.join(step.outputs))}; do")
    lines.append('    if [ ! -e "$path" ]; then echo "$path was not written" >&2; exit 1; fi')
    lines.append("done")
    return "\n".join(lines) + "\n"


def _environment(image: str | None) -> Container | Local:
    if image is None:
        return Local()
    name, _, tag = image.rpartition(":")
    if "@" in image:
        return Container(image, "")
    return Container(name, tag) if name and "/" not in tag else Container(image)


def _at(step: Step) -> str:
    return f"at_{step.name}"


def _escaped(words: str) -> str:
    return words.replace("{", "{{").replace("}", "}}")
