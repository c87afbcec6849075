"""Which jobs a workflow has and what each is given, as far as the jobs that have run tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from relance.languages.cwl.model import Handed, Input, Link, Output, Result, Step, Tool, Workflow
from relance.languages.cwl.support import expressions, linking, outputs, values
from relance.languages.cwl.support.command import Call
from relance.languages.cwl.support.expressions import Context
from relance.languages.cwl.support.outputs import Left
from relance.languages.cwl.support.places import ROOT, Places
from relance.languages.model import Json, PlanError

Route = tuple[tuple[str, int | None], ...]
"""Steps from the outermost to a job's own, each with its number if it is scattered."""
_MOST_JOBS = 1_000_000


class NotYetError(Exception):
    """Something depends on what a job leaves that hasn't run."""

    def __init__(self, path: Route) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True)
class Scope:
    """A workflow with what it is given."""

    workflow: Workflow
    path: Route
    given: Mapping[str, Json]


@dataclass(frozen=True)
class Job:
    """One run of a tool."""

    path: Route
    call: Call


@dataclass
class Planner:
    """Answers questions about the jobs of a workflow; remembers what it has found."""

    workflow: Workflow
    parameters: Mapping[str, Json]
    places: Places
    ran: set[Route] = field(default_factory=set)
    """Jobs that have run; what others leave isn't looked at."""
    owners: dict[str, Route] = field(default_factory=dict)
    """The jobs that leave files, by the files' paths."""
    _handing: dict[Route, dict[str, Json] | None] = field(default_factory=dict)
    _jobs: dict[Route, Job] = field(default_factory=dict)
    _scopes: dict[Route, Scope] = field(default_factory=dict)
    _lefts: dict[tuple[Route, str], Json] = field(default_factory=dict)
    _outputs: dict[tuple[Route, str, str], Json] = field(default_factory=dict)

    def scope(self, path: Route) -> Scope:
        """Return a workflow within the workflow, by the steps that lead to it.

        Raises:
            PlanError: what it is given doesn't fit.
            NotYetError: what it is given isn't known yet.
        """
        if path not in self._scopes:
            if not path:
                inputs = values.given(self.parameters)
                given = self._received(self.workflow.inputs, inputs, "the workflow", discover=True)
                self._scopes[path] = Scope(self.workflow, path, given)
            else:
                step, handed = self._one(path)
                assert isinstance(step.runs, Workflow)  # noqa: S101 - paths of scopes lead to workflows
                given = self._received(step.runs.inputs, handed, _shown(path), discover=False)
                self._scopes[path] = Scope(step.runs, path, given)
        return self._scopes[path]

    def job(self, path: Route) -> Job:
        """Return a job.

        Raises:
            PlanError: there is none, or what it is given doesn't fit.
            NotYetError: what it is given isn't known yet.
        """
        if path not in self._jobs:
            step, handed = self._one(path)
            assert isinstance(step.runs, Tool)  # noqa: S101 - paths of jobs lead to tools
            given = self._received(step.runs.inputs, handed, _shown(path), discover=False)
            self._jobs[path] = Job(path, Call(step.runs, given, f"{ROOT}/workdir/{name(path)}"))
        return self._jobs[path]

    def every(self, names: tuple[str, ...], above: Route = ()) -> Iterator[Route]:
        """Give the jobs of a step, named by the steps that lead to it; skipped ones aren't among them.

        Raises:
            PlanError: what they are given doesn't fit.
            NotYetError: it isn't known yet which there are.
        """
        scope = self.scope(above)
        step = _step(scope, names[0])
        for number in self._numbers(scope, step):
            if self._handed(scope, step, number) is None:
                continue
            path = (*above, (step.name, number))
            if len(names) == 1:
                yield path
            else:
                yield from self.every(names[1:], path)

    def check(self, path: Route) -> None:
        """Look at all that a job leaves.

        Raises:
            PlanError: something isn't there, or isn't what the tool says.
            NotYetError: it hasn't run.
        """
        for output in self.job(path).call.tool.outputs:
            self._left(path, output)

    def results(self) -> dict[str, Json]:
        """Return the outputs of the workflow.

        Raises:
            PlanError: something isn't there.
            NotYetError: something isn't known yet.
        """
        scope = self.scope(())
        return {result.name: self._result(scope, result) for result in self.workflow.results}

    def needs(self, job: Job) -> tuple[list[Route], list[str]]:
        """Return the jobs that leave files for a job, and the given files, by their paths."""
        jobs: dict[Route, None] = {}
        given: dict[str, None] = {}
        for one in values.entries(dict(job.call.given)):
            path = one["path"]
            if path in self.owners:
                jobs[self.owners[path]] = None
            else:
                given[path.removeprefix(f"{ROOT}/")] = None
        return list(jobs), list(given)

    def _one(self, path: Route) -> tuple[Step, dict[str, Json]]:
        scope = self.scope(path[:-1])
        step_name, number = path[-1]
        step = _step(scope, step_name)
        handed = self._handed(scope, step, number)
        if handed is None:
            raise PlanError(f"{_shown(path)} is skipped")
        return step, handed

    def _numbers(self, scope: Scope, step: Step) -> Iterator[int | None]:
        if not step.scatter:
            yield None
            return
        count = math.prod(self._shape(scope, step))
        if count > _MOST_JOBS:
            raise PlanError(
                f"{_shown((*scope.path, (step.name, None)))} has {count:,} jobs, which is too many"
            )
        yield from range(count)

    def _shape(self, scope: Scope, step: Step) -> tuple[int, ...]:
        """Return how many jobs a scattered step has, in each of its dimensions."""
        lengths = []
        for one in step.scatter:
            value = self._linked(scope, next(handed for handed in step.inputs if handed.name == one))
            if not isinstance(value, list):
                found = values.brief(value)
                raise PlanError(f"{step.name} is scattered over '{one}', which is {found} and no list")
            lengths.append(len(value))
        if step.method != "dotproduct":
            return tuple(lengths)
        if len(set(lengths)) > 1:
            counts = ", ".join(f"{count} of {one}" for one, count in zip(step.scatter, lengths, strict=True))
            raise PlanError(f"{step.name} is scattered over lists of unequal length: {counts}")
        return (lengths[0],)

    def _handed(self, scope: Scope, step: Step, number: int | None) -> dict[str, Json] | None:
        """Return what a step hands to its process; None if `when` says that it doesn't run."""
        path = (*scope.path, (step.name, number))
        if path not in self._handing:
            self._handing[path] = self._hand(scope, step, number)
        return self._handing[path]

    def _hand(self, scope: Scope, step: Step, number: int | None) -> dict[str, Json] | None:
        found = {one.name: self._linked(scope, one) for one in step.inputs}
        if number is not None:
            shape = self._shape(scope, step)
            dot = step.method == "dotproduct"
            indices = (number,) * len(step.scatter) if dot else linking.indices(shape, number)
            for scattered, index in zip(step.scatter, indices, strict=True):
                if not 0 <= index < len(found[scattered]):
                    raise PlanError(f"{_shown((*scope.path, (step.name, number)))} isn't there")
                found[scattered] = found[scattered][index]
        for one in step.inputs:
            if one.contents:
                found[one.name] = self._with_contents(found[one.name])
        version = scope.workflow.version
        evaluated = dict(found)
        for one in step.inputs:
            if one.value is not None:
                about = Context(found, found[one.name])
                evaluated[one.name] = expressions.evaluate(one.value, about, version)
        if step.when is not None:
            runs = expressions.evaluate(step.when, Context(evaluated), version)
            if not isinstance(runs, bool):
                raise PlanError(f"'when' of {step.name} is {values.brief(runs)}, neither true nor false")
            if not runs:
                return None
        return evaluated

    def _linked(self, scope: Scope, handed: Handed) -> Json:
        value = self._link(scope, handed.link)
        return values.given(handed.default.value) if value is None and handed.default is not None else value

    def _link(self, scope: Scope, link: Link) -> Json:
        return linking.merged([self._source(scope, source) for source in link.sources], link)

    def _source(self, scope: Scope, source: str) -> Json:
        step_name, slash, output = source.rpartition("/")
        if not slash:
            return scope.given[source]
        key = (scope.path, step_name, output)
        if key not in self._outputs:
            self._outputs[key] = self._output(scope, _step(scope, step_name), output)
        return self._outputs[key]

    def _output(self, scope: Scope, step: Step, output: str) -> Json:
        found: list[Json] = []
        for number in self._numbers(scope, step):
            if self._handed(scope, step, number) is None:
                found.append(None)
                continue
            path = (*scope.path, (step.name, number))
            if isinstance(step.runs, Tool):
                found.append(self._left(path, _named(step.runs.outputs, output)))
            else:
                found.append(self._result(self.scope(path), _named(step.runs.results, output)))
        if not step.scatter:
            return found[0]
        if step.method == "nested_crossproduct":
            return linking.nested(iter(found), self._shape(scope, step))
        return found

    def _result(self, scope: Scope, result: Result) -> Json:
        return self._link(scope, result.link)

    def _left(self, path: Route, output: Output) -> Json:
        if (path, output.name) in self._lefts:
            return self._lefts[path, output.name]
        job = self.job(path)
        if not outputs.predictable(output, job.call.tool.version):
            self._await(path)
        value = Left(job.call.tool, job.call.about, job.call.folder, self.places).value(output)
        for one in values.entries(value):
            if one["path"] == job.call.folder or one["path"].startswith(f"{job.call.folder}/"):
                self.owners[one["path"]] = path
        self._lefts[path, output.name] = value
        return value

    def _await(self, path: Route) -> None:
        if path not in self.ran:
            raise NotYetError(path)

    def _received(
        self, inputs: tuple[Input, ...], handed: Mapping[str, Json], where: str, *, discover: bool
    ) -> dict[str, Json]:
        """Return what a process is given: its declared inputs, with defaults, of their types."""
        found = {}
        for one in inputs:
            value = handed.get(one.name)
            if value is None and one.default is not None:
                value = values.given(one.default.value)
            if not values.fits(one.type, value):
                kind = values.shown(one.type)
                given = "nothing" if value is None else values.brief(value)
                raise PlanError(f"'{one.name}' of {where} is {given}, not {kind}")
            value = values.with_secondary(value, one.secondary, self.places, discover=discover)
            found[one.name] = self._with_contents(value) if one.contents else value
        return found

    def _with_contents(self, value: Json) -> Json:
        for one in values.entries(value):
            if one["path"] in self.owners:
                self._await(self.owners[one["path"]])
        return values.with_contents(value, self.places)


def name(path: Route) -> str:
    """Return the name of a job: steps with their numbers, as folders."""
    return "/".join(part if number is None else f"{part}/{number}" for part, number in path)


def _named(among: tuple[Output, ...] | tuple[Result, ...], wanted: str) -> Json:
    return next(one for one in among if one.name == wanted)


def _step(scope: Scope, wanted: str) -> Step:
    for step in scope.workflow.steps:
        if step.name == wanted:
            return step
    raise PlanError(f"there is no step '{wanted}'")


def _shown(path: Route) -> str:
    return f"the step '{name(path)}'"
