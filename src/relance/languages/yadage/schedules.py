"""Reads the schedulers of yadage, which say how many jobs a stage makes."""

from __future__ import annotations

from relance.languages.model import Scatter, Scripted, Single
from relance.languages.notes import Note
from relance.languages.references import Part
from relance.languages.yadage import expressions

_BODY = ("step", "workflow", "cases", "parameters", "register_values", "workflow_opts", "scheduler_type")


def read(part: Part, name: str, notes: list[Note]) -> Single | Scatter | Scripted:
    """Return how the scheduler of the stage called `name` makes jobs.

    Raises:
        InputError: it isn't supported; file and line are told.
    """
    kind = part.need("scheduler_type", f"the scheduler of '{name}'")
    match kind.text():
        case "singlestep-stage":
            part.only("a singlestep-stage", *_BODY)
            return Single()
        case "multistep-stage":
            part.only("a multistep-stage", *_BODY, "scatter", "batchsize", "partitionsize")
            return _scatter(part, notes)
        case "jq-stage":
            return _scripted(part)
        case other:
            raise kind.refusal(
                "a scheduler isn't supported",
                found=repr(other),
                expected="singlestep-stage, multistep-stage or jq-stage",
            )


def _scatter(part: Part, notes: list[Note]) -> Scatter:
    said = part.need("scatter", "a multistep-stage")
    said.only("scatter", "parameters", "method")
    method = said.need("method", "scatter")
    if method.value not in ("zip", "cartesian"):
        raise method.refusal(
            "a way to scatter isn't supported", found=repr(method.value), expected="zip or cartesian"
        )
    names = tuple(one.text() for one in said.need("parameters", "scatter").each())
    if not names:
        raise said.refusal("nothing is scattered", found="no names", expected="names of parameters")
    batch, parts = _count(part.get("batchsize")), _count(part.get("partitionsize"))
    if batch and parts:
        raise part.refusal("a stage has batchsize and partitionsize", found="both", expected="one or none")
    known = [one.name for one in expressions.parameters(part.get("parameters"), notes)]
    for name in names:
        if name not in known:
            raise said.refusal(
                f"the parameter '{name}' is scattered and isn't there",
                found=", ".join(known) or "no parameters",
                expected=f"'{name}' among them",
            )
    return Scatter(names, method.value == "cartesian", batch, parts)


def _scripted(part: Part) -> Scripted:
    bindings = part.need("bindings", "a jq-stage").plain()
    script, after = part.get("stepscript"), part.get("postscript")
    return Scripted(bindings, script.text() if script else "[.]", after.text() if after else ".")


def _count(part: Part | None) -> int | None:
    """Return a size; 0 stands for none."""
    if part is None:
        return None
    value = part.value
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise part.refusal("a size isn't a count", found=repr(value), expected="a whole number above 0")
    return value or None
