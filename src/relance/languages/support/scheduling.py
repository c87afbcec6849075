"""How a stage becomes jobs, or nested workflows, each with its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from relance.languages.model import Fulfilled, Json, PlanError, Scatter, Scripted, Single, Stage
from relance.languages.support import jqscript, naming
from relance.languages.support.choosing import Choosing
from relance.languages.support.filling import ordered
from relance.languages.support.nodes import INIT, Entry, Node, Scope, begun
from relance.languages.support.pointers import followed
from relance.languages.support.scatter import scattered
from relance.languages.support.stepscripts import Stepscript


@dataclass(frozen=True)
class Scheduling:
    """Makes jobs of stages."""

    choosing: Choosing
    may_be_empty: frozenset[str]
    """Stages that may make no job, by the names that lead to them, with `/` between."""

    def scheduled(self, scope: Scope, stage: Stage) -> Iterator[Entry]:
        """Give the jobs, or nested workflows, that a stage adds.

        Raises:
            PlanError: the stage can never run.
            UnpublishedError: it depends on what isn't there yet.
        """
        self._check_ready(scope, stage)
        match stage.schedule:
            case Scripted():
                sets = Stepscript(self.choosing, scope, stage, stage.schedule).parameters()
            case _:
                values = {one.name: self.choosing.chosen(scope, one.value) for one in stage.parameters}
                sets = [values] if isinstance(stage.schedule, Single) else scattered(values, stage.schedule)
        found = False
        for number, values in enumerate(sets):
            used: dict[Node, None] = {}
            parameters = followed(values, used, self.choosing.outcomes)
            if isinstance(stage.schedule, Scripted):
                parameters = jqscript.first(stage.schedule.after, parameters)
            own = number if stage.many else None
            if entry := _entry(scope, stage, own, parameters, tuple(used)):
                found = True
                yield entry
        if not sets:
            self._check_empty(scope, stage)
        elif not found:
            conditions = ", ".join(repr(case.condition) for case in stage.cases)
            raise PlanError(f"none of its cases holds, so it would never run: {conditions}")

    def _check_ready(self, scope: Scope, stage: Stage) -> None:
        if isinstance(stage.dependencies, Fulfilled):
            for expression in stage.dependencies.expressions:
                if not self.choosing.evaluated(scope, expression):
                    raise PlanError("what it waits for never has a value, so it would never run")
            return
        for query in stage.dependencies.queries:
            if not self.choosing.matched(scope, query):
                known = ", ".join([INIT, *(one.name for one in scope.workflow.stages)])
                raise PlanError(
                    f"it waits for {query!r}, which matches no job, so it would never run; stages are {known}"
                )

    def _check_empty(self, scope: Scope, stage: Stage) -> None:
        """Refuse a stage without jobs: what it was to make would be missing, and nobody would know."""
        path = "/".join(map(naming.folder, [*(name for name, _ in scope.path), stage.name]))
        if path not in self.may_be_empty:
            what = "its stepscript gives an empty list"
            if isinstance(stage.schedule, Scatter):
                names = " and ".join(f"'{name}'" for name in stage.schedule.parameters)
                what = f"there is nothing in {names} to scatter"
            raise PlanError(
                f"{what}, so it would never run; if that is right, name '{path}' in 'may_be_empty' of the "
                "configuration"
            )


def _entry(
    scope: Scope, stage: Stage, number: int | None, parameters: Json, used: tuple[Node, ...]
) -> Entry | None:
    """Return what the first case that holds makes of parameters."""
    name = scope.within(stage.name if number is None else f"{stage.name}_{number}")
    for index, case in enumerate(stage.cases):
        if case.condition is not None and not jqscript.first(case.condition, ordered(parameters)):
            continue
        if case.step is not None:
            return Node(name, scope, stage.name, case.step, index, parameters, used)
        if case.workflow is not None:
            inner = Scope(name, case.workflow, None, (*scope.path, (stage.name, number)))
            return begun(
                inner,
                parameters,
                used,
                origin=stage.origin,
                discover=stage.discover,
                relative=stage.relative,
            )
    return None
