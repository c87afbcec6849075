"""Reads workflows of yadage: what its shorthand stands for; what isn't supported is refused by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from relance.languages.model import Case, Fulfilled, Ready, Scripted, Stage, Workflow
from relance.languages.notes import Note
from relance.languages.references import Part, Sources
from relance.languages.support import naming
from relance.languages.yadage import expressions, schedules, steps

_LONGEST = 200  # bytes of a folder's name; file systems take 255
_STAGE = ("name", "dependencies", "scheduler")


@dataclass(frozen=True)
class Reading:
    """A workflow as it was read."""

    workflow: Workflow
    notes: tuple[Note, ...]
    files: tuple[str, ...]
    """What it was read from, relative to the toplevel."""


def read(toplevel: Path, file: str) -> Reading:
    """Read a workflow of yadage.

    Raises:
        InputError: a file can't be read, or something in it isn't supported; file and line are told.
    """
    sources = Sources(toplevel)
    notes: list[Note] = []
    workflow = _workflow(sources.root(file).followed(), notes)
    return Reading(workflow, tuple(dict.fromkeys(notes)), sources.files)


def _workflow(part: Part, notes: list[Note]) -> Workflow:
    part.only("a workflow", "stages")
    stages: list[Stage] = []
    for one in part.need("stages", "a workflow").each():
        stage = _stage(one, notes)
        if any(stage.name == other.name for other in stages):
            raise one.refusal(
                f"two stages are called '{stage.name}'",
                found="two jobs with one folder",
                expected="another name",
            )
        stages.append(stage)
    workflow = Workflow(tuple(stages))
    _check_numbered(part, workflow)
    return workflow


def _check_numbered(part: Part, workflow: Workflow) -> None:
    numbered = {stage.name for stage in workflow.stages if stage.many}
    for stage in workflow.stages:
        stem, _, digits = stage.name.rpartition("_")
        if digits.isdigit() and stem in numbered:
            raise part.refusal(
                f"the stage '{stage.name}' is called like a job of '{stem}'",
                found="two jobs with one folder",
                expected="another name",
            )


def _stage(part: Part, notes: list[Note]) -> Stage:
    part.only("a stage", *_STAGE)
    name_part = part.need("name", "a stage")
    name = name_part.text()
    if not name.isprintable() or name in {"", "init"} or len(naming.folder(name).encode()) > _LONGEST:
        raise name_part.refusal(
            "a stage's name can't be used",
            found=repr(name),
            expected=f"text on one line, of at most {_LONGEST} bytes as a folder's name, and not 'init'",
        )
    scheduler = part.need("scheduler", f"the stage '{name}'")
    schedule = schedules.read(scheduler, name, notes)
    given = None if isinstance(schedule, Scripted) else scheduler.get("parameters")
    return Stage(
        name=name,
        dependencies=_dependencies(part.get("dependencies"), notes),
        schedule=schedule,
        parameters=tuple(expressions.parameters(given, notes)),
        cases=tuple(_cases(scheduler, name, notes)),
        origin=part.origin,
        registered=expressions.registered(scheduler.get("register_values"), notes),
        relative=_option(scheduler.get("workflow_opts"), "relative", notes, default=True),
        discover=_option(scheduler.get("workflow_opts"), "discover", notes, default=False),
    )


def _dependencies(part: Part | None, notes: list[Note]) -> Ready | Fulfilled:
    if part is None or part.value is None:
        return Ready()
    if isinstance(part.value, list):
        return Ready(tuple(expressions.query(one) for one in part.each()))
    part.only("dependencies", "dependency_type", "expressions")
    kind = part.get("dependency_type")
    said = part.get("expressions")
    match kind.value if kind else "jsonpath_ready":
        case "jsonpath_ready":
            return Ready(tuple(expressions.query(one) for one in said.each()) if said else ())
        case "expressions_fulfilled":
            return Fulfilled(tuple(expressions.expression(one, notes) for one in said.each()) if said else ())
        case other:
            raise (kind or part).refusal(
                "a predicate isn't supported",
                found=repr(other),
                expected="jsonpath_ready or expressions_fulfilled",
            )


def _option(part: Part | None, key: str, notes: list[Note], *, default: bool) -> bool:
    if part is None or part.value is None:
        return default
    expressions.without_effect(part, notes, "discover", "relative")
    return part.flag_at(key, default=default)


def _cases(part: Part, name: str, notes: list[Note]) -> Iterator[Case]:
    ways = [key for key in ("step", "workflow", "cases") if part.get(key) is not None]
    if len(ways) > 1 and part.need("scheduler_type", name).value != "singlestep-stage":
        notes.append(Note(part.where, f"{' and '.join(ways[1:])} has no effect, as in yadage"))
        ways = ways[:1]
    if len(ways) != 1:
        raise part.refusal(
            f"the stage '{name}' needs one of step, workflow and cases",
            found=" and ".join(ways) or "none",
            expected="one",
        )
    if ways != ["cases"]:
        yield _body(part, ways[0], None, notes)
        return
    for one in part.need("cases", name).each():
        one.only("a case", "if", "step", "workflow")
        said = [key for key in ("step", "workflow") if one.get(key) is not None]
        if len(said) != 1:
            raise one.refusal("a case needs a step or a workflow", found="none or both", expected="one")
        yield _body(one, said[0], one.need("if", "a case").text(), notes)


def _body(part: Part, way: str, condition: str | None, notes: list[Note]) -> Case:
    body = part.need(way, "a case")
    if way == "step":
        return Case(step=steps.step(body, notes), condition=condition)
    return Case(workflow=_workflow(body, notes), condition=condition)
