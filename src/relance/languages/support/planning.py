"""Which jobs there are, with what parameters, as far as it can be known from what is published so far."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from relance.languages.model import (
    FromJq,
    FromValue,
    Fulfilled,
    Json,
    Literal,
    Origin,
    PlanError,
    Scatter,
    Scripted,
    Selector,
    Single,
    Stage,
    Step,
    Workflow,
)
from relance.languages.support import interpolation, jqscript, jsonpath, publishing
from relance.languages.support.answers import Answers, Questions
from relance.languages.support.places import ROOT, WORK, Places, View
from relance.languages.support.publishing import Pointer

_NOTHING = Step(None, None, FromJq(), Origin("", 1))
INIT = "init"
"""The job that publishes a workflow's own parameters."""
SWAPPED = "recast/inputs/"
"""Where `relance recast` puts a file that is given in place of another."""


class UnpublishedError(Exception):
    """Something depends on what the jobs of a stage publish once they have run."""

    def __init__(self, scope: Scope, stage: str) -> None:
        super().__init__(scope.folder, stage)
        self.scope = scope
        self.stage = stage


@dataclass(frozen=True, eq=False)
class Node:
    """A job, or what only publishes."""

    name: str
    """Its folder, relative to that of all jobs."""
    scope: Scope
    stage: str
    step: Step
    case: int
    """Which of its stage's cases it is."""
    parameters: Json
    used: tuple[Node, ...]
    """Those that its parameters come from."""
    writes: bool = True
    """Whether it has a folder of its own."""

    @property
    def runs(self) -> bool:
        """Whether it is a job."""
        return self.step.process is not None and self.step.environment is not None


@dataclass(frozen=True, eq=False)
class Scope:
    """A workflow with its parameters: the whole, or one nested in a stage."""

    folder: str
    """Relative to that of all jobs; empty for the whole."""
    workflow: Workflow
    init: Node | None
    """What publishes its parameters; None if there are none."""
    path: tuple[tuple[str, int | None], ...] = ()
    """Stage and number of each workflow around and of itself."""

    def within(self, name: str) -> str:
        """Return the folder of something in it."""
        return f"{self.folder}/{name}" if self.folder else name


Entry = Node | Scope


@dataclass(frozen=True, eq=False)
class _Reference:
    """A leaf of what a job publishes."""

    node: Node
    pointer: Pointer


