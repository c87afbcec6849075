"""Writes a workflow as yadage reads it, without any of its shorthand."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from relance.errors import InputError
from relance.languages.model import (
    Case,
    Command,
    Constant,
    Container,
    FromGlob,
    FromJq,
    FromParameters,
    FromValue,
    FromYaml,
    Fulfilled,
    Interpolated,
    Json,
    Literal,
    Local,
    Origin,
    Parameter,
    Ready,
    Scatter,
    Script,
    Scripted,
    Selector,
    Single,
    Stage,
    Step,
    Workflow,
)
from relance.languages.support.publishing import Publisher


def document(workflow: Workflow) -> dict[str, Json]:
    """Return the workflow as yadage's schema has it.

    Raises:
        InputError: a step is of a kind that yadage doesn't have.
    """
    return {"stages": [_stage(stage) for stage in workflow.stages]}


def _stage(stage: Stage) -> dict[str, Json]:
    scheduler = {**_schedule(stage), **_bodies(stage.cases)}
    if stage.registered:
        scheduler["register_values"] = {name: _expression(one) for name, one in stage.registered.items()}
    if not stage.relative or stage.discover:
        scheduler["workflow_opts"] = {"relative": stage.relative, "discover": stage.discover}
    return {"name": stage.name, "dependencies": _dependencies(stage.dependencies), "scheduler": scheduler}


def _bodies(cases: tuple[Case, ...]) -> dict[str, Json]:
    if len(cases) == 1 and cases[0].condition is None:
        return _body(cases[0])
    return {"cases": [{"if": case.condition, **_body(case)} for case in cases]}


def _dependencies(dependencies: Ready | Fulfilled) -> dict[str, Json]:
    match dependencies:
        case Ready(queries):
            return {"dependency_type": "jsonpath_ready", "expressions": list(queries)}
        case Fulfilled(expressions):
            return {
                "dependency_type": "expressions_fulfilled",
                "expressions": [_expression(one) for one in expressions],
            }


def _schedule(stage: Stage) -> dict[str, Json]:
    given = [_parameter(one) for one in stage.parameters]
    match stage.schedule:
        case Single():
            return {"scheduler_type": "singlestep-stage", "parameters": given}
        case Scripted(bindings, script, after):
            return {
                "scheduler_type": "jq-stage",
                "bindings": bindings,
                "stepscript": script,
                "postscript": after,
            }
        case Scatter(names, cartesian, batch, parts):
            return {
                "scheduler_type": "multistep-stage",
                "parameters": given,
                "scatter": {"method": "cartesian" if cartesian else "zip", "parameters": list(names)},
                **({"batchsize": batch} if batch is not None else {}),
                **({"partitionsize": parts} if parts is not None else {}),
            }


def _parameter(parameter: Parameter) -> dict[str, Json]:
    value = parameter.value
    return {
        "key": parameter.name,
        "value": value.value if isinstance(value, Literal) else _expression(value),
    }


def _expression(expression: Selector | FromValue) -> dict[str, Json]:
    if isinstance(expression, FromValue):
        scope = {"scope": expression.scope} if expression.scope is not None else {}
        return {"expression_type": "fromvalue", "key": expression.name, **scope}
    return {
        "expression_type": "stage-output-selector",
        "step" if expression.single else "stages": expression.query,
        **({"output": expression.output} if expression.output is not None else {}),
        **({"unwrap": True} if expression.unwrap else {}),
        **({"flatten": True} if expression.flatten else {}),
    }


def _body(case: Case) -> dict[str, Json]:
    if case.workflow is not None:
        return {"workflow": document(case.workflow)}
    return {"step": None if case.step is None else _step(case.step)}


def _step(step: Step) -> dict[str, Json]:
    return {
        "process": _process(step.process, step.origin),
        "environment": _environment(step.environment),
        "publisher": _publisher(step.publisher),
    }


def _process(process: object, origin: Origin) -> dict[str, Json] | None:
    match process:
        case Command(text):
            return {"process_type": "string-interpolated-cmd", "cmd": text}
        case Script(text, interpreter):
            return {"process_type": "interpolated-script-cmd", "interpreter": interpreter, "script": text}
        case None:
            return None
    raise InputError(
        f"{origin.file}:{origin.line}: a step",
        expected="a command or script, as yadage has them",
        found=f"{type(process).__name__.lower()} that share a folder with other steps",
        next_step="export the analysis that it is compiled to (relance convert)",
    )


def _environment(environment: Container | Local | None) -> dict[str, Json] | None:
    match environment:
        case Local():
            return {"environment_type": "localproc-env"}
        case Container():
            image, _, tag = environment.reference.rpartition(":")
            return {
                "environment_type": "docker-encapsulated",
                "image": image,
                "imagetag": tag,
                "envscript": environment.setup,
                "resources": [_resource(one) for one in environment.resources],
                "workdir": environment.folder,
                "par_mounts": [{"mountpath": one.path, "jqscript": one.script} for one in environment.mounts],
            }
    return None


def _resource(text: str) -> Json:
    """Return a resource as it was written: a name, or a mapping such as `{kerberos: true}`."""
    if ": " not in text:
        return text
    found: dict[str, Json] = {}
    for part in text.split(", "):
        key, _, value = part.partition(": ")
        read = yaml.safe_load(value)
        found[key] = read if str(read) == value else value
    return found


def _publisher(publisher: Publisher) -> Mapping[str, Json]:
    match publisher:
        case FromParameters(outputs):
            return {"publisher_type": "frompar-pub", "outputmap": outputs}
        case Interpolated(publish, glob, relative):
            return {
                "publisher_type": "interpolated-pub",
                "publish": publish,
                "glob": glob,
                "relative_paths": relative,
            }
        case FromJq(script, exact, glob, relative):
            return {
                "publisher_type": "fromparjq-pub",
                "script": script,
                "tryExact": exact,
                "glob": glob,
                "relative_paths": relative,
            }
        case FromYaml(file):
            return {"publisher_type": "fromyaml-pub", "yamlfile": file}
        case FromGlob(pattern, key):
            return {"publisher_type": "fromglob-pub", "globexpression": pattern, "outputkey": key}
        case Constant(publish):
            return {"publisher_type": "constant-pub", "publish": publish}
