"""Reads a Workflow, and a tool alone as a workflow of one step."""

from __future__ import annotations

import dataclasses
import graphlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from relance.languages.cwl import documents, limits, tools
from relance.languages.cwl.documents import Process
from relance.languages.cwl.given import Given
from relance.languages.cwl.model import (
    Default,
    Handed,
    Input,
    Link,
    Result,
    Secondary,
    Step,
    Tool,
    Workflow,
)
from relance.languages.cwl.requirements import Requirements
from relance.languages.references import Part

_KEYS = ("class", "cwlVersion", "inputs", "outputs", "steps", "requirements", "hints")
_METHODS = ("dotproduct", "flat_crossproduct", "nested_crossproduct")
_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class Reading:
    """A workflow with what there is to say about it."""

    workflow: Workflow
    notes: tuple[tuple[str, str], ...]


def read(process: Process, given: Given) -> Reading:
    """Return the workflow that a document describes.

    Raises:
        UnsupportedError: something in it can't be compiled; file and line are told.
        InputError: a file that it names isn't there.
    """
    reader = _Reader(given)
    runs = reader.process(process, Requirements(), process.part)
    if isinstance(runs, Tool):
        runs = _alone(runs, process)
    return Reading(dataclasses.replace(runs, watched=_watched(runs)), tuple(dict.fromkeys(reader.notes)))


class _Reader:
    """Reads processes within processes, and gathers what isn't heeded."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self.notes: list[tuple[str, str]] = []

    def process(self, process: Process, inherited: Requirements, asking: Part) -> Tool | Workflow:
        kind = process.part.mapping().get("class")
        if kind == "CommandLineTool":
            tool, needs = tools.read(process, inherited, self._given)
            self.notes += needs.notes
            return tool
        if kind == "Workflow":
            return self._workflow(process, inherited)
        raise limits.unsupported(
            process.part if kind else asking,
            f"a process of class {kind} can't be compiled",
            found=str(kind),
            expected="CommandLineTool or Workflow",
        )

    def _workflow(self, process: Process, inherited: Requirements) -> Workflow:
        part, version = process.part, process.version
        limits.only(part, "a workflow", *_KEYS)
        needs = inherited.within(part)
        self.notes += needs.notes
        inputs = tuple(
            tools.read_input(name, one, version, self._given, needs.types)
            for name, one in documents.listed(part.get("inputs"), "id")
        )
        steps = tuple(
            self._step(documents.local(name), one, process, needs)
            for name, one in documents.listed(part.get("steps"), "id")
        )
        known = {one.name for one in inputs} | {
            f"{step.name}/{output}" for step in steps for output in step.outputs
        }
        results = []
        for name, one in documents.listed(part.get("outputs"), "id"):
            link = _link(one, "outputSource", process, known)
            results.append(Result(documents.local(name), link))
        for name, one in documents.listed(part.get("steps"), "id"):
            for _, handed in documents.listed(one.get("in"), "id"):
                _link(handed, "source", process, known, step=documents.local(name))
        _check_circles(part, steps)
        return Workflow(version, inputs, tuple(results), steps)

    def _step(self, name: str, part: Part, process: Process, needs: Requirements) -> Step:
        if not _NAME.fullmatch(name):
            raise limits.unsupported(
                part,
                "a step's name can't be a folder's",
                found=repr(name),
                expected="letters, digits, _ . + -",
            )
        keys = ("run", "in", "out", "scatter", "scatterMethod", "when", "requirements", "hints")
        limits.only(part, f"the step '{name}'", *keys)
        run = part.need("run", "a step")
        runs = self.process(documents.run(run, process), needs.within(part), run)
        handed = tuple(
            self._handed(documents.local(key), one, process)
            for key, one in documents.listed(part.get("in"), "id")
        )
        outputs = tuple(_outputs(part.need("out", "a step")))
        there = [one.name for one in (runs.outputs if isinstance(runs, Tool) else runs.results)]
        for output in outputs:
            if output not in there:
                raise part.need("out", "a step").refusal(
                    f"the step '{name}' has no output '{output}'",
                    found=", ".join(there) or "none",
                    expected="one of its process",
                )
        scatter = part.get("scatter")
        over = (
            []
            if scatter is None
            else (list(scatter.each()) if isinstance(scatter.value, list) else [scatter])
        )
        names = tuple(documents.local(one.text()) for one in over)
        for one, wanted in zip(over, names, strict=True):
            if wanted not in {item.name for item in handed}:
                raise one.refusal(
                    f"the step '{name}' has no input '{wanted}'", found=wanted, expected="one of its 'in'"
                )
        method = part.mapping().get("scatterMethod") or _METHODS[0]
        if len(names) > 1 and "scatterMethod" not in part.mapping():
            raise part.refusal(
                f"the step '{name}' is scattered over several inputs",
                found="no scatterMethod",
                expected=f"one of {', '.join(_METHODS)}",
            )
        when = part.get("when")
        condition = None if when is None else limits.text(when, process.version)
        return Step(name, part.origin, runs, handed, outputs, names, method, condition)

    def _handed(self, name: str, part: Part, process: Process) -> Handed:
        if not isinstance(part.value, dict):
            return Handed(name, _link(part, "source", process, None))
        keys = ("source", "default", "valueFrom", "linkMerge", "pickValue", "loadContents")
        limits.only(part, f"the input '{name}'", *keys)
        default = None
        if "default" in part.mapping():
            default = Default(
                self._given.default(part.mapping()["default"], part.folder, part.sources.toplevel, ())
            )
        value = part.get("valueFrom")
        return Handed(
            name,
            _link(part, "source", process, None),
            default,
            None if value is None else limits.text(value, process.version),
            bool(part.mapping().get("loadContents")),
        )


def _check_circles(part: Part, steps: tuple[Step, ...]) -> None:
    """Refuse steps that wait for each other."""
    before = {
        step.name: [source.rpartition("/")[0] for one in step.inputs for source in one.link.sources]
        for step in steps
    }
    try:
        tuple(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as error:
        circle = list(reversed(error.args[1]))
        first = dict(documents.listed(part.get("steps"), "id"))
        where = next((one for name, one in first.items() if documents.local(name) == circle[0]), part)
        raise where.refusal(
            "steps wait for each other", found=" → ".join(circle), expected="a beginning"
        ) from error


def _link(part: Part, key: str, process: Process, known: set[str] | None, step: str = "") -> Link:
    """Return where a value comes from; `known` has what there is."""
    whole = isinstance(part.value, dict)
    source = part.get(key) if whole else part
    if source is None or source.value is None:
        return Link()
    several = list(source.each()) if isinstance(source.value, list) else [source]
    found = []
    for one in several:
        name = _source(one.text(), process)
        if known is not None and name not in known:
            raise one.refusal(
                f"nothing is called '{name}'" + (f", which the step '{step}' takes" if step else ""),
                found=repr(one.value),
                expected=f"one of {', '.join(sorted(known))}",
            )
        found.append(name)
    content = part.mapping() if whole else {}
    return Link(tuple(found), content.get("linkMerge"), content.get("pickValue"))


def _source(text: str, process: Process) -> str:
    """Return a source as `step/output` or an input's name; packed documents put the workflow before it."""
    name = text.rpartition("#")[2]
    own = process.name.rpartition("#")[2]
    return name.removeprefix(f"{own}/") if own else name


