"""Runs a workflow's jobs one after another, as the planner gives them, where Snakemake would be slow."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from relance.languages.model import Command, Json, Script, Workflow
from relance.languages.support import patterns
from relance.languages.support.answers import Answers
from relance.languages.support.nodes import Node, Scope, UnpublishedError
from relance.languages.support.places import ROOT, Places
from relance.languages.support.planning import Planner

T = TypeVar("T")


class Planned:
    """A workflow that runs in a folder."""

    def __init__(self, workflow: Workflow, parameters: dict[str, Json], folder: Path) -> None:
        self._folder = folder
        self._places = Places(folder)
        self._plan = Planner(workflow, parameters, self._places)
        self._ran: set[str] = set()

    def jobs(self) -> dict[str, Any]:
        """Run everything; return what each job was given and published.

        Raises:
            PlanError: the workflow can't go on.
            CalledProcessError: a command fails.
        """
        found = {}
        for pattern in patterns.jobs(self._plan.root.workflow):
            for node in self._settled(lambda: list(self._plan.every(patterns.stages(pattern)))):  # noqa: B023
                if patterns.fits(pattern, node.name):
                    self._settled(lambda: self._run(node))  # noqa: B023
                    given = self._settled(lambda: self._plan.filling.parameters(node))  # noqa: B023
                    result = self._settled(lambda: self._plan.outcomes.result(node))  # noqa: B023
                    found[node.name] = {"parameters": given, "result": result}
        return found

    def _settled(self, ask: Callable[[], T]) -> T:
        while True:
            try:
                return ask()
            except UnpublishedError as missing:
                self._run_stage(missing.scope, missing.stage)

    def _run_stage(self, scope: Scope, stage: str) -> None:
        for entry in self._settled(lambda: self._plan.entries(scope, stage)):
            if isinstance(entry, Node):
                self._settled(lambda: self._run(entry))  # noqa: B023
        # What a shell would find is what lies there.
        self._plan.outcomes.answers[scope.folder, stage] = cast(Answers, self._places)

    def _run(self, node: Node) -> None:
        for one in self._plan.before(node):
            self._run(one)
        process = node.step.process
        if not node.runs or node.name in self._ran or not isinstance(process, (Command, Script)):
            return
        place = self._folder / "workdir" / node.name
        place.mkdir(parents=True)
        text = self._plan.filling.command(node, process.text).replace(ROOT, str(self._folder))
        words = ["sh", "-c", process.interpreter if isinstance(process, Script) else text]
        given = text if isinstance(process, Script) else ""
        subprocess.run(words, cwd=place, input=given, text=True, check=True, capture_output=True)
        self._ran.add(node.name)