@dataclass
class Planner:
    """Decides lazily; what can't be decided yet raises `UnpublishedError`."""

    workflow: Workflow
    parameters: Mapping[str, Json]
    """Of the whole workflow."""
    places: Places
    inputs: str = "init"
    """Folder of the files that the workflow is given, relative to its own."""
    discover: bool = True
    relative: bool = True
    may_be_empty: frozenset[str] = frozenset()
    """Stages that may make no job, by the names that lead to them, with `/` between."""
    answers: dict[tuple[str, str], Answers] = field(default_factory=dict)
    """By scope's folder and stage: what was found when its jobs had run."""
    _entries: dict[tuple[str, str], tuple[Entry, ...]] = field(default_factory=dict)
    _by_name: dict[tuple[str, str], dict[str, Entry]] = field(default_factory=dict)
    _results: dict[str, Json] = field(default_factory=dict)
    _asking: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        init = None
        self.root = Scope("", self.workflow, None)
        parameters = {
            name: f"{ROOT}/{value}" if self.is_swapped(value) else value
            for name, value in self.parameters.items()
        }
        if parameters:
            publisher = FromJq(".", exact=True, glob=self.discover, relative=self.relative)
            step = Step(None, None, publisher, Origin("", 1))
            init = Node(INIT, self.root, INIT, step, 0, parameters, (), writes=False)
        self.root = Scope("", self.workflow, init)

    def is_swapped(self, value: Json) -> bool:
        """Return whether a parameter's value is a file that was given for a recast."""
        return isinstance(value, str) and value.startswith(SWAPPED) and self.places.exists(f"{ROOT}/{value}")

    # What there is

    def entries(self, scope: Scope, name: str) -> tuple[Entry, ...]:
        """Return the jobs, or nested workflows, that a stage adds.

        Raises:
            PlanError: the stage can never run; the reason is told.
            UnpublishedError: it depends on what isn't there yet.
        """
        if name == INIT:
            return (scope.init,) if scope.init else ()
        key = (scope.folder, name)
        if key in self._entries:
            return self._entries[key]
        stage = scope.workflow.stage(name)
        if stage is None:
            return ()
        if key in self._asking:
            circle = " → ".join(asked for _, asked in [*self._asking[self._asking.index(key) :], key])
            raise PlanError(f"stages wait for each other: {circle}")
        self._asking.append(key)
        try:
            self._entries[key] = tuple(self._scheduled(scope, stage))
        except PlanError as error:
            if str(error).startswith("stage '"):
                raise
            where = f"{stage.origin.file}:{stage.origin.line}"
            raise PlanError(f"stage '{scope.within(name)}' ({where}): {error}") from error
        finally:
            self._asking.pop()
        return self._entries[key]

    def every(self, path: tuple[str, ...]) -> Iterator[Node]:
        """Give the jobs of a stage in all the workflows that have it; `path` leads to it."""
        scopes = [self.root]
        for name in path[:-1]:
            scopes = [
                entry for one in scopes for entry in self.entries(one, name) if isinstance(entry, Scope)
            ]
        for scope in scopes:
            for entry in self.entries(scope, path[-1]):
                if isinstance(entry, Node):
                    yield entry

    def scope(self, path: tuple[tuple[str, int | None], ...]) -> Scope:
        """Return the nested workflow that stages and numbers lead to.

        Raises:
            PlanError: there is none.
        """
        scope = self.root
        for name, number in path:
            entry = self._named(scope, name, number)
            if not isinstance(entry, Scope):
                raise PlanError(f"'{entry.name}' is no workflow")
            scope = entry
        return scope

    def node(self, path: tuple[tuple[str, int | None], ...]) -> Node:
        """Return the job that stages and numbers lead to.

        Raises:
            PlanError: there is none.
        """
        *above, (name, number) = path
        entry = self._named(self.scope(tuple(above)), name, number)
        if not isinstance(entry, Node):
            raise PlanError(f"'{entry.folder}' is a workflow")
        return entry

    def _named(self, scope: Scope, name: str, number: int | None) -> Entry:
        wanted = scope.within(name if number is None else f"{name}_{number}")
        key = (scope.folder, name)
        if key not in self._by_name:
            entries = self.entries(scope, name)
            self._by_name[key] = {one.name if isinstance(one, Node) else one.folder: one for one in entries}
        if wanted not in self._by_name[key]:
            raise PlanError(f"there is no job '{wanted}' with these parameters")
        return self._by_name[key][wanted]

    # What a job needs and gives

    def before(self, node: Node) -> tuple[Node, ...]:
        """Return the jobs that must have run before this one, each once, in a fixed order."""
        found: dict[str, Node] = {}
        for one in (*node.used, *self._waited_for(node)):
            for job in (one,) if one.runs else self.before(one):
                found.setdefault(job.name, job)
        if not found and node.scope.path:
            return self._before_scope(node.scope)
        return tuple(found.values())

    def given(self, node: Node) -> tuple[str, ...]:
        """Return the files and folders from outside that a job's parameters name, relative if within."""
        inside = (f"{ROOT}/{self.inputs}/", f"{ROOT}/{SWAPPED}")
        found: dict[str, None] = {}
        for _, value in publishing.leaves(self.filled(node)):
            outside = isinstance(value, str) and value.startswith("/") and not value.startswith(f"{ROOT}/")
            if (outside or str(value).startswith(inside)) and self.places.exists(value):
                found[value.removeprefix(f"{ROOT}/")] = None
        return tuple(found)

    def filled(self, node: Node) -> Json:
        """Return a job's parameters with `{workdir}` and `{readdir0}` replaced."""
        return ordered(self.contextual(node, node.parameters))

    def contextual(self, node: Node, value: Json) -> Json:
        """Return a value with a job's `{workdir}` and `{readdir0}` replaced."""
        folders = {f"readdir{index}": path for index, path in enumerate(self._readable(node))}
        if node.writes:
            folders["workdir"] = f"{WORK}/{node.name}"
        return interpolation.fill_folders(value, folders)

    def command(self, node: Node, text: str) -> str:
        """Return the text of a job's command."""
        return interpolation.fill(text, self.filled(node))

    def promised(self, node: Node) -> tuple[str, ...]:
        """Return the paths within its own folder that a job publishes, known before it runs."""
        if not publishing.known_before(node.step):
            return ()
        own = f"{WORK}/{node.name}/"
        values = (value for _, value in publishing.leaves(self.result(node)))
        return tuple(v.removeprefix(f"{ROOT}/") for v in values if isinstance(v, str) and v.startswith(own))

    def result(self, node: Node) -> Json:
        """Return what a job publishes.

        Raises:
            UnpublishedError: it isn't known yet.
        """
        if node.name not in self._results:
            if self.late(node):
                found = self.answers.get((node.scope.folder, node.stage))
                if found is None:
                    raise UnpublishedError(node.scope, node.stage)
                self._results[node.name] = self._published(node, found)
            else:
                self._results[node.name] = self._published(node, self.places)
        return self._results[node.name]

    def late(self, node: Node) -> bool:
        """Return whether what a job publishes is known only once it, or one that it reads from, has run."""
        if node.writes:
            return not publishing.known_before(node.step)
        folder = self._searched(node)
        if folder is None or not folder.startswith(f"{WORK}/"):
            return False
        return publishing.searches(node.step.publisher, self.filled(node))

    def asked(self, node: Node) -> Questions:
        """Return what has to be looked for, once a job has run, to know what it publishes."""
        questions = Questions()
        self._published(node, questions)
        return questions

    def _published(self, node: Node, view: View) -> Json:
        try:
            return publishing.publish(node.step.publisher, self.filled(node), self._searched(node), view)
        except PlanError as error:
            raise PlanError(f"the job '{node.name}': {error}".replace(f"{ROOT}/", "")) from error

    def _searched(self, node: Node) -> str | None:
        """Return the folder where text that a job publishes is looked for as the name of a file.

        yadage looks as soon as the parameters are known. Where they come from a job that publishes before it
        runs, nothing would be there yet; only who says `discover` means to find something all the same.
        """
        if node.writes:
            return f"{WORK}/{node.name}"
        sources = self._sources(node)
        if len(sources) != 1:
            return None
        publisher = node.step.publisher
        wanted = isinstance(publisher, FromJq) and publisher.glob
        early = sources[0].writes and publishing.known_before(sources[0].step)
        return None if early and not wanted else self._place(sources[0])

    def _readable(self, node: Node) -> tuple[str, ...]:
        """Return the folders that a job may read; one that two ways lead to is there twice, as in yadage."""
        return tuple(map(self._place, self._sources(node)))

    def _sources(self, node: Node) -> tuple[Node, ...]:
        if node is self.root.init:
            return (node,)
        return tuple(job for one in node.used for job in ((one,) if one.writes else self._sources(one)))

    def _place(self, source: Node) -> str:
        return f"{WORK}/{source.name}" if source.writes else f"{ROOT}/{self.inputs}"

    def _waited_for(self, node: Node) -> Iterator[Node]:
        """Give what a job's stage waits for and its parameters don't come from."""
        stage = node.scope.workflow.stage(node.stage)
        if stage is None or isinstance(stage.dependencies, Fulfilled):
            return
        for query in stage.dependencies.queries:
            nodes = [job for entry in self._matched(node.scope, query) for job in self._within(entry)]
            if not set(nodes) & set(node.used):
                yield from nodes

    def _before_scope(self, scope: Scope) -> tuple[Node, ...]:
        """Return the jobs that must have run before any of a nested workflow."""
        around, stage = self.scope(scope.path[:-1]), scope.path[-1][0]
        used = scope.init.used if scope.init else ()
        return self.before(Node(scope.folder, around, stage, _NOTHING, 0, {}, used, writes=False))

    def _within(self, entry: Entry) -> Iterator[Node]:
        if isinstance(entry, Node):
            yield entry
            return
        for stage in entry.workflow.stages:
            for inner in self.entries(entry, stage.name):
                yield from self._within(inner)

    # How stages become jobs

    def _scheduled(self, scope: Scope, stage: Stage) -> Iterator[Entry]:
        self._check_ready(scope, stage)
        match stage.schedule:
            case Scripted():
                sets = self._scripted(scope, stage.schedule, stage)
            case _:
                values = {one.name: self._chosen(scope, one.value) for one in stage.parameters}
                sets = [values] if isinstance(stage.schedule, Single) else scattered(values, stage.schedule)
        found = False
        for number, values in enumerate(sets):
            used: dict[Node, None] = {}
            parameters = self._final(values, used)
            if isinstance(stage.schedule, Scripted):
                parameters = jqscript.first(stage.schedule.after, parameters)
            own = number if stage.many else None
            if entry := self._entry(scope, stage, own, parameters, tuple(used)):
                found = True
                yield entry
        if not sets:
            self._check_empty(scope, stage)
        elif not found:
            conditions = ", ".join(repr(case.condition) for case in stage.cases)
            raise PlanError(f"none of its cases holds, so it would never run: {conditions}")

    def _entry(
        self, scope: Scope, stage: Stage, number: int | None, parameters: Json, used: tuple[Node, ...]
    ) -> Entry | None:
        name = scope.within(stage.name if number is None else f"{stage.name}_{number}")
        for index, case in enumerate(stage.cases):
            if case.condition is not None and not jqscript.first(case.condition, ordered(parameters)):
                continue
            if case.step is not None:
                return Node(name, scope, stage.name, case.step, index, parameters, used)
            if case.workflow is not None:
                path = (*scope.path, (stage.name, number))
                publisher = FromJq(".", exact=True, glob=stage.discover, relative=stage.relative)
                step = Step(None, None, publisher, stage.origin)
                inner = Scope(name, case.workflow, None, path)
                init = Node(f"{name}/{INIT}", inner, INIT, step, 0, parameters, used, writes=False)
                return Scope(name, case.workflow, init, path)
        return None

    def _check_ready(self, scope: Scope, stage: Stage) -> None:
        if isinstance(stage.dependencies, Fulfilled):
            for expression in stage.dependencies.expressions:
                if not self._evaluated(scope, expression):
                    raise PlanError("what it waits for never has a value, so it would never run")
            return
        for query in stage.dependencies.queries:
            if not self._matched(scope, query):
                known = ", ".join([INIT, *(one.name for one in scope.workflow.stages)])
                raise PlanError(
                    f"it waits for {query!r}, which matches no job, so it would never run; stages are {known}"
                )

    def _check_empty(self, scope: Scope, stage: Stage) -> None:
        """Refuse a stage without jobs: what it was to make would be missing, and nobody would know."""
        path = "/".join([*(name for name, _ in scope.path), stage.name])
        if path not in self.may_be_empty:
            what = "its stepscript gives an empty list"
            if isinstance(stage.schedule, Scatter):
                names = " and ".join(f"'{name}'" for name in stage.schedule.parameters)
                what = f"there is nothing in {names} to scatter"
            raise PlanError(
                f"{what}, so it would never run; if that is right, name '{path}' in 'may_be_empty' of the "
                "configuration"
            )

    def _scripted(self, scope: Scope, schedule: Scripted, stage: Stage) -> list[Json]:
        bindings = _replaced(schedule.bindings, "$wflowref", partial(self._bound, scope, stage))
        found = jqscript.first(schedule.script, bindings)
        if not isinstance(found, list):
            raise PlanError("its stepscript gives no list")
        return [_replaced(one, "$wflowpointer", partial(self._pointed, scope)) for one in found]

    def _bound(self, scope: Scope, stage: Stage, reference: Json) -> Json:
        """Return the references to outputs that `$wflowref` asks for, in a form that jq can handle."""
        if not isinstance(reference, list) or len(reference) != 2:
            raise PlanError("'$wflowref' isn't a pair of jq scripts")
        nodes_script, outputs_script = reference
        queries = stage.dependencies.queries if not isinstance(stage.dependencies, Fulfilled) else ()
        names: set[str] = set()
        for query in queries:
            first = jsonpath.first_names(query)
            names |= {one.name for one in scope.workflow.stages} | {INIT} if first is None else first
        names.discard(stage.name)
        steps = {name: [self._as_json(entry) for entry in self.entries(scope, name)] for name in names}
        chosen = jqscript.values(nodes_script, {name: found for name, found in steps.items() if found})

        def outputs(name: Json) -> Json:
            node = self._node_called(scope, name)
            return jqscript.values(outputs_script, _pointers(self.result(node), node.name, ()))

        return _replaced(chosen, "_nodeid", outputs)

    def _as_json(self, entry: Entry) -> Json:
        if isinstance(entry, Node):
            return {"_nodeid": entry.name}
        inner = {
            stage.name: [self._as_json(one) for one in self.entries(entry, stage.name)]
            for stage in entry.workflow.stages
        }
        return {"_offset": entry.folder, **inner}

    def _node_called(self, scope: Scope, name: Json) -> Node:
        for stage in (INIT, *(one.name for one in scope.workflow.stages)):
            if (scope.folder, stage) in self._asking:
                continue
            for entry in self.entries(scope, stage):
                if isinstance(entry, Node):
                    if entry.name == name:
                        return entry
                elif str(name).startswith(f"{entry.folder}/"):
                    return self._node_called(entry, name)
        raise PlanError(f"there is no job {name!r}")

    def _pointed(self, scope: Scope, pointer: Json) -> Json:
        try:
            parts = tuple(pointer["result"])
            return _Reference(self._node_called(scope, pointer["step"]), parts)
        except (KeyError, TypeError) as error:
            raise PlanError("'$wflowpointer' isn't one that '$wflowref' gave") from error

    # What expressions choose

    def _chosen(self, scope: Scope, value: Literal | Selector | FromValue) -> Json:
        return value.value if isinstance(value, Literal) else self._evaluated(scope, value)

    def _evaluated(self, scope: Scope, expression: Selector | FromValue) -> Json:
        if isinstance(expression, FromValue):
            return self._from_value(scope, expression)
        entries = self._matched(scope, expression.query)
        if len({isinstance(entry, Scope) for entry in entries}) > 1:
            raise PlanError(f"{expression.query!r} matches jobs and workflows")
        if expression.single:
            if len(entries) != 1:
                raise PlanError(f"{expression.query!r} is for one job and matches {len(entries)}")
            return self._output(entries[0], expression.output)
        combined: list[Json] = []
        for entry in entries:
            output = self._output(entry, expression.output)
            if isinstance(output, list) and expression.flatten:
                combined += output
            else:
                combined.append(output)
        return combined[0] if expression.unwrap and len(combined) == 1 else combined

    def _from_value(self, scope: Scope, expression: FromValue) -> Json:
        if expression.scope is not None:
            scopes = self._matched(scope, expression.scope)
            if len(scopes) != 1 or not isinstance(scopes[0], Scope):
                raise PlanError(f"{expression.scope!r} isn't one nested workflow")
            scope = scopes[0]
        return self._registered(scope, expression.name)

    def _registered(self, scope: Scope, name: str | None) -> Json:
        for stage in scope.workflow.stages:
            if name is not None and name in stage.registered:
                return self._evaluated(scope, stage.registered[name])
        return None

    def _output(self, entry: Entry, query: str | None) -> Json:
        if isinstance(entry, Scope):
            return self._registered(entry, query)
        result = self.result(entry)
        referring = _references(entry, result, ())
        query = query or "$"
        if isinstance(referring, dict) and query in referring:
            return referring[query]
        found = jsonpath.find(query, referring)
        if len(found) != 1:
            known = ", ".join(result) if isinstance(result, dict) else "no names"
            raise PlanError(
                f"the output {query!r} matches {len(found)} of what '{entry.name}' publishes ({known})"
            )
        return found[0]

    def _matched(self, scope: Scope, query: str) -> list[Entry]:
        entries = []
        for match in jsonpath.find(query, Tree(self, scope)):
            for item in match if isinstance(match, list) else [match]:
                if isinstance(item, Mapping):
                    entries += [item[key] for key in ("_nodeid", "_offset") if key in item]
        return [entry for entry in entries if isinstance(entry, (Node, Scope))]

    def _final(self, value: Json, used: dict[Node, None]) -> Json:
        if isinstance(value, _Reference):
            used[value.node] = None
            found = self.result(value.node)
            for key in value.pointer:
                found = found[key]
            return found
        if isinstance(value, dict):
            return {key: self._final(item, used) for key, item in value.items()}
        if isinstance(value, list):
            return [self._final(item, used) for item in value]
        return value

    def follows(self, scope: Scope) -> frozenset[str]:
        """Return the stages of a workflow that are being decided or wait for one that is."""
        asked = {stage for folder, stage in self._asking if folder == scope.folder}
        while True:
            more = {
                stage.name
                for stage in scope.workflow.stages
                if stage.name not in asked and _mentions(stage) & asked
            }
            if not more:
                return frozenset(asked)
            asked |= more


