"""Stages whose jobs a script in jq makes, from bindings in which `$wflowref` asks for outputs of others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from relance.languages.model import Json, PlanError, Scripted, Stage
from relance.languages.support import jqscript
from relance.languages.support.choosing import Choosing, seen
from relance.languages.support.nodes import INIT, Entry, Node, Scope
from relance.languages.support.pointers import Reference
from relance.languages.support.publishing import Pointer


@dataclass(frozen=True)
class Stepscript:
    """The script of a stage."""

    choosing: Choosing
    scope: Scope
    """The workflow that the stage is of."""
    stage: Stage
    schedule: Scripted

    def parameters(self) -> list[Json]:
        """Return the parameters of each job, with references to what others publish.

        Raises:
            PlanError: a script fails, or gives something else.
            UnpublishedError: it depends on what isn't there yet.
        """
        bindings = _replaced(self.schedule.bindings, "$wflowref", self._bound)
        found = jqscript.first(self.schedule.script, bindings)
        if not isinstance(found, list):
            raise PlanError("its stepscript gives no list")
        return [_replaced(one, "$wflowpointer", self._pointed) for one in found]

    def _bound(self, reference: Json) -> Json:
        """Return the references to outputs that `$wflowref` asks for, in a form that jq can handle."""
        if not isinstance(reference, list) or len(reference) != 2:
            raise PlanError("'$wflowref' isn't a pair of jq scripts")
        nodes_script, outputs_script = reference
        scope = self.scope
        names = seen(scope.workflow, self.stage)
        steps = {name: [self._as_json(one) for one in self.choosing.entries(scope, name)] for name in names}
        chosen = jqscript.values(nodes_script, {name: found for name, found in steps.items() if found})

        def outputs(name: Json) -> Json:
            node = self._node_called(scope, names, name)
            return jqscript.values(outputs_script, _pointers(self.choosing.outcomes.result(node), node.name))

        return _replaced(chosen, "_nodeid", outputs)

    def _as_json(self, entry: Entry) -> Json:
        if isinstance(entry, Node):
            return {"_nodeid": entry.name}
        inner = {
            stage.name: [self._as_json(one) for one in self.choosing.entries(entry, stage.name)]
            for stage in entry.workflow.stages
        }
        return {"_offset": entry.folder, **inner}

    def _node_called(self, scope: Scope, stages: Iterable[str], name: Json) -> Node:
        for stage in stages:
            for entry in self.choosing.entries(scope, stage):
                if isinstance(entry, Node):
                    if entry.name == name:
                        return entry
                elif str(name).startswith(f"{entry.folder}/"):
                    inner = (INIT, *(one.name for one in entry.workflow.stages))
                    return self._node_called(entry, inner, name)
        raise PlanError(f"there is no job {name!r}")

    def _pointed(self, pointer: Json) -> Json:
        try:
            parts = tuple(pointer["result"])
            names = seen(self.scope.workflow, self.stage)
            return Reference(self._node_called(self.scope, names, pointer["step"]), parts)
        except (KeyError, TypeError) as error:
            raise PlanError("'$wflowpointer' isn't one that '$wflowref' gave") from error


def _pointers(value: Json, name: str, pointer: Pointer = ()) -> Json:
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
