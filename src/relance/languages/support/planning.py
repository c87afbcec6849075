"""Which jobs a workflow has, and which before which, as far as it can be known from what is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from relance.languages.model import FromJq, Fulfilled, Json, Origin, PlanError, Step, Workflow
from relance.languages.support.choosing import Choosing
from relance.languages.support.filling import Filling
from relance.languages.support.nodes import INIT, Entry, Node, Scope, begun
from relance.languages.support.outcomes import Outcomes
from relance.languages.support.patterns import Numbered
from relance.languages.support.places import ROOT, Places
from relance.languages.support.scheduling import Scheduling

_NOWHERE = Origin("", 1)
_NOTHING = Step(None, None, FromJq(), _NOWHERE)


class Planner:
    """Decides lazily; what can't be decided yet raises `UnpublishedError`."""

    def __init__(
        self,
        workflow: Workflow,
        parameters: Mapping[str, Json],
        places: Places,
        *,
        inputs: str = "init",
        may_be_empty: frozenset[str] = frozenset(),
    ) -> None:
        """Begin with nothing decided.

        Args:
            workflow: the whole.
            parameters: of the whole workflow.
            places: the folder that it runs in.
            inputs: folder of the files that the workflow is given, relative to its own.
            may_be_empty: stages that may make no job, by the names that lead to them, with `/` between.
        """
        self.parameters = parameters
        self.root = Scope("", workflow, None)
        given = {
            name: f"{ROOT}/{value}" if places.is_swapped(value) else value
            for name, value in parameters.items()
        }
        if given:
            self.root = begun(self.root, given, origin=_NOWHERE, discover=True, relative=True)
        self.filling = Filling(self.root.init, places, inputs)
        self.outcomes = Outcomes(self.filling)
        self._choosing = Choosing(self.entries, self._deciding, self.outcomes)
        self._scheduling = Scheduling(self._choosing, may_be_empty)
        self._entries: dict[tuple[str, str], tuple[Entry, ...]] = {}
        self._by_name: dict[tuple[str, str], dict[str, Entry]] = {}
        self._asking: list[tuple[str, str]] = []

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
            self._entries[key] = tuple(self._scheduling.scheduled(scope, stage))
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

    def scope(self, path: Numbered) -> Scope:
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

    def node(self, path: Numbered) -> Node:
        """Return the job that stages and numbers lead to.

        Raises:
            PlanError: there is none.
        """
        *above, (name, number) = path
        entry = self._named(self.scope(tuple(above)), name, number)
        if not isinstance(entry, Node):
            raise PlanError(f"'{entry.folder}' is a workflow")
        return entry

    def before(self, node: Node) -> tuple[Node, ...]:
        """Return the jobs that must have run before this one, each once, in a fixed order."""
        found: dict[str, Node] = {}
        for one in (*node.used, *self._waited_for(node)):
            for job in (one,) if one.runs else self.before(one):
                found.setdefault(job.name, job)
        if not found and node.scope.path:
            return self._before_scope(node.scope)
        return tuple(found.values())

    def _named(self, scope: Scope, name: str, number: int | None) -> Entry:
        wanted = scope.within(name if number is None else f"{name}_{number}")
        key = (scope.folder, name)
        if key not in self._by_name:
            entries = self.entries(scope, name)
            self._by_name[key] = {one.name if isinstance(one, Node) else one.folder: one for one in entries}
        if wanted not in self._by_name[key]:
            raise PlanError(f"there is no job '{wanted}' with these parameters")
        return self._by_name[key][wanted]

    def _deciding(self, scope: Scope) -> frozenset[str]:
        return frozenset(stage for folder, stage in self._asking if folder == scope.folder)

    def _waited_for(self, node: Node) -> Iterator[Node]:
        """Give what a job's stage waits for and its parameters don't come from."""
        stage = node.scope.workflow.stage(node.stage)
        if stage is None or isinstance(stage.dependencies, Fulfilled):
            return
        for query in stage.dependencies.queries:
            matched = self._choosing.matched(node.scope, query)
            nodes = [job for entry in matched for job in self._within(entry)]
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
