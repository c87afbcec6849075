"""What the rules of a compiled Snakefile ask: which files and commands belong to which wildcards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from relance.languages.encoding import decode
from relance.languages.model import Commands, Container, Json, PlanError, Script
from relance.languages.support import answers, interpolation, jqscript, naming, patterns
from relance.languages.support.answers import Kind
from relance.languages.support.nodes import Node, Scope, UnpublishedError
from relance.languages.support.places import ROOT, Places
from relance.languages.support.planning import Planner

_T = TypeVar("_T")
Function = Callable[[Any], Any]
_LATER = "<TBD>"


def planner(folder: Path, config: Mapping[str, Json]) -> Planner:
    """Return the planner of the compiled workflow in a folder, with the parameters of a configuration.

    Raises:
        PlanError: the configuration is none of this workflow.
    """
    parameters = config.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise PlanError(f"'parameters' of the configuration is {parameters!r}, not a mapping")
    empty = config.get("may_be_empty") or []
    if not isinstance(empty, list):
        raise PlanError(f"'may_be_empty' of the configuration is {empty!r}, not a list of stages")
    return Planner(
        decode(json.loads((folder / "workflow.json").read_text("utf-8"))),
        parameters,
        Places(folder),
        inputs=str(config.get("inputs", "init")),
        may_be_empty=frozenset(map(str, empty)),
    )


class Rules:
    """Answers for one run of Snakemake; asks for checkpoints where something isn't known yet."""

    def __init__(self, folder: Path, config: Mapping[str, Json], checkpoints: Any) -> None:
        self._plan = planner(folder, config)
        self._filling, self._outcomes = self._plan.filling, self._plan.outcomes
        self._folder = folder
        self._checkpoints = checkpoints
        self._steps = patterns.jobs(self._plan.root.workflow)
        self._names: dict[str, str] = {}
        self._images = dict(config.get("images") or {})

    def checkpoint(self, pattern: str, name: str) -> str:
        """Tell that a checkpoint publishes for the jobs of a pattern; return the pattern of its file."""
        file = patterns.published(pattern)
        self._names[file] = name
        return file

    def every(self, pattern: str) -> Function:
        """Return the input function for the folders of all of a stage's jobs."""

        def function(wildcards: Any) -> list[str]:  # noqa: ARG001 - Snakemake's signature
            return self._settled(lambda: [_folder(node) for node in self._all(pattern) if node.runs])

        return function

    def every_published(self, pattern: str) -> Function:
        """Return the input function for all files that tell what a stage's jobs publish."""

        def function(wildcards: Any) -> list[str]:  # noqa: ARG001 - Snakemake's signature
            return self._settled(
                lambda: sorted(
                    {_published(n.scope, n.stage) for n in self._all(pattern) if self._outcomes.late(n)}
                )
            )

        return function

    def inputs(self, pattern: str) -> Function:
        """Return the input function of a stage's jobs."""

        def function(wildcards: Any) -> list[str]:
            def found() -> list[str]:
                node = self._node(pattern, wildcards)
                return [*map(_folder, self._plan.before(node)), *self._filling.outside(node)]

            return self._settled(found)

        return function

    def publishing(self, pattern: str) -> Function:
        """Return the input function of the checkpoint that publishes for a stage's jobs."""

        def function(wildcards: Any) -> list[str]:
            def found() -> list[str]:
                folders: dict[str, None] = {}
                for node in self._nodes(pattern, wildcards):
                    before = [_folder(one) for one in self._plan.before(node)]
                    asked = self._outcomes.asked(node).all
                    own = [_folder(node)] if node.runs else before
                    own += [one for one in before if any(question.startswith(one) for question in asked)]
                    folders.update(dict.fromkeys([*own, *self._filling.outside(node)]))
                return list(folders)

            return self._settled(found)

        return function

    def asked(self, pattern: str, kind: Kind) -> Function:
        """Return the function for what a checkpoint's command looks for; see `answers.words`."""

        def function(wildcards: Any) -> list[str]:
            try:
                nodes = self._nodes(pattern, wildcards)
                return answers.words(
                    (question, _folder(node))
                    for node in nodes
                    for question in self._outcomes.asked(node).of(kind)
                )
            except UnpublishedError:
                return [_LATER]  # its input function asks for the checkpoint

        return function

    def _nodes(self, pattern: str, wildcards: Any) -> list[Node]:
        """Return the jobs of a stage in one workflow that publish what is known only once they have run."""
        *above, (name, _) = patterns.numbered(pattern, _numbers(wildcards))
        entries = self._plan.entries(self._plan.scope(tuple(above)), name)
        nodes = [entry for entry in entries if isinstance(entry, Node)]
        return [node for node in nodes if self._outcomes.late(node)]

    def command(self, pattern: str, *texts: str) -> Function:
        """Return the function for a job's command, of which `texts` has one for each case."""
        return self._of_job(pattern, lambda node: self._command(pattern, node, texts))

    def script(self, pattern: str, *texts: str) -> Function:
        """Return the function for what a job's interpreter reads."""

        def text(node: Node) -> str:
            if not isinstance(node.step.process, Script):
                return ""
            return self._filling.command(node, texts[self._case(pattern, node)])

        return self._of_job(pattern, text)

    def commands(self, pattern: str, *texts: str) -> Function:
        """Return the function for commands that share a folder."""
        parameters = self._plan.parameters
        return self._of_job(pattern, lambda _: [interpolation.substitute(text, parameters) for text in texts])

    def begins(self, pattern: str) -> Function:
        """Return the function for the folder that commands find a copy of."""

        def folder(node: Node) -> str:
            process = node.step.process
            after = process.after if isinstance(process, Commands) else None
            return self._filling.inputs if after is None else f"workdir/{node.scope.within(after)}"

        return self._of_job(pattern, folder)

    def swapped(self, pattern: str) -> Function:
        """Return the function for files given for a recast, which the first commands find at their paths."""
        swapped = filter(self._filling.places.is_swapped, self._plan.parameters.values())
        given = list(map(str, swapped))
        return self._of_job(pattern, lambda node: [] if self._plan.before(node) else given)

    def workspace(self, pattern: str) -> Function:
        """Return the input function of commands that share a folder."""

        def files(node: Node) -> list[str]:
            before = self._plan.before(node)
            return [_folder(one) for one in before] or _files(self._folder, self._filling.inputs)

        begins, swapped = self._of_job(pattern, files), self.swapped(pattern)
        return lambda wildcards: [*begins(wildcards), *swapped(wildcards)]

    def place(self, pattern: str) -> Function:
        """Return the function for the folder where a job's command starts."""

        def folder(node: Node) -> str:
            environment = node.step.environment
            if isinstance(environment, Container) and environment.folder:
                return str(self._filling.contextual(node, environment.folder)).replace(ROOT, ".")
            return _folder(node)

        return self._of_job(pattern, folder)

    def mounts(self, pattern: str) -> Function:
        """Return the function for the files written before a job's command: a path, then `:` and the text."""

        def words(node: Node) -> list[str]:
            environment = node.step.environment
            mounts = environment.mounts if isinstance(environment, Container) else ()
            return [word for one in mounts for word in (one.path, f":{self._mounted(node, one.script)}")]

        return self._of_job(pattern, words)

    def promised(self, pattern: str) -> Function:
        """Return the function for the files that a job must write."""
        return self._of_job(pattern, lambda node: list(self._outcomes.promised(node)))

    def container(self, pattern: str) -> Function:
        """Return the function for the image of a job whose cases have several."""

        def image(node: Node) -> str:
            environment = node.step.environment
            assert isinstance(environment, Container)  # noqa: S101 - the compiler sees to it
            return self.image(f"docker://{environment.reference}")

        return self._of_job(pattern, image)

    def image(self, reference: str) -> str:
        """Return an image, or what the configuration's `images` puts in its place."""
        return str(self._images.get(reference, reference))

    def _command(self, pattern: str, node: Node, texts: tuple[str, ...]) -> str:
        process, environment = node.step.process, node.step.environment
        if isinstance(process, Script):
            text = process.interpreter
        else:
            text = self._filling.command(node, texts[self._case(pattern, node)])
        if not isinstance(environment, Container):
            return text
        return f"source {environment.setup} && {text}" if environment.setup else text

    def _mounted(self, node: Node, script: str) -> str:
        """Return each value that a script gives, on a line of its own, as jq prints it."""
        found = jqscript.values(script, self._filling.contextual(node, node.parameters))
        return "\n".join(json.dumps(one, separators=(",", ":"), ensure_ascii=False) for one in found)

    def _case(self, pattern: str, node: Node) -> int:
        return next(index for index, step in enumerate(self._steps[pattern]) if step is node.step)

    def _of_job(self, pattern: str, ask: Callable[[Node], Any]) -> Function:
        def function(wildcards: Any) -> Any:
            try:
                return ask(self._node(pattern, wildcards))
            except UnpublishedError:
                return _LATER  # its input function asks for the checkpoint

        return function

    def _node(self, pattern: str, wildcards: Any) -> Node:
        return self._plan.node(patterns.numbered(pattern, _numbers(wildcards)))

    def _all(self, pattern: str) -> list[Node]:
        nodes = self._plan.every(patterns.stages(pattern))
        return [node for node in nodes if patterns.fits(pattern, node.name)]

    def _settled(self, ask: Callable[[], _T]) -> _T:
        while True:
            try:
                return ask()
            except UnpublishedError as missing:
                file = _published(missing.scope, missing.stage)
                self._await(missing.scope, missing.stage)
                key = (missing.scope.folder, missing.stage)
                self._outcomes.answers[key] = answers.read(self._folder / file)

    def _await(self, scope: Scope, stage: str) -> None:
        """Return once a stage's jobs have published; until then Snakemake's exception leaves here."""
        for pattern, name in self._names.items():
            numbers = {}
            parts = pattern.removeprefix("published/").split("/")
            for depth, (part, (around, number)) in enumerate(zip(parts, scope.path, strict=False)):
                above = naming.folder(around)
                if part == f"{above}_{{n{depth}}}" and number is not None:
                    numbers[f"n{depth}"] = str(number)
                elif part != above or number is not None:
                    break
            else:
                if parts[len(scope.path) :] == [f"{naming.folder(stage)}.json"]:
                    getattr(self._checkpoints, name).get(**numbers)
                    return
        raise PlanError(f"no rule publishes for the stage '{stage}'")


def _numbers(wildcards: Any) -> dict[str, int]:
    return {name: int(value) for name, value in wildcards.items()}


def _files(folder: Path, name: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / name).rglob("*") if path.is_file())


def _folder(node: Node) -> str:
    return f"workdir/{node.name}"


def _published(scope: Scope, stage: str) -> str:
    return f"published/{scope.within(stage)}.json"