def _outputs(part: Part) -> Iterator[str]:
    for one in part.each():
        written = one.need("id", "an output") if isinstance(one.value, dict) else one
        yield documents.local(written.text())


def _alone(tool: Tool, process: Process) -> Workflow:
    """Return a tool as a workflow of one step."""
    stem = documents.local(process.name) or Path(str(process.part.document.path)).stem
    name = re.sub(r"[^A-Za-z0-9_+-]", "_", stem) or "tool"
    # The step hands on what the workflow is given, defaults and all; only the tool binds it to words.
    inputs = tuple(dataclasses.replace(one, binding=None) for one in tool.inputs)
    handed = tuple(Handed(one.name, Link((one.name,))) for one in inputs)
    outputs = tuple(one.name for one in tool.outputs)
    step = Step(name, tool.origin, tool, handed, outputs)
    results = tuple(Result(one, Link((f"{name}/{one}",))) for one in outputs)
    return Workflow(tool.version, inputs, results, (step,))


def beside(workflow: Workflow) -> dict[str, tuple[Secondary, ...]]:
    """Return which files beside theirs the inputs of a workflow have."""
    return {one.name: one.secondary for one in workflow.inputs}


def _watched(workflow: Workflow) -> bool:
    """Return whether a step reads the text of a file that it is handed."""

    def reads(inputs: tuple[Input, ...]) -> bool:
        return any(one.contents for one in inputs)

    for step in workflow.steps:
        if any(one.contents for one in step.inputs) or reads(step.runs.inputs):
            return True
        if isinstance(step.runs, Workflow) and _watched(step.runs):
            return True
    return False