class Tree(Mapping[str, Any]):
    """A workflow's stages as JSONPath sees them; a stage is decided when it is looked at."""

    def __init__(self, planner: Planner, scope: Scope, itself: Scope | None = None) -> None:
        self._planner = planner
        self._scope = scope
        self._itself = itself

    def __getitem__(self, name: str) -> Json:
        if name == "_offset" and self._itself is not None:
            return self._itself
        entries = self._planner.entries(self._scope, name)
        if not entries:
            raise KeyError(name)
        return [
            {"_nodeid": one} if isinstance(one, Node) else Tree(self._planner, one, one) for one in entries
        ]

    def __contains__(self, name: object) -> bool:
        try:
            self[str(name)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        later = self._planner.follows(self._scope)
        names = (INIT, *(stage.name for stage in self._scope.workflow.stages))
        return iter([name for name in names if name not in later and name in self])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def scattered(values: Mapping[str, Json], schedule: Scatter) -> list[dict[str, Json]]:
    """Return the parameter sets of a stage that scatters.

    Raises:
        PlanError: a parameter to scatter is no list, or lists to go through together aren't of one length.
    """
    common = {name: value for name, value in values.items() if name not in schedule.parameters}
    lists = []
    for name in schedule.parameters:
        if not isinstance(values.get(name), list):
            raise PlanError(f"the parameter '{name}' is scattered and isn't a list")
        lists.append(grouped(values[name], schedule))
    if schedule.cartesian:
        return [
            {**common, **dict(zip(schedule.parameters, chosen, strict=True))}
            for chosen in itertools.product(*lists)
        ]
    lengths = {name: len(one) for name, one in zip(schedule.parameters, lists, strict=True)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"'{name}' {length}" for name, length in lengths.items())
        raise PlanError(f"lists scattered together have different lengths: {told}")
    return [
        {**common, **dict(zip(schedule.parameters, chosen, strict=True))}
        for chosen in zip(*lists, strict=True)
    ]


def grouped(values: list[Json], schedule: Scatter) -> list[Json]:
    """Return a list in batches of a size, or divided into a number of parts, the later ones longer."""
    if schedule.batch:
        return [values[at : at + schedule.batch] for at in range(0, len(values), schedule.batch)]
    if schedule.parts:
        parts = min(schedule.parts, len(values))
        ends = list(itertools.accumulate((len(values) + index) // parts for index in range(parts)))
        return [values[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)] if parts else []
    return values


def _mentions(stage: Stage) -> frozenset[str]:
    queries: list[str] = []
    if isinstance(stage.dependencies, Fulfilled):
        queries += [one.query for one in stage.dependencies.expressions if isinstance(one, Selector)]
    else:
        queries += stage.dependencies.queries
    queries += [one.value.query for one in stage.parameters if isinstance(one.value, Selector)]
    return frozenset().union(*(jsonpath.first_names(query) or () for query in queries))


def ordered(value: Json) -> Json:
    """Return a value with the keys of its mappings in alphabetical order, in which yadage hands them on."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return list(map(ordered, value))
    return value


def _references(node: Node, value: Json, pointer: Pointer) -> Json:
    if isinstance(value, dict):
        return {key: _references(node, item, (*pointer, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_references(node, item, (*pointer, index)) for index, item in enumerate(value)]
    return value if value is None or value is False else _Reference(node, pointer)


def _pointers(value: Json, name: str, pointer: Pointer) -> Json:
    if isinstance(value, dict):
        return {key: _pointers(item, name, (*pointer, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_pointers(item, name, (*pointer, index)) for index, item in enumerate(value)]
    if value is None or value is False:
        return value
    return {"$wflowpointer": {"step": name, "result": list(pointer)}}


def _replaced(value: Json, key: str, change: Any) -> Json:
    """Return a structure with every mapping that has a key replaced by what `change` makes of its value."""
    if isinstance(value, dict):
        if key in value:
            return change(value[key])
        return {name: _replaced(item, key, change) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, key, change) for item in value]
    return value
