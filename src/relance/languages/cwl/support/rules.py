"""What the rules of a compiled Snakefile ask: which files and commands belong to which wildcards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from relance.languages.cwl import model
from relance.languages.cwl.model import Workflow
from relance.languages.cwl.support import outputs
from relance.languages.cwl.support.collecting import Collected
from relance.languages.cwl.support.outputs import Left
from relance.languages.cwl.support.places import ROOT, Places
from relance.languages.cwl.support.planning import Job, NotYetError, Planner, Route, name
from relance.languages.encoding import decoded
from relance.languages.model import Json, PlanError

_T = TypeVar("_T")
Function = Callable[[Any], Any]
_LATER = "<TBD>"


def planner(folder: Path, parameters: Json) -> Planner:
    """Return the planner of the compiled workflow in a folder, with the parameters of a configuration.

    Raises:
        PlanError: they are none of this workflow's.
    """
    workflow = decoded(json.loads((folder / "workflow.json").read_text("utf-8")), Workflow, model)
    if not isinstance(parameters, dict):
        raise PlanError(f"'parameters' of the configuration is {parameters!r}, not a mapping")
    unknown = ", ".join(sorted(set(parameters) - {one.name for one in workflow.inputs}))
    if unknown:
        raise PlanError(f"the workflow has no input {unknown}, which 'parameters' of the configuration names")
    return Planner(workflow, parameters, Places(folder))


class Rules:
    """Answers for one run of Snakemake; asks for checkpoints where something isn't known yet.

    Args:
        folder: Where the compiled workflow lies and runs.
        config: Has `parameters` and `images`.
        checkpoints: Snakemake's.
        late: The names of the rules that are checkpoints, by the patterns of their jobs' folders.
    """

    def __init__(
        self, folder: Path, config: Mapping[str, Json], checkpoints: Any, late: Mapping[str, str]
    ) -> None:
        self._plan = planner(folder, config.get("parameters") or {})
        self._checkpoints = checkpoints
        self._late = late
        self._images = dict(config.get("images") or {})
        self._patterns: list[str] = []

    def every(self, pattern: str) -> Function:
        """Return the input function for the folders of all of a step's jobs."""

        self._patterns.append(pattern)

        def function(wildcards: Any) -> list[str]:  # noqa: ARG001 - Snakemake's signature
            return self._settled(lambda: [_folder(path) for path in self._plan.every(_steps(pattern))])

        return function

    def inputs(self, pattern: str) -> Function:
        """Return the input function of a step's jobs."""

        def function(wildcards: Any) -> list[str]:
            def found() -> list[str]:
                jobs, given = self._plan.needs(self._job(pattern, wildcards))
                return [*map(_folder, jobs), *given]

            return self._settled(found)

        return function

    def command(self, pattern: str) -> Function:
        """Return the function for a job's command."""
        return self._of_job(pattern, lambda job: job.call.text())

    def promised(self, pattern: str) -> Function:
        """Return the function for the files that a job must leave."""

        def files(job: Job) -> list[str]:
            tool = job.call.tool
            left = Left(tool, job.call.about, job.call.folder, self._plan.places)
            known = [one for one in tool.outputs if outputs.predictable(one, tool.version)]
            return [left.promised(one).removeprefix(f"{ROOT}/") for one in known]

        return self._of_job(pattern, files)

    def threads(self, pattern: str) -> Function:
        """Return the function for the number of processors that a job asks for."""
        return self._asked(pattern, "cores", 1)

    def memory(self, pattern: str) -> Function:
        """Return the function for the memory that a job asks for, in MiB."""
        return self._asked(pattern, "ram", 256)

    def results(self, wildcards: Any) -> list[str]:  # noqa: ARG002 - Snakemake's signature
        """Return what the outputs of the workflow are made of; every job's outputs are looked at."""

        def found() -> list[str]:
            for pattern in self._patterns:
                for path in self._plan.every(_steps(pattern)):
                    self._plan.check(path)
            return self._collected()[0]

        return self._settled(found)

    def copies(self, wildcards: Any) -> str:  # noqa: ARG002 - Snakemake's signature
        """Return the commands that copy the outputs of the workflow into their folder."""
        return str(self._known(lambda: self._collected()[1]))

    def told(self, wildcards: Any) -> str:  # noqa: ARG002 - Snakemake's signature
        """Return the outputs of the workflow as JSON."""
        return str(self._known(lambda: self._collected()[2]))

    def image(self, reference: str) -> str:
        """Return an image, or what the configuration's `images` puts in its place."""
        return str(self._images.get(reference, reference))

    def _asked(self, pattern: str, what: str, least: int) -> Function:
        def number(wildcards: Any) -> int:
            try:
                runtime = self._job(pattern, wildcards).call.about.runtime or {}
            except NotYetError:
                return least
            return max(1, int(runtime[what]))

        return number

    def _of_job(self, pattern: str, ask: Callable[[Job], Any]) -> Function:
        def function(wildcards: Any) -> Any:
            return self._known(lambda: ask(self._job(pattern, wildcards)))

        return function

    def _known(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except NotYetError:
            return _LATER  # the rule's input function asks for the checkpoint

    def _collected(self) -> tuple[list[str], str, str]:
        collected = Collected()
        told = collected.told(self._plan.results())
        files = []
        for path in collected.copies:
            owner = self._plan.owners.get(path)
            files.append(path.removeprefix(f"{ROOT}/") if owner is None else _folder(owner))
        return list(dict.fromkeys(files)), collected.commands(), json.dumps(told, indent=1, sort_keys=True)

    def _job(self, pattern: str, wildcards: Any) -> Job:
        return self._plan.job(_route(pattern, {key: int(value) for key, value in wildcards.items()}))

    def _settled(self, ask: Callable[[], _T]) -> _T:
        """Return an answer once what it depends on has run; until then Snakemake's exception leaves here."""
        return settled(self._plan, ask, self._await)

    def _await(self, path: Route) -> None:
        numbers = {f"n{depth}": number for depth, (_, number) in enumerate(path)}
        wildcards = {key: str(number) for key, number in numbers.items() if number is not None}
        getattr(self._checkpoints, self._late[_pattern(path)]).get(**wildcards)


def settled(plan: Planner, ask: Callable[[], _T], wait: Callable[[Route], object]) -> _T:
    """Return an answer once what it depends on has run, for which `wait` waits or raises."""
    while True:
        try:
            return ask()
        except NotYetError as missing:
            wait(missing.path)
            plan.ran.add(missing.path)


def _steps(pattern: str) -> tuple[str, ...]:
    return tuple(part for part in pattern.split("/") if not part.startswith("{"))


def _route(pattern: str, numbers: Mapping[str, int]) -> Route:
    found: list[tuple[str, int | None]] = []
    for part in pattern.split("/"):
        if part.startswith("{"):
            found[-1] = (found[-1][0], numbers[part[1:-1]])
        else:
            found.append((part, None))
    return tuple(found)


def _pattern(path: Route) -> str:
    parts = (part if number is None else f"{part}/{{n{depth}}}" for depth, (part, number) in enumerate(path))
    return "/".join(parts)


def _folder(path: Route) -> str:
    return f"workdir/{name(path)}"
